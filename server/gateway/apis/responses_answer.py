"""An answer in the words of OpenAI's /v1/responses, streamed or whole. Nothing of it is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from server.gateway.apis.chat_answer import CallPiece, Piece, compact
from server.gateway.sse import Usage


@dataclass
class _Item:
    """One entry of `output` while it grows: a message, or a call."""

    id: str
    call: CallPiece | None = None
    text: str = ""
    """Of the message, or the arguments of the call."""
    done: bool = False

    def told(self, *, complete: bool = True) -> dict[str, Any]:
        status = "in_progress" if not self.done else "completed" if complete else "incomplete"
        if self.call is None:
            content = [_part(self.text)] if self.done else []
            return {"id": self.id, "type": "message", "status": status, "role": "assistant", "content": content}
        told = {"id": self.id, "type": "function_call", "status": status, "call_id": self.call.id, "name": self.call.name}
        return {**told, "arguments": self.text}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


@dataclass
class ResponseTeller:
    """`request_id`: ours, which ids are made from. `created`: Unix time in seconds. `echoed`: what the answer repeats of its request."""

    request_id: str
    model: str
    created: int
    echoed: Mapping[str, Any]
    _items: list[_Item] = field(default_factory=list)
    _position: int = 0
    """Of the call that grows, among calls."""
    _number: int = 0
    _finish: str | None = None

    def opening(self, usage: Usage | None) -> bytes:
        response = self._response("in_progress", None)
        return self._event("response.created", response=response) + self._event("response.in_progress", response=response)

    def piece(self, piece: Piece) -> bytes:
        told = self._text(piece.text) if piece.text else b""
        for call in piece.calls:
            told += self._call(call)
        self._finish = piece.finish or self._finish
        return told

    def closing(self, usage: Usage | None) -> bytes:
        told = b"" if self._items else self._begin(_Item(self._id("msg")))
        told += self._end()
        response = self.document(usage)
        return told + self._event(f"response.{response['status']}", response=response)

    def document(self, usage: Usage | None) -> dict[str, Any]:
        return self._response("completed" if self._is_complete else "incomplete", usage)

    @property
    def _is_complete(self) -> bool:
        return self._finish != "length"

    def _text(self, text: str) -> bytes:
        begun = b""
        if not self._items or self._items[-1].call is not None:
            begun = self._end() + self._begin(_Item(self._id("msg")))
        item = self._items[-1]
        item.text += text
        return begun + self._within("response.output_text.delta", content_index=0, delta=text, logprobs=[])

    def _call(self, call: CallPiece) -> bytes:
        begun = b""
        if not self._items or self._items[-1].call is None or self._position != call.index:
            self._position = call.index
            begun = self._end() + self._begin(_Item(self._id("fc"), call))
        if not call.arguments:
            return begun
        self._items[-1].text += call.arguments
        return begun + self._within("response.function_call_arguments.delta", delta=call.arguments)

    def _begin(self, item: _Item) -> bytes:
        self._items.append(item)
        told = self._event("response.output_item.added", output_index=len(self._items) - 1, item=item.told())
        return told if item.call else told + self._within("response.content_part.added", content_index=0, part=_part(""))

    def _end(self) -> bytes:
        """The entry that grows is as long as it will be."""
        if not self._items or self._items[-1].done:
            return b""
        item = self._items[-1]
        item.done = True
        if item.call is None:
            told = self._within("response.output_text.done", content_index=0, text=item.text, logprobs=[])
            told += self._within("response.content_part.done", content_index=0, part=_part(item.text))
        else:
            told = self._within("response.function_call_arguments.done", name=item.call.name, arguments=item.text)
        complete = self._is_complete
        return told + self._event("response.output_item.done", output_index=len(self._items) - 1, item=item.told(complete=complete))

    def _within(self, kind: str, **fields: Any) -> bytes:
        """An event of the entry that grows."""
        return self._event(kind, item_id=self._items[-1].id, output_index=len(self._items) - 1, **fields)

    def _event(self, kind: str, **fields: Any) -> bytes:
        told = compact({"type": kind, "sequence_number": self._number, **fields})
        self._number += 1
        return b"event: " + kind.encode() + b"\ndata: " + told + b"\n\n"

    def _id(self, kind: str) -> str:
        more = f"_{len(self._items)}" if self._items else ""
        return f"{kind}_{self.request_id.removeprefix('req_')}{more}"

    def _response(self, status: str, usage: Usage | None) -> dict[str, Any]:
        last = len(self._items) - 1
        return {
            "id": f"resp_{self.request_id.removeprefix('req_')}",
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "model": self.model,
            "output": [item.told(complete=self._is_complete or index < last) for index, item in enumerate(self._items)],
            "previous_response_id": None,
            "store": False,
            **self.echoed,
            "usage": None if usage is None else _usage(usage),
        }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt + usage.completion,
    }
