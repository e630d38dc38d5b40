"""What a reader hands to the index: a message, and what can only be settled when all files are read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from adapters.sources.message import Message
from adapters.sources.report import Tally

MAX_TEXT = 32_000
"""Characters. Discord ends at 4,000; what is longer than this is no chat message."""


@dataclass(frozen=True)
class Record:
    """`exported` (seconds since 1970, 0 where unknown) decides between copies: the later wins, and of equals the one read later.

    `key` and `answers` are the source's own names of this message and of the one it replies to, where those are not ids.
    `quotes` are the ids of the messages that this one quotes: each gets a reward for it.
    """

    message: Message
    exported: float = 0.0
    key: str = ""
    answers: str = ""
    quotes: tuple[int, ...] = ()


@dataclass(frozen=True)
class ThreadStart:
    """The message `starter`, of another channel, is what the thread `channel` was opened from."""

    channel: str
    starter: int


Reader = Callable[[str, IO[bytes], Tally], Iterator[Record | ThreadStart]]
"""(file name, its bytes, where to count what is left out) → what the file holds."""


def clean(text: str) -> str:
    """Text that every encoder takes: half characters (lone surrogates) and NULs become U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
