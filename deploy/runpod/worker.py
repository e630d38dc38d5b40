"""One RunPod worker: one engine, and the jobs that are relayed to it. Knows nothing of the SDK, only its two hooks' shapes."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import aiohttp

from deploy.runpod.protocol import BadJob, Call, WholeEvents, answer, error_body, error_event, parse_job
from server.fleet.errors import FleetError
from server.fleet.fleet import Fleet, Lease

Output = str | dict[str, Any]


class Worker:
    """`concurrency` and `handle` are what `runpod.serverless.start` is given."""

    def __init__(self, fleet: Fleet, *, concurrency: int, start_timeout: float, stall_timeout: float) -> None:
        self._fleet = fleet
        self._concurrency = concurrency
        self._start_timeout = start_timeout
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=stall_timeout)
        self._opening: asyncio.Task[None] | None = None

    def concurrency(self, current: int) -> int:
        """How many jobs to hold. The SDK asks in its loop before it fetches the first job: the earliest moment to start the engine."""
        self._opened()
        return self._concurrency

    async def handle(self, job: dict[str, Any]) -> AsyncGenerator[Output, None]:
        """The answer to one job (see `protocol`). Cancelled, it closes its request, and the engine stops generating."""
        try:
            call = parse_job(job.get("input"))
            await asyncio.shield(self._opened())
            async with self._fleet.lease(deadline=self._start_timeout) as lease, aclosing(self._answer(lease, call)) as outputs:
                async for output in outputs:
                    yield output
        except BadJob as exc:
            yield exc.answer
        except FleetError as exc:
            yield answer(503, error_body(str(exc), "server_error", code="engine_unavailable"))

    def _opened(self) -> "asyncio.Task[None]":
        """The fleet, from the first call on; it keeps its engine running."""
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._fleet.open())
        return self._opening

    async def _answer(self, lease: Lease, call: Call) -> AsyncGenerator[Output, None]:
        begun = False
        try:
            async with aclosing(self._relay(lease, call)) as outputs:
                async for output in outputs:
                    begun = True
                    yield output
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            lease.lost()
            message = f"The engine failed during this request ({type(exc).__name__})."
            yield error_event(message) if begun else answer(502, error_body(message, "server_error", code="engine_failed"))

    async def _relay(self, lease: Lease, call: Call) -> AsyncGenerator[Output, None]:
        endpoint = lease.endpoint
        connector = aiohttp.UnixConnector(path=str(endpoint.socket)) if endpoint.socket else None
        headers = {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
        url = endpoint.base_url + call.route
        # A session per job: a connection is never reused, so closing it is always what tells the engine to stop.
        async with aiohttp.ClientSession(connector=connector, timeout=self._timeout, headers=headers) as session:
            method = "GET" if call.body is None else "POST"
            async with session.request(method, url, json=call.body) as response:
                if response.status == 200 and call.is_stream:
                    async with aclosing(_pieces(response, lease.progressed)) as pieces:
                        async for piece in pieces:
                            yield piece
                else:
                    yield answer(response.status, _json_or_error(await response.read()))


async def _pieces(response: aiohttp.ClientResponse, progressed: Callable[[], None]) -> AsyncGenerator[str, None]:
    """The stream in whole events; whatever arrived while the last piece was being sent leaves together."""
    events = WholeEvents()
    async for chunk in response.content.iter_any():
        progressed()
        if piece := events.feed(chunk):
            yield piece
    if not events.is_done:
        raise aiohttp.ClientPayloadError("the stream ended without saying so")


def _json_or_error(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:
        return error_body("The engine's answer was not JSON.", "server_error", code="engine_failed")
