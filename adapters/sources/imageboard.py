"""Reads imageboard threads in the shape of 4chan's JSON API: one thread a file, or one a line. A quote is the only applause there is.

Posts of several boards have the same numbers: import one board at a time. Anonymous posts are each by a different person, except where
the board gives ids or trip codes. https://github.com/4chan/4chan-API/blob/master/pages/Threads.md
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import IO, Any

from adapters.sources.html_text import read_body
from adapters.sources.json_stream import Broken, entries
from adapters.sources.message import Message
from adapters.sources.record import MAX_TEXT, Record, ThreadStart, clean
from adapters.sources.report import Tally


def read_imageboard(name: str, stream: IO[bytes], tally: Tally) -> Iterator[Record | ThreadStart]:
    """All posts with text. Raises Unreadable."""
    last = "the start"
    try:
        for entry in entries(stream, "posts", many=True):
            if entry.key != "posts":
                continue
            if isinstance(entry.value, dict):
                last = f"post {entry.value.get('no')!s:.20}"
            record = _record(entry.value, tally, f"{last} at byte {entry.offset} of {name}")
            if record is not None:
                yield record
    except Broken as exc:
        tally.drop("rest of a broken file", f"{name} from byte {exc.offset} on, after {last}")


def _record(raw: object, tally: Tally, place: str) -> Record | None:
    if not isinstance(raw, dict):
        tally.drop("malformed", place)
        return None
    number, thread, at = _number(raw.get("no")), _number(raw.get("resto") or raw.get("no")), _time(raw.get("time"))
    parts = [raw.get("sub") or "", raw.get("com") or ""]
    if number is None or thread is None or at is None or not all(isinstance(part, str) for part in parts):
        tally.drop("malformed", place)
        return None
    if sum(map(len, parts)) > 2 * MAX_TEXT:
        tally.drop("longer than any chat message", place)
        return None
    body = read_body("<br>".join(part for part in parts if part))
    text = clean(body.text)
    if not text:
        tally.drop("no text", place)
        return None
    quotes = tuple(each for each in body.quotes if each < number)
    author_id, author = _author(raw, number, thread)
    message = Message(number, str(thread), author_id, author, text, at, reply_to=quotes[0] if quotes else None)
    return Record(message, exported=0.0, quotes=quotes)


def _author(raw: Mapping[str, Any], number: int, thread: int) -> tuple[str, str]:
    name = clean(str(raw.get("name") or "Anonymous"))[:100]
    if raw.get("trip"):
        return f"trip {raw['trip']!s:.40}", name
    if raw.get("id"):
        return f"thread {thread} id {raw['id']!s:.40}", name
    return f"post {number}", name


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63 else None


def _time(value: object) -> datetime | None:
    number = _number(value)
    return datetime.fromtimestamp(number, UTC) if number is not None and number < 2**33 else None
