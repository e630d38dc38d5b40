"""An engine's event stream, made fit for the caller: its model string, its usage, nobody's names.

Works on bytes. vLLM writes compact JSON, in which a quote within a text is always escaped: `"model":"…"` with bare quotes can only be
the field itself, whatever the model says. So the usual event is searched, not parsed. Knows nothing of sockets.
"""

import json
import re
from dataclasses import dataclass

from server.gateway.errors import EngineFailed

DONE = b"data: [DONE]"
MAX_EVENT_BYTES = 4 << 20

ERROR = b'data: {"error"'
_USAGE_EVENT = b'"choices":[],"usage":{'
_COUNT = b',"usage":{'
_USAGE = re.compile(rb'"usage":\{"prompt_tokens":(\d+),"total_tokens":\d+,"completion_tokens":(\d+)(?:[^{}]|\{[^{}]*\})*\}')
_CACHED = re.compile(rb'"cached_tokens":(\d+)')
_CHOICE = re.compile(rb'"choices":\[\{"index":(\d+)')
_LINE_ENDS = ((b"\xe2\x80\xa8", rb"\u2028"), (b"\xe2\x80\xa9", rb"\u2029"), (b"\xc2\x85", rb"\u0085"))
"""What Unicode calls an end of a line, and its way to be written in JSON. An event stream knows none of them, but many a reader of lines
does, httpx's for one, and would take a text that holds one for two halves of nothing."""


@dataclass(frozen=True)
class Usage:
    """Tokens of one request."""

    prompt: int
    completion: int
    cached: int = 0
    """Of the prompt: those that were in the prefix cache already."""


class Renamer:
    """Puts the caller's model string where an engine wrote its own name."""

    def __init__(self, engine_name: str, model: str) -> None:
        self._old = b'"model":' + json.dumps(engine_name).encode()
        self._new = b'"model":' + json.dumps(model).encode()
        self._model = model

    def rename(self, document: bytes) -> bytes:
        """`document`: one JSON object. One that is not written as vLLM writes is parsed. Raises EngineFailed."""
        if self._old in document:
            return document.replace(self._old, self._new, 1)
        try:
            content = json.loads(document)
            content["model"] = self._model
        except (ValueError, TypeError) as exc:
            raise EngineFailed("The engine sent something that is not an answer.") from exc
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


class EventStream:
    """Takes bytes as the network cut them, gives back whole events.

    `done` is true once the stream's end mark has passed; `error` holds an error event of the engine, which is not given back. `tokens`:
    of the answer, so far, all its choices together. The engine tells them in every event, which is not given back either.
    """

    def __init__(self, renamer: Renamer, *, include_usage: bool) -> None:
        self._renamer = renamer
        self._include_usage = include_usage
        self._rest = b""
        self._choices: dict[bytes, int] = {}
        self.done = False
        self.error: bytes | None = None
        self.usage: Usage | None = None

    @property
    def tokens(self) -> int:
        return sum(self._choices.values())

    def feed(self, chunk: bytes) -> bytes:
        """The events that `chunk` completed, ready for the caller; may be empty. Raises EngineFailed."""
        data = self._rest + chunk if self._rest else chunk
        end = data.rfind(b"\n\n")
        if end < 0:
            self._rest = data
            if len(data) > MAX_EVENT_BYTES:
                raise EngineFailed("The engine sent an event without an end.")
            return b""
        self._rest = data[end + 2 :]
        passed = []
        for event in data[:end].split(b"\n\n"):
            if self.done or self.error is not None:
                break
            if event.startswith(ERROR):
                self.error = event
            elif event == DONE:
                self.done = True
                passed.append(event)
            elif not event.startswith(b"data: "):
                passed.append(event)  # a comment that keeps the connection open
            elif _USAGE_EVENT not in event:
                passed.append(b"data: " + self._renamer.rename(self._counted(event[6:])))
            elif self._note_usage(event):
                passed.append(b"data: " + self._renamer.rename(event[6:]))
        passed.append(b"")
        return in_lines(b"\n\n".join(passed))

    def _counted(self, document: bytes) -> bytes:
        """The event without the count that it carries; to those who asked for usage it says, as OpenAI does, that there is none yet."""
        at = document.rfind(_COUNT)
        found = _USAGE.match(document, at + 1) if at >= 0 else None
        if found is None:
            return document
        choice = _CHOICE.search(document)
        self._choices[choice[1] if choice else b"0"] = int(found[2])
        return document[:at] + (b',"usage":null' if self._include_usage else b"") + document[found.end() :]

    def _note_usage(self, event: bytes) -> bool:
        """Keep the count; true if the caller is to see the event."""
        self.usage = read_usage(event)
        return self._include_usage


def in_lines(events: bytes) -> bytes:
    """The same events, whose lines end where any reader thinks that they do."""
    for end, written in _LINE_ENDS:
        events = events.replace(end, written)
    return events


def read_usage(document: bytes) -> Usage | None:
    """The usage within one of vLLM's JSON documents."""
    found = _USAGE.search(document)
    if found is None:
        return None
    cached = _CACHED.search(found[0])
    return Usage(int(found[1]), int(found[2]), int(cached[1]) if cached else 0)
