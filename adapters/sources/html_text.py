"""The text in a post's HTML: line breaks kept, tags and quote links gone, entities resolved. The quoted numbers are given beside it.

A board's bodies are a few tags and escaped text, so that tags can be cut out in one pass whose time grows with the length only. The
standard library's parser takes a minute for 64 kB of `<a `, and raises on others.
"""

import re
from dataclasses import dataclass
from html import unescape

_TAG = re.compile(r"(<[/!?a-zA-Z][^<>]*>)")
_NAME = re.compile(r"<(/?[a-zA-Z]*)")
_QUOTE = re.compile(r">>(\d{1,18})\s*")
_UNSEEN = frozenset({"script", "style"})
_BREAKS = frozenset({"br", "p", "div"})


@dataclass(frozen=True)
class Body:
    """`quotes`: the numbers of the posts that the text pointed at, in order, each once."""

    text: str
    quotes: tuple[int, ...]


def read_body(html: str) -> Body:
    """A post's `com` as plain text. Never fails: what is no HTML is text."""
    text = unescape("".join(_pieces(html)))
    quotes = dict.fromkeys(int(number) for number in _QUOTE.findall(text))
    lines = (line.rstrip() for line in _QUOTE.sub("", text).splitlines())
    return Body("\n".join(lines).strip(), tuple(quotes))


def _pieces(html: str) -> list[str]:
    """What is between the tags; a break for those that begin a line."""
    pieces: list[str] = []
    unseen = ""
    for place, piece in enumerate(_TAG.split(html)):
        if place % 2 == 0:
            if not unseen:
                pieces.append(piece)
            continue
        match = _NAME.match(piece)
        name = match[1].lower() if match else ""
        if name == f"/{unseen}":
            unseen = ""
        elif not unseen and name in _UNSEEN:
            unseen = name
        elif not unseen and name in _BREAKS:
            pieces.append("\n")
    return pieces
