"""Whether an engine still makes tokens: the only sign of life that counts, for an engine whose core is frozen answers `/health`.

Bytes that callers get are the cheapest proof. Without them one small probe is asked for, and the engine's own counters are looked at.
Knows vLLM's routes and metric names; nothing of what to do with an engine that hangs.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable

import aiohttp

from server.fleet.engine import Cause, Endpoint, Failure
from server.fleet.health import session_for
from server.fleet.timing import Clock, Pause, pause_for

PROBE = {"model": "base", "prompt": "hi", "max_tokens": 1}
_COUNTERS = re.compile(r"^vllm:(?:generation|prompt)_tokens_total(?:\{[^}]*\})?\s+(\S+)", re.MULTILINE)
"""vllm/v1/metrics/loggers.py; prometheus_client adds `_total`."""


class Watchdog:
    """Looks every `beat` seconds; without progress for `hang_timeout` the engine is hung."""

    def __init__(
        self, *, hang_timeout: float = 30.0, beat: float | None = None, clock: Clock = time.monotonic, pause: Pause = pause_for
    ) -> None:
        self._hang_timeout = hang_timeout
        self._beat = min(5.0, hang_timeout / 4) if beat is None else beat
        self._clock, self._pause = clock, pause

    async def watch(self, endpoint: Endpoint, moved: Callable[[], int]) -> Failure:
        """Returns when the engine hangs. `moved` counts what callers got of it: only whether it changes is looked at."""
        never = asyncio.Event()
        silent, last = 0.0, moved()
        counted: float | None = None
        async with session_for(endpoint, timeout=None) as session:
            probe: asyncio.Task[bool] | None = None
            looking: asyncio.Task[float | None] | None = None
            try:
                while silent < self._hang_timeout:
                    began = self._clock()
                    await self._pause(never, self._beat)
                    # A pause that took long says that we ourselves were stopped: that time is not held against the engine.
                    silent += min(self._clock() - began, 2 * self._beat)
                    if last != (last := moved()):
                        silent = 0.0
                        continue
                    if probe is not None and probe.done():
                        silent = 0.0 if probe.result() else silent
                        probe = None
                    if looking is not None and looking.done():
                        before, counted = counted, looking.result() or counted
                        silent = 0.0 if before is not None and counted != before else silent
                        looking = None
                    probe = probe or asyncio.create_task(_probe(session, endpoint))
                    looking = looking or asyncio.create_task(_counters(session, endpoint))
            finally:
                for task in (probe, looking):
                    if task is not None:
                        task.cancel()
                        with contextlib.suppress(asyncio.CancelledError):
                            await task
        return Failure(Cause.HUNG, f"The engine made no token for {self._hang_timeout:g} s, though it was asked for one.")


async def _probe(session: aiohttp.ClientSession, endpoint: Endpoint) -> bool:
    """True if a token came, or if a token cannot be had this way: then nothing is known, and nothing is held against the engine."""
    try:
        async with session.post(endpoint.base_url.rstrip("/") + "/v1/completions", json=PROBE) as answer:
            await answer.read()
            return answer.status < 500
    except (aiohttp.ClientError, OSError):
        return False


async def _counters(session: aiohttp.ClientSession, endpoint: Endpoint) -> float | None:
    """All tokens read and made so far; None if it does not say."""
    try:
        async with session.get(endpoint.base_url.rstrip("/") + "/metrics") as answer:
            found = _COUNTERS.findall(await answer.text())
        return sum(map(float, found)) if found else None
    except (aiohttp.ClientError, OSError, ValueError):
        return None
