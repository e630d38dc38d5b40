"""Server-sent events, from bytes cut anywhere to whole events. Knows the wire format and nothing of what is sent in it.

https://html.spec.whatwg.org/multipage/server-sent-events.html, without `id`, `retry` and lone-CR line ends, which the API
never sends.
"""

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass

COMMENT = ":"
"""The type that a comment has here; no event on the wire can have it."""


@dataclass(frozen=True)
class Event:
    """One event: its type ("message" unless named) and its data lines joined by newlines. Or a comment: a line that is no event."""

    data: str
    type: str = "message"


async def events(chunks: AsyncIterable[bytes]) -> AsyncIterator[Event]:
    """The events and the comments of a byte stream. A last event that no blank line ends is skipped."""
    data: list[str] = []
    kind = ""
    async for line in _lines(chunks):
        if line:
            name, colon, value = line.partition(":")
            value = value.removeprefix(" ")
            if colon and not name:
                yield Event(value, COMMENT)
            elif name == "data":
                data.append(value)
            elif name == "event":
                kind = value
            continue
        if data:
            yield Event("\n".join(data), kind or "message")
        data, kind = [], ""


async def _lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """Whole lines only, so that a character cut in two by the network is decoded in one piece."""
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")
