"""Cutting a long answer into messages that Discord takes. Pure."""

import re

LIMIT = 1_990
"""Characters in a message; Discord takes 2,000."""

_SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]]*(?=\s)|\n")


def split(text: str, limit: int = LIMIT) -> list[str]:
    """The parts of `text`, each at most `limit` characters: cut at a sentence's end, else between words, else anywhere.

    No part is empty, and nothing but white space at the cuts is lost.
    """
    parts = []
    rest = text.strip()
    while len(rest) > limit:
        part = rest[: _cut(rest, limit)].rstrip()
        parts.append(part)
        rest = rest[len(part) :].lstrip()
    return [*parts, rest] if rest else parts


def _cut(text: str, limit: int) -> int:
    window = text[: limit + 1]  # one more, to see whether the last character that fits ends a sentence or a word
    ends = [found.end() for found in _SENTENCE_END.finditer(window) if 0 < found.end() <= limit]
    if ends:
        return ends[-1]
    spaces = [found.start() for found in re.finditer(r"\s", window)]
    return spaces[-1] if spaces else limit
