"""One response on its way to one caller: started at most once, ended at most once, never waiting for ever.

After the start its status is spent: from then on an error can only be the last event of a stream.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from server.gateway.errors import GatewayError

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
Scope = MutableMapping[str, Any]

EVENT_STREAM = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # nginx would collect the events otherwise
)


class CallerStalled(Exception):
    """The caller leaves what was sent unread."""


class Reply:
    """`send` of ASGI, with the state that ASGI keeps to itself."""

    def __init__(self, send: Send, *, write_timeout: float) -> None:
        self._send = send
        self._write_timeout = write_timeout
        self.started = False
        self.ended = False

    async def start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": list(headers)})

    async def write(self, data: bytes) -> None:
        """Raises CallerStalled."""
        await self._write({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        """Raises CallerStalled."""
        self.ended = True
        await self._write({"type": "http.response.body", "body": data, "more_body": False})

    async def whole(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        await self.start(status, (*headers, (b"content-length", str(len(body)).encode())))
        await self.end(body)

    async def fail(self, error: GatewayError) -> None:
        """Tell the caller, in the way that is left."""
        if not self.started:
            await self.whole(error.status, error.response_headers(), error.encoded())
        elif not self.ended:
            await self.end(error.event())

    async def _write(self, message: Message) -> None:
        try:
            async with asyncio.timeout(self._write_timeout):
                await self._send(message)
        except TimeoutError as exc:
            raise CallerStalled from exc
