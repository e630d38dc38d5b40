"""Names for people that are not theirs: made from a secret and their id, so that they are the same whenever they are made.

Datasets call people so, and the bot can, too, where it has the community's secret: an adapter then meets the names that it knows. Three
syllables, as good as 6 * 10^7 names. Some sounds are left out, so that no slur can come out of it (a test looks). Pure and light.
"""

import hmac
from collections.abc import Iterator
from hashlib import sha256
from itertools import count

_SOUNDS = "b d f h j l m n p r s t v w z th bl br ch dr fl fr kl kr pl pr sl st tr tw vr"
_FIRST = tuple(_SOUNDS.split())
_LATER = ("f", "h", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "th")
_VOWELS = ("a", "e", "i", "o", "u")
_CODAS = ("", "", "", "", "l", "m", "n", "r", "s", "x")
SYLLABLES = ((_FIRST, _VOWELS, _CODAS), (_LATER, _VOWELS, _CODAS), (_LATER, _VOWELS, _CODAS))
"""(what it begins with, its vowel, what it ends on), of each syllable."""


def keyed_digest(secret: bytes, purpose: str, value: str) -> bytes:
    """HMAC-SHA256, 32 bytes, with a purpose in front, so that a digest made for one thing says nothing about another."""
    return hmac.new(secret, f"{purpose}\0{value}".encode("utf-8", "surrogatepass"), sha256).digest()


def invented_names(secret: bytes, network: str, number: str) -> Iterator[str]:
    """Such as `Brelastor`: the name of the person `number` of a network (`discord`), and then the ones to take if somebody else has it."""
    return (_word(keyed_digest(secret, f"name {network} {attempt}", number)) for attempt in count())


def _word(digest: bytes) -> str:
    """A digest's first 64 bits as a number, written in syllables."""
    number = int.from_bytes(digest[:8], "big")
    letters = []
    for syllable in SYLLABLES:
        for choice in syllable:
            number, place = divmod(number, len(choice))
            letters.append(choice[place])
    return "".join(letters).capitalize()
