"""The display names of a community, and which of them stand in a text. Pure.

People are talked about who are not there: their names have to become pseudonyms too. Whether an ordinary word ("game") that somebody is
called by is a name in a text is the cleaner's to decide.
"""

import re
from collections.abc import Iterator

_WORD = re.compile(r"\w+")
_SHORTEST = 3
_SHARED = 5
"""A name that more people have is none: every anonymous poster is called the same."""


class Roster:
    """Tell it of everybody who writes; the name that somebody had last counts beside the earlier ones."""

    def __init__(self) -> None:
        self._owners: dict[str, list[str]] = {}
        self._by_word: dict[str, list[str]] = {}

    def meet(self, author_id: str, name: str) -> None:
        """Somebody who writes under this name."""
        owners = self._owners.get(name)
        if owners is None:
            self._owners[name] = [author_id]
            words = _words(name)
            if words and len(name) >= _SHORTEST:
                self._by_word.setdefault(words[0], []).append(name)
        elif author_id not in owners and len(owners) <= _SHARED:
            owners.append(author_id)

    def named(self, text: str) -> dict[str, str]:
        """Author id → name, of those whose name stands in the text as a whole."""
        return dict(self._named(text))

    def _named(self, text: str) -> Iterator[tuple[str, str]]:
        for word in dict.fromkeys(_words(text)):
            for name in self._by_word.get(word, ()):
                owners = self._owners[name]
                if len(owners) <= _SHARED and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE):
                    yield owners[0], name


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
