"""ASGI middleware: tells which model each request is for, from its first byte to the end of its answer.

Reads the body to find the model in it and hands the same bytes on. The answer, and the news that a client has gone, pass untouched.
Knows nothing of adapters and nothing of vLLM.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractContextManager
from typing import Any

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 64 << 20
"""Whoever reaches the engine without its key must not fill its memory either. The gateway's own limit is far lower."""


class InFlight:
    """Runs `app` inside `using(model, scope)`, for each request whose body is a JSON object with a model."""

    def __init__(self, app: App, using: Callable[[str, Scope], AbstractContextManager[None]]) -> None:
        self._app = app
        self._using = using

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        parts, size, last = [], 0, await receive()
        while last["type"] == "http.request":
            parts.append(last.get("body", b""))
            size += len(parts[-1])
            if size > MAX_BODY_BYTES:
                await _refuse(send)
                return
            if not last.get("more_body", False):
                break
            last = await receive()
        body = b"".join(parts)
        # What the client sent is one message now; a client that went away while it sent is told as such.
        waiting = [{**last, "body": body}] if last["type"] == "http.request" else [last]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        model = model_in(body)
        if model is None:
            await self._app(scope, replay, send)
            return
        with self._using(model, scope):
            await self._app(scope, replay, send)


def model_in(body: bytes) -> str | None:
    """The model that a request's body names, read as vLLM reads it: of several, the last."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    model = content.get("model") if isinstance(content, dict) else None
    return model if isinstance(model, str) else None


async def _refuse(send: Send) -> None:
    body = json.dumps({"error": {"message": f"The body may have at most {MAX_BODY_BYTES} bytes.", "code": 413}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
