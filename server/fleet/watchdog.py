"""Whether an engine still makes tokens: the only sign of life that counts, for an engine whose core is frozen answers `/health`.

Bytes that callers get are the cheapest proof. Without them one small probe is asked for, and the engine's own counters are looked at.
Knows vLLM's routes and metric names; nothing of what to do with an engine that hangs.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import aiohttp

from server.fleet.engine import Cause, Endpoint, Failure
from server.fleet.health import session_for
from server.fleet.timing import Clock, Pause, pause_for

PROBE = {"model": "base", "prompt": "hi", "max_tokens": 1}
_COUNTERS = re.compile(r"^vllm:(?:generation|prompt)_tokens_total(?:\{[^}]*\})?\s+(\S+)", re.MULTILINE)
"""vllm/v1/metrics/loggers.py; prometheus_client adds `_total`."""


class Signs(Protocol):
    """Proofs of life that have to be asked for."""

    def ask(self) -> None:
        """Ask, unless an earlier question is still open. Returns at once."""
        ...

    def seen(self) -> bool:
        """Whether a token was proved since the last call."""
        ...


class EngineSigns:
    """`Signs` of an engine that speaks vLLM's API: at most one probe and one look at the counters at a time."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session, self._base_url = session, base_url.rstrip("/")
        self._probe: asyncio.Task[bool] | None = None
        self._look: asyncio.Task[float | None] | None = None
        self._counted: float | None = None

    def ask(self) -> None:
        self._probe = self._probe or asyncio.create_task(self._generate())
        self._look = self._look or asyncio.create_task(self._count())

    def seen(self) -> bool:
        seen = False
        if self._probe is not None and self._probe.done():
            seen, self._probe = self._probe.result(), None
        if self._look is not None and self._look.done():
            now, self._look = self._look.result(), None
            if now is not None:
                seen = seen or (self._counted is not None and now != self._counted)
                self._counted = now
        return seen

    async def end(self) -> None:
        tasks = [task for task in (self._probe, self._look) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _generate(self) -> bool:
        """True if a token came, or if none can be had this way (a refusal): then nothing is held against the engine."""
        try:
            async with self._session.post(self._base_url + "/v1/completions", json=PROBE) as answer:
                await answer.read()
                return answer.status < 500
        except (aiohttp.ClientError, OSError):
            return False

    async def _count(self) -> float | None:
        """All tokens read and made so far; None if it does not say."""
        try:
            async with self._session.get(self._base_url + "/metrics") as answer:
                found = _COUNTERS.findall(await answer.text())
            return sum(map(float, found)) if found else None
        except (aiohttp.ClientError, OSError, ValueError):
            return None


@contextlib.asynccontextmanager
async def engine_signs(endpoint: Endpoint) -> AsyncIterator[Signs]:
    async with session_for(endpoint, timeout=None) as session:
        signs = EngineSigns(session, endpoint.base_url)
        try:
            yield signs
        finally:
            await signs.end()


class Watchdog:
    """Looks every `beat` seconds; without progress for `hang_timeout` the engine is hung."""

    def __init__(
        self,
        *,
        hang_timeout: float = 30.0,
        beat: float = 5.0,
        clock: Clock = time.monotonic,
        pause: Pause = pause_for,
        signs: Callable[[Endpoint], AbstractAsyncContextManager[Signs]] = engine_signs,
    ) -> None:
        self._hang_timeout = hang_timeout
        self._beat = min(beat, hang_timeout / 4)
        self._clock, self._pause, self._signs = clock, pause, signs

    async def watch(self, endpoint: Endpoint, moved: Callable[[], int]) -> Failure:
        """Returns when the engine hangs. `moved` counts what callers got of it: only whether it changes is looked at."""
        never = asyncio.Event()
        silence, last = 0.0, moved()
        async with self._signs(endpoint) as signs:
            while silence < self._hang_timeout:
                began = self._clock()
                await self._pause(never, self._beat)
                # A pause that took long says that we were stopped ourselves: that time is not held against the engine.
                passed = min(self._clock() - began, 2 * self._beat)
                proved, flowed = signs.seen(), last != (last := moved())
                silence = 0.0 if proved or flowed else silence + passed
                if silence:
                    signs.ask()
        return Failure(Cause.HUNG, f"The engine made no token for {self._hang_timeout:g} s, though it was asked for one.")
