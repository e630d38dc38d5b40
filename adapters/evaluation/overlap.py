"""Which runs of tokens of a text are in a body of texts, word for word. Pure; knows nothing of models.

Runs are found by hash: a 64-bit polynomial over a random number for each token, one sorted array for each length that is asked. Two
different runs share a hash with a probability below 10^-6, even among millions.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


class Overlap:
    """Of the texts given, each a sequence of token ids from 0. Runs never go from one text into the next."""

    def __init__(self, texts: Iterable[Sequence[int]]) -> None:
        self._texts = [np.asarray(text, np.int64) for text in texts if len(text)]
        self._longest = max((len(text) for text in self._texts), default=0)
        self._known: dict[int, Hashes] = {}

    def has(self, text: Sequence[int], length: int) -> bool:
        """Whether any `length` tokens in a row of `text` are in the texts."""
        if not 0 < length <= min(len(text), self._longest):
            return False
        known = self._runs(length)
        asked = _hashes(np.asarray(text, np.int64), length)
        places = np.searchsorted(known, asked)
        return bool((known[np.minimum(places, len(known) - 1)] == asked).any())

    def longest(self, text: Sequence[int]) -> int:
        """How many tokens in a row of `text` are in the texts, at most."""
        low, high = 0, min(len(text), self._longest)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.has(text, middle) else (low, middle - 1)
        return low

    def _runs(self, length: int) -> Hashes:
        if length not in self._known:
            found = [_hashes(text, length) for text in self._texts if len(text) >= length]
            self._known[length] = np.unique(np.concatenate(found))
        return self._known[length]


def _hashes(text: NDArray[np.int64], length: int) -> Hashes:
    """Of every run of `length` tokens."""
    scattered = _scatter(text)
    with np.errstate(over="ignore"):
        found = np.zeros(len(text) - length + 1, np.uint64)
        for place in range(length):
            found = found * _FACTOR + scattered[place : place + len(found)]
    return found


def _scatter(ids: NDArray[np.int64]) -> Hashes:
    """A number for each token that looks random (splitmix64)."""
    with np.errstate(over="ignore"):
        mixed = (ids.astype(np.uint64) + np.uint64(1)) * _FACTOR
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
