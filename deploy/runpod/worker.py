"""One RunPod worker: one engine, and the jobs that are relayed to it. Knows nothing of the SDK, only its two hooks' shapes."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import aiohttp

from deploy.runpod.protocol import BadJob, Call, WholeEvents, answer, error_body, error_event, parse_job
from server.fleet.engine import Endpoint, Engine, EngineState

Output = str | dict[str, Any]


class EngineGone(Exception):
    """The engine is not there, or will not be in time; the message is for the caller."""


class Worker:
    """`concurrency` and `handle` are what `runpod.serverless.start` is given."""

    def __init__(self, engine: Engine, *, concurrency: int, start_timeout: float, stall_timeout: float, poll: float = 0.1) -> None:
        self._engine = engine
        self._concurrency = concurrency
        self._start_timeout = start_timeout
        self._poll = poll
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=stall_timeout)
        self._starting: asyncio.Task[None] | None = None

    def concurrency(self, current: int) -> int:
        """How many jobs to hold. The SDK asks in its loop before it fetches the first job: the earliest moment to start the engine."""
        self._start_engine()
        return self._concurrency

    async def handle(self, job: dict[str, Any]) -> AsyncGenerator[Output, None]:
        """The answer to one job (see `protocol`). Cancelled, it closes its request, and the engine stops generating."""
        try:
            call = parse_job(job.get("input"))
            endpoint = await self._ready_engine()
        except BadJob as exc:
            yield exc.answer
            return
        except EngineGone as exc:
            yield answer(503, error_body(str(exc), "server_error", code="engine_unavailable"))
            return
        begun = False
        try:
            async with aclosing(self._relay(endpoint, call)) as outputs:
                async for output in outputs:
                    begun = True
                    yield output
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            message = f"The engine failed during this request ({type(exc).__name__})."
            yield error_event(message) if begun else answer(502, error_body(message, "server_error", code="engine_failed"))

    def _start_engine(self) -> None:
        if self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self._engine.start())

    async def _ready_engine(self) -> Endpoint:
        self._start_engine()
        deadline = asyncio.get_running_loop().time() + self._start_timeout
        while self._engine.state is not EngineState.READY:
            if self._engine.state is EngineState.FAILED:
                raise EngineGone(self._engine.failure or "The engine failed.")
            if asyncio.get_running_loop().time() > deadline:
                raise EngineGone(f"The engine was not ready within {self._start_timeout:g} s.")
            await asyncio.sleep(self._poll)
        return self._engine.endpoint

    async def _relay(self, endpoint: Endpoint, call: Call) -> AsyncGenerator[Output, None]:
        connector = aiohttp.UnixConnector(path=str(endpoint.socket)) if endpoint.socket else None
        headers = {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
        url = endpoint.base_url + call.route
        # A session per job: a connection is never reused, so closing it is always what tells the engine to stop.
        async with aiohttp.ClientSession(connector=connector, timeout=self._timeout, headers=headers) as session:
            method = "GET" if call.body is None else "POST"
            async with session.request(method, url, json=call.body) as response:
                if response.status == 200 and call.is_stream:
                    async with aclosing(_pieces(response)) as pieces:
                        async for piece in pieces:
                            yield piece
                else:
                    yield answer(response.status, _json_or_error(await response.read()))


async def _pieces(response: aiohttp.ClientResponse) -> AsyncGenerator[str, None]:
    """The stream in whole events; whatever arrived while the last piece was being sent leaves together."""
    events = WholeEvents()
    async for chunk in response.content.iter_any():
        if piece := events.feed(chunk):
            yield piece
    if not events.is_done:
        raise aiohttp.ClientPayloadError("the stream ended without saying so")


def _json_or_error(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:
        return error_body("The engine's answer was not JSON.", "server_error", code="engine_failed")
