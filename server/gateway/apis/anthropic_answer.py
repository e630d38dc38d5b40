"""An answer in the words of Anthropic's /v1/messages, streamed or whole."""

import json
from dataclasses import dataclass, field
from typing import Any

from server.gateway.apis.chat_answer import CallPiece, Piece, compact
from server.gateway.sse import Usage


@dataclass
class _Block:
    """One entry of `content` while it grows: a text, or a call."""

    call: CallPiece | None = None
    text: str = ""
    """The text, or the arguments of the call."""
    done: bool = False

    def told(self) -> dict[str, Any]:
        if self.call is None:
            return {"type": "text", "text": self.text}
        return {"type": "tool_use", "id": self.call.id, "name": self.call.name, "input": _arguments(self.text)}


def _arguments(text: str) -> dict[str, Any]:
    """What a model that was cut off left unfinished is empty here; a stream shows it as it came."""
    try:
        arguments = json.loads(text)
    except ValueError:
        return {}
    return arguments if isinstance(arguments, dict) else {}


@dataclass
class MessageTeller:
    """`request_id`: ours, which the message's id is made from."""

    request_id: str
    model: str
    _blocks: list[_Block] = field(default_factory=list)
    _position: int = 0
    """Of the call that grows, among calls."""
    _finish: str | None = None
    _stop: str | None = None

    def opening(self, usage: Usage | None) -> bytes:
        return _event("message_start", message=self._message(usage)) + _event("ping")

    def piece(self, piece: Piece) -> bytes:
        told = self._text(piece.text) if piece.text else b""
        for call in piece.calls:
            told += self._call(call)
        self._finish, self._stop = piece.finish or self._finish, piece.stop or self._stop
        return told

    def closing(self, usage: Usage | None) -> bytes:
        told = (b"" if self._blocks else self._begin(_Block())) + self._end()
        delta = {"stop_reason": self._reason(), "stop_sequence": self._stop_sequence()}
        return told + _event("message_delta", delta=delta, usage=_usage(usage)) + _event("message_stop")

    def document(self, usage: Usage | None) -> dict[str, Any]:
        message = self._message(usage)
        return {**message, "stop_reason": self._reason(), "stop_sequence": self._stop_sequence()}

    def _message(self, usage: Usage | None) -> dict[str, Any]:
        return {
            "id": f"msg_{self.request_id.removeprefix('req_')}",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [block.told() for block in self._blocks],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "usage": _usage(usage),
        }

    def _reason(self) -> str:
        if self._finish == "length":
            return "max_tokens"
        if any(block.call for block in self._blocks):
            return "tool_use"
        return "end_turn" if self._stop is None else "stop_sequence"

    def _stop_sequence(self) -> str | None:
        return self._stop if self._reason() == "stop_sequence" else None

    def _text(self, text: str) -> bytes:
        begun = b""
        if not self._blocks or self._blocks[-1].call is not None:
            begun = self._end() + self._begin(_Block())
        self._blocks[-1].text += text
        return begun + self._within("content_block_delta", delta={"type": "text_delta", "text": text})

    def _call(self, call: CallPiece) -> bytes:
        begun = b""
        if not self._blocks or self._blocks[-1].call is None or self._position != call.index:
            self._position = call.index
            begun = self._end() + self._begin(_Block(call))
        if not call.arguments:
            return begun
        self._blocks[-1].text += call.arguments
        return begun + self._within("content_block_delta", delta={"type": "input_json_delta", "partial_json": call.arguments})

    def _begin(self, block: _Block) -> bytes:
        self._blocks.append(block)
        return self._within("content_block_start", content_block=block.told())

    def _end(self) -> bytes:
        """The entry that grows is as long as it will be."""
        if not self._blocks or self._blocks[-1].done:
            return b""
        self._blocks[-1].done = True
        return self._within("content_block_stop")

    def _within(self, kind: str, **fields: Any) -> bytes:
        """An event of the entry that grows."""
        return _event(kind, index=len(self._blocks) - 1, **fields)


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + compact({"type": kind, **fields}) + b"\n\n"


def _usage(usage: Usage | None) -> dict[str, int]:
    """Anthropic counts what was in the cache apart from the rest of the prompt."""
    usage = usage or Usage(0, 0)
    return {
        "input_tokens": usage.prompt - usage.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.completion,
    }
