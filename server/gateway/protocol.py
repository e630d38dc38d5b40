"""The HTTP server's own limits, below ASGI: heads that never end, lines that are no HTTP, connections that bring nothing."""

import asyncio
import logging
import re
from typing import Any
from uuid import uuid4

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from server.gateway.errors import GatewayError, HeadTooLarge, InvalidRequest, RequestTimedOut
from server.gateway.settings import GatewaySettings

log = logging.getLogger("troupe.gateway")

FLUSH_SECONDS = 2
"""What callers have to read on, once all is said and the server goes."""
LINGER_SECONDS = 1.0
"""How long a refused connection is read on, and what comes thrown away: closed on while still sending, a caller never sees the refusal."""


_UPGRADE = re.compile(rb"(?<=\r\n)upgrade(?=[ \t]*:)", re.IGNORECASE)


def _without_upgrade(data: bytes) -> bytes:
    """The bytes of a request, its head no longer asking for another protocol.

    A server may ignore that wish; httptools would stop before the body instead. Bodies are left as they are.
    """
    head, blank, body = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"x-ignored-upgrade", head) + blank + body


def server_config(app: Any, settings: GatewaySettings) -> uvicorn.Config:
    """How to serve `app`, for `server.Server`, which has drained it before uvicorn is told to end."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=bounded_protocol(settings),
        ws="none",
        lifespan="on",
        access_log=False,  # the application writes its own line
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=settings.keep_alive_timeout,
        timeout_graceful_shutdown=FLUSH_SECONDS,
    )


def bounded_protocol(settings: GatewaySettings) -> type[HttpToolsProtocol]:
    """uvicorn makes one instance for each connection, and hands it nothing of ours: so the bounds travel in a class."""

    class Configured(BoundedProtocol):
        max_head_bytes = settings.max_head_bytes
        head_timeout = settings.body_timeout

    return Configured


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with a bound on the size and the time of a request's head, and with OpenAI's shape for its refusals."""

    max_head_bytes: int
    head_timeout: float
    """Seconds."""

    _head_bytes = 0
    _in_head = True
    _awaits_head = True
    """No byte of a body is due: what comes next belongs to a head."""
    _head_timer: asyncio.TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._overtaken: list[RequestResponseCycle] = []
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_arrived()
        for cycle in self._overtaken:  # uvicorn tells the last request only
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_head()

    def on_message_complete(self) -> None:
        self._awaits_head = True
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        self._awaits_head = False
        self._head_arrived()
        if self._is_answering():
            self._overtaken.append(self.cycle)
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        self._overtaken = [cycle for cycle in self._overtaken if not cycle.response_complete]
        super().on_response_complete()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(_without_upgrade(data) if self._awaits_head else data)
        if self._in_head and self._head_timer is not None:
            self._head_bytes += len(data)
            if self._head_bytes > self.max_head_bytes:
                self._refuse(HeadTooLarge(f"The headers may have at most {self.max_head_bytes} bytes."))
        if self._is_idle():  # uvicorn takes whatever comes for a next request, and forgets its timer
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def send_400_response(self, msg: str) -> None:
        self._refuse(InvalidRequest("This is not a valid HTTP request."))

    def _await_head(self) -> None:
        self._head_arrived()
        self._in_head = True
        self._head_bytes = 0
        late = RequestTimedOut(f"The headers did not arrive within {self.head_timeout:g} seconds.")
        self._head_timer = self.loop.call_later(self.head_timeout, self._refuse, late)

    def _head_arrived(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _is_idle(self) -> bool:
        """Whether nothing is due from us, and nothing else would ever end the connection."""
        is_timed = self._head_timer is not None or self.timeout_keep_alive_task is not None
        return not (is_timed or self._refused or self._is_answering() or self.transport.is_closing())

    def _refuse(self, error: GatewayError) -> None:
        """Say so and close: half at once, and the rest when the caller has had time to read it."""
        self._head_arrived()
        self._refused = True
        if self.transport.is_closing():
            return
        if self._is_answering() and self.cycle.response_started:
            self.transport.close()  # a second answer in the middle of the first would be read as part of it
            return
        body, request_id = error.encoded(), f"req_{uuid4().hex}"
        log.info("request", extra={"fields": {"request": request_id, "status": error.status, "error": error.code}})
        fields = (
            *(field for field in error.response_headers() if field[0] != b"connection"),
            (b"connection", b"close"),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", request_id.encode()),
        )
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
        self.transport.write(STATUS_LINE[error.status] + lines + b"\r\n" + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)
