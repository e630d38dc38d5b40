"""What watches an engine that is ready: its own end, the watchdog, and a question when somebody doubts that it lives.

Begun when an engine becomes ready and ended before it is stopped. Tells why the engine is gone; what follows is not decided here.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

from server.fleet.engine import Cause, Endpoint, Engine, Failure
from server.fleet.timing import Clock, Pause
from server.fleet.watchdog import Watchdog

log = logging.getLogger("troupe.fleet")
T = TypeVar("T")

Ask = Callable[[Endpoint], Awaitable[bool]]
"""Whether an engine answers a health question."""

ASK_AGAIN = 0.25
"""Seconds between two health questions to an engine that is in doubt."""


class Guards:
    """Of one engine. `noticed` is called whenever there may be something new to ask for."""

    def __init__(self, engine: Engine, noticed: Callable[[], None], *, ask: Ask, clock: Clock, pause: Pause, doubt_timeout: float) -> None:
        self._engine = engine
        self._noticed = noticed
        self._ask, self._clock, self._pause = ask, clock, pause
        self._doubt_timeout = doubt_timeout
        self._watching: list[asyncio.Task[Failure]] = [self._task(engine.wait())]
        self._doubt: asyncio.Task[Failure | None] | None = None

    def add(self, watchdog: Watchdog, moved: Callable[[], int]) -> None:
        self._watching.append(self._task(watchdog.watch(self._engine.endpoint, moved)))

    @property
    def doubtful(self) -> bool:
        """Whether it is not known at present if the engine lives."""
        return self._doubt is not None

    def doubt(self) -> None:
        if self._doubt is None:
            self._doubt = self._task(self._find_out())

    def failure(self) -> Failure | None:
        """Why the engine is gone, if it is. A doubt that was answered well ends here."""
        for task in self._watching:
            if task.done():
                return task.result()
        if self._doubt is not None and self._doubt.done():
            failure = self._doubt.result()
            if failure is None:
                self._doubt = None
            return failure
        return None

    async def end(self) -> None:
        tasks = [*self._watching, *([self._doubt] if self._doubt else ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _find_out(self) -> Failure | None:
        """None once it answers; a failure when it did not for too long. If it dies, its own end is known first."""
        began, never = self._clock(), asyncio.Event()
        while not await self._ask(self._engine.endpoint):
            if self._clock() - began >= self._doubt_timeout:
                return Failure(Cause.HUNG, "The engine broke a request off and does not answer any more.")
            await self._pause(never, ASK_AGAIN)
        return None

    def _task(self, guard: Coroutine[None, None, T]) -> "asyncio.Task[T | Failure]":
        task = asyncio.create_task(_whole(guard))
        task.add_done_callback(lambda _: self._noticed())
        return task


async def _whole(guard: Coroutine[None, None, T]) -> T | Failure:
    try:
        return await guard
    except Exception as exc:  # a guard that is gone would never be missed: what it guarded is replaced, and the log says why
        log.exception("What watches the engine broke.")
        return Failure(Cause.CRASHED, f"Watching the engine broke ({type(exc).__name__}); the log says where.")
