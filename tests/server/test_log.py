"""Lines of the log, as machines read them."""

import json
import logging
import sys
from types import TracebackType
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from server.log import MAX_TRACE, JsonLines

Raised = tuple[type[BaseException], BaseException, TracebackType | None]


def line(message: str, fields: dict[str, object] | None = None, raised: Raised | None = None) -> str:
    record = logging.LogRecord("troupe.test", logging.WARNING, __file__, 1, message, None, raised)
    record.created = 1795282800.5
    if fields is not None:
        record.fields = fields
    return JsonLines().format(record)


def read(text: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(text)
    return content


def test_a_line_says_when_what_and_who() -> None:
    """The record's own fields stand beside the four that every line has; those that are None are left out."""
    assert read(line("engine lost", {"request": "req_1", "seconds": 0.5, "error": None})) == {
        "time": "2026-11-21T17:40:00.500Z",
        "level": "warning",
        "logger": "troupe.test",
        "message": "engine lost",
        "request": "req_1",
        "seconds": 0.5,
    }


@given(st.text(), st.dictionaries(st.text(min_size=1), st.text() | st.binary() | st.integers()))
def test_whatever_was_written_is_one_line_of_ascii(message: str, fields: dict[str, object]) -> None:
    """No line break, no control character, nothing that turns the reading direction; and it is JSON."""
    text = line(message.replace("%", ""), fields)
    assert text.isascii()
    assert text.isprintable()
    assert isinstance(read(text), dict)


def test_an_exception_is_told_within_bounds() -> None:
    """Its end, where the error itself stands."""
    try:
        raise ValueError("x" * 100_000)
    except ValueError:
        kind, error, trace = sys.exc_info()
    assert kind is not None
    assert error is not None
    told = read(line("failed", None, (kind, error, trace)))
    assert len(told["trace"]) == MAX_TRACE
    assert told["trace"].endswith("x")
