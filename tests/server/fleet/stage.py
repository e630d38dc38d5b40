"""A fleet with a scripted engine and a clock that stands still, for the tests beside it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from server.fleet.engine import Cause, Endpoint, EngineState, Failure
from server.fleet.fake import ManualTime, ScriptedEngine
from server.fleet.fleet import Fleet, Lease
from server.fleet.lifecycle import Policy
from server.fleet.watchdog import Watchdog

POLICY = Policy(wake_at_start=False, idle_timeout=300.0, max_waiting=64, backoff=(1.0, 2.0, 5.0), give_up_after=3)


class Healths:
    """What an engine in doubt answers."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer = asyncio.Event()
        self.well = True

    async def __call__(self, endpoint: Endpoint) -> bool:
        self.asked += 1
        await self.answer.wait()
        return self.well


class Hangs(Watchdog):
    """Takes an engine for hung that got nothing to anybody for thirty seconds."""

    def __init__(self, time: ManualTime) -> None:
        super().__init__()
        self._time = time

    async def watch(self, endpoint: Endpoint, moved: Callable[[], int]) -> Failure:
        before = moved()
        await self._time.pause(asyncio.Event(), 30.0)
        if moved() != before:
            await asyncio.Event().wait()
        return Failure(Cause.HUNG, "hung")


class Scene:
    """A fleet with a scripted engine and a clock that stands still."""

    def __init__(self, policy: Policy = POLICY, watchdog: Callable[[ManualTime], Watchdog] | None = None) -> None:
        self.time = ManualTime()
        self.engine = ScriptedEngine()
        self.health = Healths()
        dog = watchdog(self.time) if watchdog else None
        self.fleet = Fleet(self.engine, policy, watchdog=dog, clock=self.time, pause=self.time.pause, ask=self.health)
        self.tasks: list[asyncio.Task[Lease]] = []

    def come(self, *, deadline: float | None = None, stay: float = 0.0) -> "asyncio.Task[Lease]":
        """A caller; its result is its lease, given back after `stay` seconds."""

        async def call() -> Lease:
            async with self.fleet.lease(deadline=deadline) as lease:
                if stay:
                    await self.time.pause(asyncio.Event(), stay)
                return lease

        task = asyncio.create_task(call())
        self.tasks.append(task)
        return task

    def is_in(self, state: EngineState) -> bool:
        return self.fleet.state is state

    @asynccontextmanager
    async def awake(self) -> AsyncIterator[Lease]:
        """A lease on an engine that is ready."""
        stack = AsyncExitStack()
        asked = asyncio.create_task(stack.enter_async_context(self.fleet.lease()))
        await self.time.settle()
        async with stack:
            yield asked.result()


@asynccontextmanager
async def scene(policy: Policy = POLICY, watchdog: Callable[[ManualTime], Watchdog] | None = None) -> AsyncIterator[Scene]:
    made = Scene(policy, watchdog)
    await made.fleet.open()
    await made.time.settle()
    try:
        yield made
    finally:
        await made.fleet.close()
        await asyncio.gather(*made.tasks, return_exceptions=True)
        assert made.engine.broken == []
        assert not made.engine.alive


async def errors_of(*tasks: "Awaitable[Lease]") -> list[BaseException | Lease]:
    return await asyncio.gather(*tasks, return_exceptions=True)
