"""Names for people that are not theirs: made from the key and their id, so that they are the same in every import and kept nowhere.

Three syllables of 256 or more equally likely forms each, so that two of 1,000 members share a name in one community of about a thousand.
No hard g, c or q begins a syllable and no i stands before a k: the syllables put together make no slur (a test tries them all).
"""

from collections.abc import Iterable, Iterator
from itertools import count

from adapters.curation.privacy.identity import identity
from adapters.curation.privacy.key import Key

_ONSETS = ("b", "d", "f", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z")
_ONSETS += ("bl", "br", "dr", "fl", "fr", "kl", "kr", "pl", "pr", "sh", "sl", "st", "th", "tr", "tw", "vr")
_VOWELS = ("a", "e", "i", "o", "u", "a", "e", "o")
_CODAS = ("", "", "", "l", "m", "n", "r", "s")
SYLLABLES = 3


class Pseudonyms:
    """`taken`: the display names of real members; none of them is given to anybody. A member who comes later with such a name changes
    the pseudonym of the one person who had it."""

    def __init__(self, key: Key, taken: Iterable[str] = ()) -> None:
        self._key = key
        self._taken = frozenset(part.casefold() for name in taken for part in (name, *name.split()))

    def names(self, author_id: str) -> Iterator[str]:
        """Such as `Brelasto`: the person's name, and then the ones to take if somebody else has it."""
        network, number = identity(author_id)
        for attempt in count():
            name = _word(self._key.digest(f"name {network.value} {attempt}", number))
            if name.casefold() not in self._taken:
                yield name


def _word(digest: bytes) -> str:
    return "".join(syllable(*digest[place : place + 3]) for place in range(0, 3 * SYLLABLES, 3)).capitalize()


def syllable(onset: int, vowel: int, coda: int) -> str:
    """From three numbers, of which only the remainders count."""
    return _ONSETS[onset % len(_ONSETS)] + _VOWELS[vowel % len(_VOWELS)] + _CODAS[coda % len(_CODAS)]
