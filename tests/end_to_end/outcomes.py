"""How one request to a gateway ended, told apart by what a caller can see: answered, refused, broken off with a word, or without one."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import aiohttp


class Ending(StrEnum):
    ANSWERED = "answered"
    REFUSED = "refused"
    """An error in OpenAI's shape before any of the answer."""
    BROKEN_OFF = "broken off"
    """A stream that began, and whose last event is an error."""
    CUT = "cut"
    """The connection went away, which no client takes for an end."""
    SILENT = "silent"
    """What looks like an end and is none. Never allowed."""


@dataclass(frozen=True)
class Outcome:
    ending: Ending
    code: str | None = None
    """Of the error."""
    status: int = 0
    headers: Mapping[str, str] | None = None
    comments: tuple[str, ...] = ()
    """SSE comments of a stream, in their order."""
    began: float = 0.0
    """`time.monotonic()`."""
    seconds: float = 0.0

    @property
    def is_clear(self) -> bool:
        """An answer, or an error that says so, with when to come again where there is no engine."""
        if self.ending is Ending.REFUSED and self.status == 503:
            return self.headers is not None and "retry-after" in self.headers
        return self.ending in (Ending.ANSWERED, Ending.REFUSED, Ending.BROKEN_OFF)


def counted(kinds: Iterable[StrEnum]) -> dict[str, int]:
    """How many of each, in plain words, which can be told between processes."""
    return dict(Counter(kind.value for kind in kinds))


async def outcome_of(http: aiohttp.ClientSession, url: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Outcome:
    """Ask, follow the answer to its end, and say how that was. Raises only what is a fault of the test."""
    began = time.monotonic()
    ending, code, status, said = Ending.CUT, None, 0, None
    comments: tuple[str, ...] = ()
    try:
        async with http.post(url, json=body, headers=headers) as response:
            status, said = response.status, dict(response.headers)
            raw = await response.read()
        if status != 200:
            ending, code = _refusal(raw)
        elif body.get("stream"):
            ending, code, comments = _stream(raw.decode())
        else:
            ending = Ending.ANSWERED if json.loads(raw)["choices"][0]["finish_reason"] in ("stop", "length") else Ending.SILENT
    except (aiohttp.ClientError, ConnectionError):
        ending = Ending.CUT
    headers_said = {name.lower(): value for name, value in said.items()} if said is not None else None
    return Outcome(ending, code, status, headers_said, comments, began, time.monotonic() - began)


def _refusal(raw: bytes) -> tuple[Ending, str | None]:
    error = json.loads(raw)["error"]
    assert set(error) == {"message", "type", "param", "code"}, error
    return Ending.REFUSED, error["code"]


def _stream(text: str) -> tuple[Ending, str | None, tuple[str, ...]]:
    comments = tuple(line[1:].strip() for line in text.splitlines() if line.startswith(":"))
    events = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    if not events:
        return Ending.SILENT, None, comments
    if events[-1] == "[DONE]":
        reasons = [choice["finish_reason"] for event in events[:-1] for choice in json.loads(event)["choices"]]
        return (Ending.ANSWERED if reasons and reasons[-1] in ("stop", "length") else Ending.SILENT), None, comments
    last = json.loads(events[-1])
    return (Ending.BROKEN_OFF, last["error"]["code"], comments) if "error" in last else (Ending.SILENT, None, comments)
