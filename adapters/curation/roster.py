"""The display names of a community, and which of them may stand in a text. Pure.

People are talked about who are not there: their names have to become pseudonyms too. This finds who may be meant, quickly and too many;
whether a text means them ("the game") is the cleaner's to decide.
"""

import re

_WORD = re.compile(r"\w+")
_SHORTEST = 3
_SHARED = 5
"""A name that more people have is none: every anonymous poster is called the same."""


class Roster:
    """Tell it of everybody who writes. Somebody who has had several names is found by each of them."""

    def __init__(self) -> None:
        self._owners: dict[str, list[str]] = {}
        self._by_word: dict[str, list[str]] = {}

    def meet(self, author_id: str, name: str) -> None:
        """Somebody who writes under this name."""
        owners = self._owners.get(name)
        if owners is None:
            self._owners[name] = [author_id]
            for word in _telling(name):
                self._by_word.setdefault(word, []).append(name)
        elif author_id not in owners and len(owners) <= _SHARED:
            owners.append(author_id)

    def named(self, text: str) -> dict[str, str]:
        """Author id → name, of those whose name, or a telling word of it, stands in the text. Of several with one name: the first."""
        found: dict[str, str] = {}
        for word in dict.fromkeys(_WORD.findall(text.casefold())):
            for name in self._by_word.get(word, ()):
                owners = self._owners[name]
                if len(owners) <= _SHARED:
                    found.setdefault(owners[0], name)
        return found


def _telling(name: str) -> list[str]:
    """The words that a name is found by: its only one, or the longer ones of several."""
    words = list(dict.fromkeys(_WORD.findall(name.casefold())))
    if len(words) == 1:
        return words if len(words[0]) >= _SHORTEST else []
    return [word for word in words if len(word) > _SHORTEST] or words[:1]
