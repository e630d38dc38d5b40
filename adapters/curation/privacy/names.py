"""Display names in running text: which words of a sentence name a member, and which only look like it.

Whole words only. A name that is no ordinary word is found in any case; one that is (`Will`, `Ghost`) only behind an @, or where its capital
cannot come from the start of a sentence. Months and days are never taken for people without an @, and a name of one or two letters neither.
"""

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from adapters.curation.privacy.plain_text import one_width

_TOKEN = re.compile(r"\w+")
_LONGEST_NAME = 4
"""Words of a display name that are looked for together; what comes after them is decoration."""
_SHORT = 3
_CALENDAR_WORDS = (
    "january february march april may june july august september october november december "
    "monday tuesday wednesday thursday friday saturday sunday"
)
_CALENDAR = frozenset(_CALENDAR_WORDS.split())
_NOBODY = frozenset(("user", "assistant", "system", "anonymous", "deleted", "unknown", "me", "you", "everyone", "here", "somebody", "i"))


@dataclass(frozen=True)
class _Name:
    author_id: str
    written: str
    ordinary: bool


class NameFinder:
    """`ordinary`: words that by themselves name nobody, in small letters."""

    def __init__(self, ordinary: Container[str]) -> None:
        self._ordinary = ordinary
        self._read: dict[str, tuple[tuple[str, bool, str], ...]] = {}

    def find(self, text: str, names: Mapping[str, str]) -> Iterator[tuple[int, int, str]]:
        """(start, end, author id) of each place in a text where somebody of `names` (display name by author id) is named."""
        book = self._book(names)
        if not book:
            return
        plain = one_width(text)
        tokens = list(_TOKEN.finditer(plain))
        place = 0
        while place < len(tokens):
            for count in range(min(_LONGEST_NAME, len(tokens) - place), 0, -1):
                part = tokens[place : place + count]
                name = book.get(_key(part))
                if name is not None and _close(part) and _means(plain, part, name):
                    start = part[0].start()
                    yield start - _is_called(plain, start), part[-1].end(), name.author_id
                    place += count - 1
                    break
            place += 1

    def _book(self, names: Mapping[str, str]) -> dict[str, _Name]:
        """What to look for. Where two share a name, it means the one who comes first."""
        book: dict[str, _Name] = {}
        for author_id, name in names.items():
            for key, ordinary, written in self._keys(name):
                if key not in book:
                    book[key] = _Name(author_id, written, ordinary)
        return book

    def _keys(self, name: str) -> tuple[tuple[str, bool, str], ...]:
        """(key, whether it is an ordinary word, as written) of the whole name, and of those of its words that can only be a name."""
        known = self._read.get(name)
        if known is None:
            words = _TOKEN.findall(one_width(name))[:_LONGEST_NAME]
            keys = []
            if words:
                whole = " ".join(words)
                keys.append((whole.casefold(), all(map(self._is_ordinary, words)), whole))
            if len(words) > 1:
                keys += [(word.casefold(), False, word) for word in words if len(word) > _SHORT and not self._is_ordinary(word)]
            known = self._read[name] = tuple(key for key in keys if key[0] not in _NOBODY)
        return known

    def _is_ordinary(self, word: str) -> bool:
        return len(word) < _SHORT or word.casefold() in self._ordinary


def _key(part: list[re.Match[str]]) -> str:
    return " ".join(token[0] for token in part).casefold()


def _close(part: list[re.Match[str]]) -> bool:
    """Words of one name have little between them."""
    return all(after.start() - before.end() <= _SHORT for before, after in pairwise(part))


def _means(text: str, part: list[re.Match[str]], name: _Name) -> bool:
    """Whether the words at this place name the person."""
    start = part[0].start()
    if _is_called(text, start):
        return True
    written = " ".join(token[0] for token in part)
    if not name.ordinary:
        return len(written) > _SHORT or written == name.written or written.istitle()
    if written.casefold() in _CALENDAR or len(written) < _SHORT or written != name.written or not written.istitle():
        return False
    before = text[max(0, start - 40) : start].rstrip(" \t,").rpartition(" ")[2]
    return text[start - 1 : start] == " " and before[:1].islower() and before[-1:].isalpha()


def _is_called(text: str, start: int) -> bool:
    """Behind an @ that begins a word."""
    return text[start - 1 : start] == "@" and not text[max(0, start - 2) : start - 1].strip(" \t\n(\"'*_~|>,.!?")
