"""What the people of a conversation are called: by the model, and by the people who read its answer.

An adapter was trained on invented names (`adapters.pseudonyms`). Where the bot has the secret that they were made with, the model is told
those, and what it answers is told back in the names that everybody knows. Elsewhere it is told the names that people see.
"""

import re
from collections.abc import Callable, Mapping, Set
from pathlib import Path

from adapters.pseudonyms import invented_names

SOMEBODY = "somebody"
"""Who opted out, as datasets say it."""

_COMMUNITY = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_KEY_BYTES = 32

Invented = Callable[[int], str]
"""The invented name of a person."""


def invented(secret: bytes) -> Invented:
    return lambda person: next(invented_names(secret, "discord", str(person)))


class NamesKeys:
    """The secrets of communities, where the factory keeps them: `folder/COMMUNITY/people/key`. Read, never written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, community: str) -> Invented | None:
        """None where there is none that can be read."""
        if not _COMMUNITY.fullmatch(community):
            return None
        try:
            with (self._folder / community / "people" / "key").open("rb") as file:
                secret = file.read(_KEY_BYTES + 1)
        except OSError:
            return None
        return invented(secret) if len(secret) == _KEY_BYTES else None


class Cast:
    """The people of one conversation. `people`: everybody who speaks or is mentioned, by id, with the names that people see."""

    def __init__(self, people: Mapping[int, str], *, out: Set[int] = frozenset(), invented: Invented | None = None) -> None:
        self._called = {person: SOMEBODY if person in out else (invented(person) if invented else name) for person, name in people.items()}
        self._people = people
        self._told = _replacer({name: self._called[person] for person, name in people.items()}, whole_names=True)
        shown = {called: people[person] for person, called in self._called.items() if invented and person not in out}
        self._shown = _replacer(shown, whole_names=False)

    def called(self, person: int, name: str) -> str:
        """What the model is told that somebody is called; `name` if they are not of the cast."""
        return self._called.get(person, name)

    def told(self, text: str) -> str:
        """A text for the model."""
        return self._told(text)

    def shown(self, text: str) -> str:
        """An answer of the model's for people."""
        return self._shown(text)


def _replacer(names: Mapping[str, str], *, whole_names: bool) -> Callable[[str], str]:
    """`whole_names`: only behind an @, or written exactly so and not in small letters, or a member called `will` would be everywhere."""
    names = {name: other for name, other in names.items() if name and name != other}
    if not names:
        return lambda text: text
    longest_first = sorted(names, key=len, reverse=True)
    pattern = re.compile(rf"(@?)(?<!\w)({'|'.join(map(re.escape, longest_first))})(?!\w)", 0 if whole_names else re.IGNORECASE)
    by_small = {name.casefold(): other for name, other in names.items()}

    def replace(found: re.Match[str]) -> str:
        if whole_names and not found[1] and (found[2].islower() or len(found[2]) < 3):
            return found[0]
        # Letters that are the same in any case need not fold to the same ones: a dotless ı is no i.
        return found[1] + (names[found[2]] if whole_names else by_small.get(found[2].casefold(), found[2]))

    return lambda text: pattern.sub(replace, text)
