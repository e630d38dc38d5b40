"""One response on its way to one caller: started at most once, ended at most once, never waiting for ever.

After the start its status is spent: from then on an error can only be the last event of a stream.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from server.gateway.apis.error_shape import OPENAI_ERRORS, ErrorShape
from server.gateway.errors import GatewayError
from server.gateway.patience import Patience

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

    def __init__(self, send: Send, *, write_timeout: float, errors: ErrorShape = OPENAI_ERRORS) -> None:
        self._send = send
        self._errors = errors
        self._patience = Patience(write_timeout)
        self._turns = asyncio.Lock()
        """Comments come from another task than answers: neither may overtake the other's start."""
        self.started = False
        self.answered = False
        """Whether anything but comments was sent: nothing of this can be taken back."""
        self.ended = False
        self.body: bytes | None = None
        """Of an answer that was sent whole."""

    async def start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        async with self._turns:
            await self._start(status, headers)

    async def comment(self, text: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """A comment within an event stream, which it begins if nothing did. Raises CallerStalled."""
        async with self._turns:
            if not self.started:
                await self._start(200, headers)
            if not self.ended:
                await self._write({"type": "http.response.body", "body": text, "more_body": True})

    async def write(self, data: bytes) -> None:
        """Raises CallerStalled."""
        self.answered = True
        async with self._turns:
            await self._write({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        """Raises CallerStalled."""
        self.answered = self.ended = True
        async with self._turns:
            await self._write({"type": "http.response.body", "body": data, "more_body": False})

    async def whole(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        self.body = body
        await self.start(status, (*headers, (b"content-length", str(len(body)).encode())))
        await self.end(body)

    async def fail(self, error: GatewayError) -> None:
        """Tell the caller, in the way that is left."""
        if not self.started:
            await self.whole(error.status, error.response_headers(), self._errors.encoded(error))
        elif not self.ended:
            await self.end(self._errors.event(error))

    async def _start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": list(headers)})

    async def _write(self, message: Message) -> None:
        try:
            with self._patience:
                await self._send(message)
        except TimeoutError as exc:
            raise CallerStalled from exc
        finally:
            if self.ended:
                self._patience.close()
