"""The outermost layer: every request gets an id, one log line and, whatever goes wrong, an answer in its API's shape."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from server.gateway.apis.error_shape import OPENAI_ERRORS, ErrorShape
from server.gateway.body import CallerGone
from server.gateway.errors import WENT_WRONG, GatewayError, HeadTooLarge, InternalError, Stopping
from server.gateway.metrics import Metrics
from server.gateway.record import CALLER_GONE, SCOPE_KEY, Record
from server.gateway.reply import CallerStalled, Message, Receive, Reply, Scope, Send

log = logging.getLogger("troupe.gateway")

_PROBES = ("/health/", "/metrics")
"""Asked every few seconds by machines: their lines would drown the others. Prometheus counts them."""

AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class Front:
    """Sends the paths in `direct` to their own applications and everything else to `rest`. `errors`: path → shape; OpenAI's elsewhere."""

    def __init__(
        self, direct: Mapping[str, AsgiApp], rest: AsgiApp, *, errors: Mapping[str, ErrorShape], metrics: Metrics, max_head_bytes: int
    ) -> None:
        self._direct = direct
        self._rest = rest
        self._errors = errors
        self._metrics = metrics
        self._max_head_bytes = max_head_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        record = Record(scope["method"], scope["path"])
        scope[SCOPE_KEY] = record

        async def tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                message["headers"] = [*message.get("headers", ()), *record.headers()]
            await send(message)

        self._metrics.begin()
        try:
            await self._answer(scope, receive, tagged, record)
        finally:
            self._metrics.end(record)
            if not record.path.startswith(_PROBES):
                log.info("request", extra={"fields": record.fields()})
            if record.words is not None:
                log.info("words", extra={"fields": {"request": record.request_id, "community": record.community, **record.words()}})

    async def _answer(self, scope: Scope, receive: Receive, send: Send, record: Record) -> None:
        try:
            if sum(len(name) + len(value) for name, value in scope["headers"]) > self._max_head_bytes:
                raise HeadTooLarge(f"The headers may have at most {self._max_head_bytes} bytes.")
            await self._direct.get(scope["path"], self._rest)(scope, receive, send)
        except CallerGone:
            record.error = CALLER_GONE
        except CallerStalled:
            record.error = "caller_stalled"
        except asyncio.CancelledError:  # the server stops: what is left of the time goes to saying so, and this task ends as it should
            await self._fail(Stopping(), send, record)
        except GatewayError as error:
            await self._fail(error, send, record)
        except Exception:  # our bug: the caller gets a 500 and the id, the log gets the rest
            log.exception("request failed", extra={"fields": {"request": record.request_id}})
            await self._fail(InternalError(WENT_WRONG), send, record)

    async def _fail(self, error: GatewayError, send: Send, record: Record) -> None:
        record.error = error.code
        if record.status == 0:  # once a status is out, the server can only close the connection
            await Reply(send, write_timeout=5.0, errors=self._errors.get(record.path, OPENAI_ERRORS)).fail(error)
