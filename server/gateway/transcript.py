"""What was asked and answered, in words: for the log of those communities that want it there, and for no others.

Reads the engine's documents as they pass. Knows nothing of callers, and writes nothing itself.
"""

import json
from typing import Any

from server.gateway.relay import Events, Telling
from server.gateway.sse import Usage

MAX_HEARD_BYTES = 1 << 20
"""Of one answer; what comes after that is not kept."""
MAX_CHARACTERS = 16 << 10
"""Of each text, in the log."""


class Transcript:
    """One request: `body` is what the engine is sent."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._heard = bytearray()

    def hear(self, chunk: bytes) -> None:
        """A piece of the engine's answer, or all of it. A second attempt begins with `start`."""
        self._heard += chunk[: MAX_HEARD_BYTES - len(self._heard)]

    def start(self) -> None:
        self._heard.clear()

    def listening(self, telling: Telling) -> Telling:
        """The same, overheard."""

        def events() -> Events:
            self.start()
            return _Overheard(telling.events(), self)

        def whole(answer: bytes) -> bytes:
            self.start()
            self.hear(answer)
            return telling.whole(answer)

        return Telling(events, whole)

    def fields(self) -> dict[str, Any]:
        """`prompt` and `answer`, for a line of the log; long texts are cut."""
        asked = json.loads(self._body)
        return {"prompt": _cut(asked.get("messages", asked.get("prompt"))), "answer": _cut(said(bytes(self._heard)))}


class _Overheard:
    def __init__(self, events: Events, transcript: Transcript) -> None:
        self._events = events
        self._transcript = transcript
        self.done = False
        self.error: bytes | None = None
        self.usage: Usage | None = None

    @property
    def tokens(self) -> int:
        return self._events.tokens

    def feed(self, chunk: bytes) -> bytes:
        self._transcript.hear(chunk)
        passed = self._events.feed(chunk)
        self.done, self.error, self.usage = self._events.done, self._events.error, self._events.usage
        return passed


def said(document: bytes) -> list[str]:
    """The text of each choice in one of vLLM's answers, whole or streamed; what cannot be read is left out."""
    texts: dict[int, str] = {}
    for piece in document.split(b"\n\n"):
        try:
            content = json.loads(piece.removeprefix(b"data: "))
        except ValueError:
            continue
        for choice in content.get("choices") or () if isinstance(content, dict) else ():
            told = choice.get("delta") or choice.get("message") or {}
            text = choice.get("text") or told.get("content") or (json.dumps(told["tool_calls"]) if told.get("tool_calls") else "")
            texts[choice["index"]] = texts.get(choice["index"], "") + text
    return [texts[index] for index in sorted(texts)]


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= MAX_CHARACTERS else value[:MAX_CHARACTERS] + " …"
    if isinstance(value, list):
        return [_cut(each) for each in value[:MAX_CHARACTERS]]
    if isinstance(value, dict):
        return {name: _cut(each) for name, each in value.items()}
    return value
