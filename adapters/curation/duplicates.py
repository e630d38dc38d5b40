"""Tells texts that are nearly the same: exactly, but for capitals, punctuation, mentions and stretched letters, or by their shingles.

MinHash with LSH by datasketch. A copypasta that fifty people repeated is one thing to learn.
"""

import re
import unicodedata
from zlib import crc32

from datasketch import MinHash, MinHashLSH

_GONE = re.compile(r"<[@#][^<>]*>|https?://\S+")
_STRETCHED = re.compile(r"(\D)\1+")  # 100 is not 10
_SPACE = re.compile(r"\s+")
_SHINGLE = 4
_LEAST = 24
"""Characters below which only equal texts are the same: in a short one every letter counts."""
_LONGEST = 4_000
_PERMUTATIONS = 64


def normalised(text: str) -> str:
    """What two texts have in common that a person would call the same."""
    plain = unicodedata.normalize("NFKC", _GONE.sub(" ", text)).casefold()
    said = "".join(each if each.isalnum() or unicodedata.category(each)[0] in "SM" else " " for each in plain)
    same = _STRETCHED.sub(r"\1", _SPACE.sub(" ", said)).strip()
    return same or _STRETCHED.sub(r"\1", _SPACE.sub(" ", plain)).strip()


class Told:
    """The texts that were told already. `similarity`: the Jaccard similarity from which two are the same; 0 lets all pass."""

    def __init__(self, similarity: float) -> None:
        self._similarity = similarity
        self._exact: set[str] = set()
        self._lsh = MinHashLSH(threshold=min(0.9, max(0.1, similarity)), num_perm=_PERMUTATIONS)
        self._hashes: dict[str, MinHash] = {}
        self._blank = MinHash(num_perm=_PERMUTATIONS, seed=1, hashfunc=crc32)  # its copies share the permutations

    def again(self, text: str) -> bool:
        """Whether it was told before; if not, it is now."""
        if not self._similarity:
            return False
        plain = normalised(text)[:_LONGEST]
        if plain in self._exact:
            return True
        if self._similarity < 1 and len(plain) >= _LEAST:
            sketch = self._sketch(plain)
            if any(self._hashes[key].jaccard(sketch) >= self._similarity for key in self._lsh.query(sketch)):
                return True
            self._hashes[plain] = sketch
            self._lsh.insert(plain, sketch, check_duplication=False)
        self._exact.add(plain)
        return False

    def _sketch(self, plain: str) -> MinHash:
        sketch = self._blank.copy()
        sketch.update_batch([plain[start : start + _SHINGLE].encode() for start in range(len(plain) - _SHINGLE + 1)])
        return sketch
