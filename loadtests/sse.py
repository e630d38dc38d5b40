"""Server-sent events from bytes, however the network cut them; and what one event of an OpenAI stream says.

The pure half of the driver: knows the wire format, nothing of sockets or clocks. Only the `data` field matters to us.
"""

import json
from dataclasses import dataclass
from typing import Any

DONE = b"[DONE]"


class EventBuffer:
    """Collects bytes and gives back the `data` of every event that is complete."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that `chunk` completed, oldest first. A `\\r\\n` stream is read as well."""
        *blocks, self._rest = (self._rest + chunk).replace(b"\r\n", b"\n").split(b"\n\n")
        return [data for block in blocks if (data := _data(block)) is not None]


def _data(block: bytes) -> bytes | None:
    lines = [line[5:].removeprefix(b" ") for line in block.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None


@dataclass(frozen=True)
class Piece:
    """One event of a stream. `text` is what it adds to the answer; `error` is the class of an error that it reports."""

    text: str = ""
    error: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0


def read_piece(data: bytes) -> Piece:
    """Understand one event of a chat or text completion; anything that is not such an event is a `bad event` error."""
    try:
        event: Any = json.loads(data)
        if "error" in event:
            return Piece(error=f"stream error: {_error_class(event['error'])}")
        usage = event.get("usage") or {}
        return Piece(
            text="".join(_text(choice) for choice in event["choices"]),
            prompt_tokens=usage.get("prompt_tokens", 0),
            completion_tokens=usage.get("completion_tokens", 0),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return Piece(error="bad event")


def _text(choice: dict[str, Any]) -> str:
    delta = choice.get("delta", {})
    return delta.get("content") or delta.get("reasoning_content") or choice.get("text") or ""


def _error_class(error: Any) -> str:
    return str(error.get("code") or error.get("type") or "unknown") if isinstance(error, dict) else "unknown"
