"""Reads chats with one JSON object a line: a message, or a conversation in `messages`.

A message is `{"author", "text", "timestamp", "score", "reply_to", "id", "channel"}`, of which only the first two are needed; a turn of a
conversation may also be OpenAI's `{"role", "content"}`. The score is the number of people who liked it.
"""

import json
import math
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import IO, Any

from adapters.sources.message import Message, Reaction
from adapters.sources.record import MAX_TEXT, Record, ThreadStart, clean
from adapters.sources.report import EMPTY_CONTENT, Tally

_MAX_LINE = 16 * 1024 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_SYSTEM = frozenset({"system", "developer", "tool", "function"})


def read_jsonl(name: str, stream: IO[bytes], tally: Tally) -> Iterator[Record | ThreadStart]:
    """All messages of all lines. A line that is no JSON is counted and the next one read. Raises Unreadable."""
    clock = _Clock()
    offset = 0
    for number, line in enumerate(iter(lambda: stream.readline(_MAX_LINE), b""), start=1):
        place = f"{name} line {number}, byte {offset}"
        offset += len(line)
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            tally.drop("line that is not JSON", place)
            continue
        yield from _line(value, clock, f"{name} {number}", tally, place)


class _Clock:
    """Times for messages that have none: a millisecond after the one before."""

    def __init__(self) -> None:
        self._last = _EPOCH

    def time(self, timestamp: object) -> datetime:
        at = _time(timestamp)
        self._last = self._last + _MILLISECOND if at is None else at
        return self._last


def _line(value: object, clock: _Clock, conversation: str, tally: Tally, place: str) -> Iterator[Record]:
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        for turn in value["messages"]:
            yield from _record(turn, clock, value.get("channel") or conversation, tally, place)
    else:
        yield from _record(value, clock, "main", tally, place)


def _record(raw: object, clock: _Clock, channel: object, tally: Tally, place: str) -> Iterator[Record]:
    if not isinstance(raw, dict):
        tally.drop("malformed", place)
        return
    author, text = raw.get("author", raw.get("name", raw.get("role"))), _text(raw.get("text", raw.get("content")))
    if not isinstance(author, str | int) or not str(author).strip() or text is None:
        tally.drop("malformed", place)
    elif raw.get("role") in _SYSTEM:
        tally.drop("system message", place)
    elif not text.strip():
        tally.drop(EMPTY_CONTENT, place)
    elif len(text) > MAX_TEXT:
        tally.drop("longer than any chat message", f"{place} ({len(text)} characters)")
    else:
        yield _made(raw, _identity(author), clean(text), clock.time(raw.get("timestamp")), clean(str(raw.get("channel") or channel)))


def _made(raw: Mapping[str, Any], author: str, text: str, at: datetime, channel: str) -> Record:
    key = _key(raw.get("id"))
    digest = sha256("\0".join((key,) if key else (channel, author, text)).encode()).digest()
    # Milliseconds, then 20 bits of the identity: grows with time, and the same message of two files has the same id.
    number = ((at - _EPOCH) // _MILLISECOND << 20) + int.from_bytes(digest[:4], "big") % 2**20
    score = _score(raw.get("score"))
    message = Message(number, channel, author, author, text, at, reactions=(Reaction(score),) if score else ())
    return Record(message, key=key, answers=_key(raw.get("reply_to")))


def _identity(author: str | int) -> str:
    """One spelling per author: no invisible or doubled characters that would hide somebody from an opt-out list."""
    text = unicodedata.normalize("NFKC", clean(str(author)))
    return " ".join("".join(each for each in text if unicodedata.category(each)[0] != "C" or each.isspace()).split())[:100]


def _key(value: object) -> str:
    return clean(str(value))[:200] if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _text(content: object) -> str | None:
    """A string, or OpenAI's list of parts, of which the texts count."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        return "\n".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else "" if content is None else None


def _score(value: object) -> int:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return 0
    return max(0, min(10**9, round(value)))


def _time(value: object) -> datetime | None:
    """ISO 8601 (UTC where no zone is said), or seconds or milliseconds since 1970."""
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value.strip())
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            at = datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return at if _EPOCH <= at <= _LATEST else None
