"""The one way out to Discord: every HTTP call of discord.py passes here, whichever part of the library makes it.

`discord.Client` takes a connector and a trace, and hands both to the one session that it makes all its calls with: messages, edits,
interactions, follow-ups and webhooks alike. The connector asks the breaker before a call and has the guard rewrite its body; the trace
tells the breaker how it went. The gateway's websocket opens through the same connector and is left alone.
"""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from clients.discord_bot.breaker import Breaker
from clients.discord_bot.errors import Silenced, Unsendable
from clients.discord_bot.outgoing import Outgoing

_SOCKETS = frozenset({"ws", "wss"})


class Wire(aiohttp.TCPConnector):
    """Make it inside a running loop and give it to one client: `discord.Client(connector=wire, http_trace=wire.trace())`.

    A call that is held back raises Silenced or Unsendable where it was made.
    """

    def __init__(self, breaker: Breaker, outgoing: Outgoing) -> None:
        super().__init__(limit=0)
        self._breaker = breaker
        self._outgoing = outgoing

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout) -> Connection:
        if req.url.scheme not in _SOCKETS:
            await self._guard(req)
            await self._admit(req)
        return await super().connect(req, traces, timeout)

    def trace(self) -> aiohttp.TraceConfig:
        """What tells the breaker how calls went."""
        config = aiohttp.TraceConfig()
        config.on_request_end.append(self._ended)
        config.on_request_exception.append(self._failed)
        return config

    async def _admit(self, req: ClientRequest) -> None:
        while True:
            verdict = self._breaker.begin(asyncio.current_task(), req.method, req.url.path, time.monotonic())
            if verdict.refusal is not None:
                raise Silenced(verdict.refusal, verdict.wait_s)
            if not verdict.wait_s:
                return
            await asyncio.sleep(verdict.wait_s)

    async def _guard(self, req: ClientRequest) -> None:
        if not req.body:
            return
        if req.headers.get("content-type") != "application/json":
            raise Unsendable("A form or a file was not sent to Discord: the bot sends texts only.")
        body = await req.body.as_bytes()
        await req.update_body(self._outgoing.guarded(body))

    async def _ended(self, _session: aiohttp.ClientSession, _context: SimpleNamespace, ended: aiohttp.TraceRequestEndParams) -> None:
        headers = ended.response.headers
        self._end(
            ended,
            status=ended.response.status,
            scope=headers.get("x-ratelimit-scope", ""),
            retry_after=_seconds(headers.get("retry-after")),
        )

    async def _failed(
        self, _session: aiohttp.ClientSession, _context: SimpleNamespace, failed: aiohttp.TraceRequestExceptionParams
    ) -> None:
        self._end(failed, status=None)

    def _end(self, call: aiohttp.TraceRequestEndParams | aiohttp.TraceRequestExceptionParams, **how: Any) -> None:
        if call.url.scheme in _SOCKETS:
            return
        # A task makes one call at a time, also where the connector is asked twice for it because a kept connection was closed.
        self._breaker.end(asyncio.current_task(), call.method, call.url.path, time.monotonic(), **how)


def _seconds(written: str | None) -> float | None:
    try:
        return None if written is None else max(0.0, float(written))
    except ValueError:
        return None
