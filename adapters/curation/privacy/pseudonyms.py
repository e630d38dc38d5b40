"""Names for people that are not theirs: made from the key and their id, so that they are the same in every import and kept nowhere.

Three syllables, as good as 6 * 10^7 names: among 1,000 members two would share one in 1 of 100 communities, and then the one asked for
later gets another (`people`). Some sounds are left out, so that no slur can come out of it (a test looks).
"""

from collections.abc import Iterable, Iterator
from itertools import count, islice

from adapters.curation.privacy.identity import identity
from adapters.curation.privacy.key import Key

_SOUNDS = "b d f h j l m n p r s t v w z th bl br ch dr fl fr kl kr pl pr sl st tr tw vr"
_FIRST = tuple(_SOUNDS.split())
_LATER = ("f", "h", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "th")
_VOWELS = ("a", "e", "i", "o", "u")
_CODAS = ("", "", "", "", "l", "m", "n", "r", "s", "x")
SYLLABLES = ((_FIRST, _VOWELS, _CODAS), (_LATER, _VOWELS, _CODAS), (_LATER, _VOWELS, _CODAS))
"""(what it begins with, its vowel, what it ends on), of each syllable."""


class Pseudonyms:
    """`taken`: the display names of real members; none of them is given to anybody. A member who comes later with such a name changes
    the pseudonym of the one person who had it."""

    def __init__(self, key: Key, taken: Iterable[str] = ()) -> None:
        self._key = key
        self._taken = frozenset(part.casefold() for name in taken for part in (name, *name.split()))

    def names(self, author_id: str) -> Iterator[str]:
        """Such as `Brelastor`: the person's name, and then the ones to take if somebody else has it."""
        return (name for name in self._all(author_id) if name.casefold() not in self._taken)

    def possible(self, author_id: str) -> tuple[str, ...]:
        """Every name that the person may have had in some dataset, whoever the others were. For those who have to be forgotten."""
        return tuple(islice(self._all(author_id), 4))

    def _all(self, author_id: str) -> Iterator[str]:
        network, number = identity(author_id)
        for attempt in count():
            yield _word(self._key.digest(f"name {network.value} {attempt}", number))


def _word(digest: bytes) -> str:
    """A digest's first 64 bits as a number, written in syllables."""
    number = int.from_bytes(digest[:8], "big")
    letters = []
    for syllable in SYLLABLES:
        for choice in syllable:
            number, place = divmod(number, len(choice))
            letters.append(choice[place])
    return "".join(letters).capitalize()
