"""The text in a post's HTML: line breaks kept, tags and quote links gone, entities resolved. The quoted numbers are given beside it."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser

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
    parser = _Text()
    parser.feed(html)
    parser.close()
    text = "".join(parser.parts)
    quotes = dict.fromkeys(int(number) for number in _QUOTE.findall(text))
    lines = (line.rstrip() for line in _QUOTE.sub("", text).splitlines())
    return Body("\n".join(lines).strip(), tuple(quotes))


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BREAKS:
            self.parts.append("\n")
        self._unseen += tag in _UNSEEN

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in _UNSEEN and self._unseen > 0

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(data)
