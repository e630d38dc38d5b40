"""An engine's answer to a chat, read into pieces, for APIs that say the same in other words.

What those words are, a `Teller` knows: it is told the pieces in their order and gives back events for the caller. An answer that comes as
a whole is told like a stream whose events nobody sees. Knows nothing of sockets, and of vLLM only how it writes a chat.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from server.gateway.errors import EngineFailed
from server.gateway.sse import DONE, ERROR, MAX_EVENT_BYTES, Usage, in_lines, read_usage


@dataclass(frozen=True)
class CallPiece:
    """A part of a call of a tool."""

    index: int
    """Of the call, among those of the answer."""
    id: str
    """As is the name: only with the first piece."""
    name: str
    arguments: str
    """What comes next of the JSON text."""


@dataclass(frozen=True)
class Piece:
    """What one event adds to an answer."""

    text: str = ""
    calls: tuple[CallPiece, ...] = ()
    finish: str | None = None
    """Why the answer ended, if this is its end: `stop`, `length`, `tool_calls`."""
    stop: str | None = None
    """The stop string that ended it."""


class Teller(Protocol):
    """Each answer has its own. Gives back whole events, or nothing."""

    def opening(self, usage: Usage | None) -> bytes:
        """Before the first piece. `usage`: as far as it is known."""

    def piece(self, piece: Piece) -> bytes: ...

    def closing(self, usage: Usage | None) -> bytes:
        """After the last piece."""

    def document(self, usage: Usage | None) -> dict[str, Any]:
        """The whole answer, after its last piece."""


class ChatEvents:
    """Reads a stream as the network cut it; see `sse.EventStream` for what it tells of it. Of one choice."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._rest = b""
        self._begun = False
        self.done = False
        self.error: bytes | None = None
        self.usage: Usage | None = None
        self.tokens = 0

    def feed(self, chunk: bytes) -> bytes:
        """The events that `chunk` completed, in the teller's words; may be empty. Raises EngineFailed."""
        *events, self._rest = (self._rest + chunk).split(b"\n\n")
        if len(self._rest) > MAX_EVENT_BYTES:
            raise EngineFailed("The engine sent an event without an end.")
        return in_lines(b"".join(map(self._event, events)))

    def _event(self, event: bytes) -> bytes:
        if self.done or self.error is not None or not event.startswith(b"data: "):
            return b""
        if event.startswith(ERROR):
            self.error = event
            return b""
        if event == DONE:
            self.done = True
            return self._teller.closing(self.usage)
        usage = read_usage(event)
        opening = b"" if self._begun else self._teller.opening(usage)
        self._begun = True
        if usage is not None:
            self.tokens = usage.completion
        choices = _parsed(event[6:])
        if not choices:
            self.usage = usage
            return opening
        return opening + self._teller.piece(_piece(choices[0], choices[0].get("delta")))


def tell_whole(answer: bytes, teller: Teller) -> bytes:
    """The whole answer in the teller's words. Raises EngineFailed."""
    choices, usage = _parsed(answer), read_usage(answer)
    if not choices:
        raise EngineFailed("The engine sent something that is not an answer.")
    teller.opening(usage)
    teller.piece(_piece(choices[0], choices[0].get("message")))
    teller.closing(usage)
    return compact(teller.document(usage))


def compact(content: Any) -> bytes:
    """JSON as it is sent."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def _parsed(document: bytes) -> list[Mapping[str, Any]]:
    try:
        choices: list[Mapping[str, Any]] = json.loads(document)["choices"]
    except (ValueError, TypeError, KeyError) as exc:
        raise EngineFailed("The engine sent something that is not an answer.") from exc
    return choices


def _piece(choice: Mapping[str, Any], said: Mapping[str, Any] | None) -> Piece:
    said, stop = said or {}, choice.get("stop_reason")
    calls = tuple(_call(call, position) for position, call in enumerate(said.get("tool_calls") or ()))
    return Piece(said.get("content") or "", calls, choice.get("finish_reason"), stop if isinstance(stop, str) else None)


def _call(call: Mapping[str, Any], position: int) -> CallPiece:
    """`position`: in a whole answer, where calls have no index."""
    function = call.get("function") or {}
    return CallPiece(call.get("index", position), call.get("id") or "", function.get("name") or "", function.get("arguments") or "")
