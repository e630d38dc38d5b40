"""Gives engines to callers: one loop that looks, decides by `lifecycle.step` and acts, and leases that keep the engine where it is.

Everything that decides who has an engine happens in one turn of the event loop: a lease that is given counts before the next decision is
made, so no engine is stopped under a caller. Knows nothing of HTTP, of processes or of what callers ask.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import TypeVar

from server.fleet import lifecycle
from server.fleet.engine import Cause, Endpoint, Engine, EngineDown, EngineState, Failure
from server.fleet.errors import DeadlinePassed, EngineAsleep, FleetError, QueueFull, Stopping, WakeFailed
from server.fleet.health import healthy
from server.fleet.lifecycle import Action, Condition, Distrusted, Gone, NotStarted, Policy, Report, Seen, Started, Stopped
from server.fleet.timing import Clock, Pause, pause_for
from server.fleet.watchdog import Watchdog

log = logging.getLogger("troupe.fleet")
T = TypeVar("T")

USUAL_WAKE = 10.0
"""Seconds that a wake is taken to need before there was one."""
ASK_AGAIN = 0.25
"""Seconds between two health questions to an engine that is in doubt."""


class Lease:
    """One caller's hold on an engine. While it lasts, the engine is not stopped unless it is lost anyway."""

    def __init__(self, fleet: "Fleet", endpoint: Endpoint, epoch: int, *, counts: bool, waited: float, woke: bool) -> None:
        self._fleet = fleet
        self.endpoint = endpoint
        self.epoch = epoch
        """Which engine: each start has its own."""
        self.counts = counts
        self.waited = waited
        """Seconds in the queue."""
        self.woke = woke
        """Whether no engine was ready when its holder came."""

    def progressed(self) -> None:
        """Bytes came from the engine: it lives."""
        self._fleet.progressed(self.epoch)

    def lost(self) -> None:
        """The engine broke this request off: later leases wait until it is known whether it still lives."""
        self._fleet.doubt(self.epoch)

    def distrust(self) -> None:
        """What the engine computed were no numbers: have it replaced when its requests in flight are done."""
        self._fleet.distrust(self.epoch)


@dataclass(eq=False)
class _Waiter:
    given: "asyncio.Future[Lease]"
    came: float
    deadline: float | None
    woke: bool


@dataclass
class _Guards:
    """What watches an engine that is ready."""

    wait: "asyncio.Task[Failure]"
    watchdog: "asyncio.Task[Failure] | None" = None
    doubt: "asyncio.Task[Failure | None] | None" = None

    def tasks(self) -> "list[asyncio.Task[Failure] | asyncio.Task[Failure | None]]":
        return [task for task in (self.wait, self.watchdog, self.doubt) if task is not None]


@dataclass
class Tally:
    """What happened so far, for metrics."""

    wakes: int = 0
    failed_wakes: int = 0
    last_wake_seconds: float | None = None
    began: float = field(default=0.0, repr=False)


class Fleet:
    """One engine, for many callers. To be used in one event loop, between `open` and `close`."""

    def __init__(
        self,
        engine: Engine,
        policy: Policy,
        *,
        watchdog: Watchdog | None = None,
        clock: Clock = time.monotonic,
        pause: Pause = pause_for,
        ask: Callable[[Endpoint], Awaitable[bool]] = healthy,
    ) -> None:
        """`ask`: whether an engine in doubt answers a health question. `clock` and `pause` belong together."""
        self._engine = engine
        self._policy = policy
        self._watchdog = watchdog
        self._clock, self._pause, self._ask = clock, pause, ask
        self._condition = Condition()
        self._tally = Tally()
        self._stopping = False
        self._news, self._change = asyncio.Event(), asyncio.Event()
        self._waiters: dict[_Waiter, None] = {}
        self._held: Counter[int] = Counter()
        self._counting = 0
        self._epoch = self._moved = 0
        self._last_activity: float | None = None
        self._distrusted = False
        self._work: asyncio.Task[Report] | None = None
        self._guards: _Guards | None = None
        self._loop: asyncio.Task[None] | None = None

    # What others may see

    @property
    def state(self) -> EngineState:
        return self._condition.state

    @property
    def failure(self) -> Failure | None:
        """Why there is no engine, for the operator; None while nothing is wrong."""
        return self._condition.failure

    @property
    def stopping(self) -> bool:
        return self._stopping

    @property
    def waiting(self) -> int:
        return len(self._waiters)

    @property
    def in_flight(self) -> int:
        return self._held.total()

    @property
    def wakes(self) -> int:
        """Engines that became ready."""
        return self._tally.wakes

    @property
    def failed_wakes(self) -> int:
        return self._tally.failed_wakes

    @property
    def last_wake_seconds(self) -> float | None:
        return self._tally.last_wake_seconds

    @property
    def idle_seconds(self) -> float | None:
        """Since the last request ended; None while there is one, and before the first."""
        if self._waiters or self._counting or self._last_activity is None:
            return None
        return self._clock() - self._last_activity

    async def wait_for_change(self) -> None:
        """Returns at the next change of state."""
        await self._change.wait()

    # Life

    async def open(self) -> None:
        await self._engine.open()
        if self._policy.wake_at_start:
            self._last_activity = self._clock()
        self._loop = asyncio.create_task(self._run())

    def begin_stop(self) -> None:
        """No new leases: whoever asks or waits is told Stopping. Leases that are held go on."""
        self._stopping = True
        self._tell(lambda waiter: Stopping())
        self._news.set()

    async def close(self) -> None:
        """End everything, leases in flight included: the engine goes away under them."""
        self.begin_stop()
        loop, self._loop = self._loop, None
        try:
            if loop is not None:
                loop.cancel()
                await asyncio.gather(loop, return_exceptions=True)
            await self._let_go()
        finally:
            await self._engine.close()
            self._become(Condition())

    # Callers

    def wake(self) -> None:
        """Demand without a caller: somebody will soon ask. Returns at once."""
        if not self._stopping:
            self._last_activity = self._clock()
            self._news.set()

    @contextlib.asynccontextmanager
    async def lease(self, *, deadline: float | None = None, counts: bool = True) -> AsyncIterator[Lease]:
        """Hold an engine, waking it if need be. Raises FleetError.

        `deadline`: seconds from now that the caller will wait at most. `counts=False` is for our own errands: they wake nobody (but raise
        EngineAsleep at once), and are no reason to stay awake.
        """
        lease = self._lease_now(counts) or await self._lease_later(deadline)
        try:
            yield lease
        finally:
            self._give_back(lease)

    def _lease_now(self, counts: bool) -> Lease | None:
        if self._stopping:
            raise Stopping
        if self._available():
            return self._give(self._clock(), counts=counts)
        if not counts:
            raise EngineAsleep
        return None

    async def _lease_later(self, deadline: float | None) -> Lease:
        now = self._clock()
        until = None if deadline is None else now + deadline
        if lifecycle.hopeless(self._condition, self._policy, now=now, deadline=until):
            raise self._hopeless(now)
        if len(self._waiters) >= self._policy.max_waiting:
            raise QueueFull(retry_after=self._expected(now))
        waiter = _Waiter(asyncio.get_running_loop().create_future(), now, until, woke=self.state is not EngineState.READY)
        self._waiters[waiter] = None
        self._last_activity = now
        self._news.set()
        try:
            return await waiter.given
        except asyncio.CancelledError:
            # Cancelled in the very turn in which it was given something.
            if waiter.given.done() and not waiter.given.cancelled() and waiter.given.exception() is None:
                self._give_back(waiter.given.result())
            raise
        finally:
            self._waiters.pop(waiter, None)

    def _available(self) -> bool:
        return self._condition.state is EngineState.READY and self._guards is not None and self._guards.doubt is None

    def _give(self, now: float, *, counts: bool = True, waited: float = 0.0, woke: bool = False) -> Lease:
        self._held[self._epoch] += 1
        if counts:
            self._counting += 1
            self._last_activity = now
        return Lease(self, self._engine.endpoint, self._epoch, counts=counts, waited=waited, woke=woke)

    def _give_back(self, lease: Lease) -> None:
        self._held[lease.epoch] -= 1
        if lease.counts:
            self._counting -= 1
            self._last_activity = self._clock()
        if not self._held[lease.epoch]:
            del self._held[lease.epoch]
            self._news.set()

    # What leases tell

    def progressed(self, epoch: int) -> None:
        if epoch == self._epoch:
            self._moved += 1

    def doubt(self, epoch: int) -> None:
        if epoch == self._epoch and self._available() and self._guards is not None:
            self._guards.doubt = self._task(_guarded(self._find_out()))

    def distrust(self, epoch: int) -> None:
        if epoch == self._epoch and self.state is EngineState.READY:
            self._distrusted = True
            self._news.set()

    # The loop

    async def _run(self) -> None:
        try:
            while True:
                self._news.clear()
                look = self._advance()
                await self._pause(self._news, None if look is None else look - self._clock())
        finally:
            self.begin_stop()  # also if it ends by a bug of ours: nobody may wait for a loop that is not there

    def _advance(self) -> float | None:
        """Take in what happened, until nothing more follows from it; when to look again."""
        while True:
            now, report = self._clock(), self._report()
            told = lifecycle.step(self._condition, self._seen(now, report), self._policy)
            moved = told.condition is not self._condition
            if moved:
                self._become(told.condition)
            self._act(told.action, now)
            self._serve(now)
            if report is None and not moved:
                deadlines = [waiter.deadline for waiter in self._waiters if waiter.deadline is not None]
                return min((time for time in (told.look, *deadlines) if time is not None), default=None)

    def _seen(self, now: float, report: Report | None) -> Seen:
        return Seen(
            now=now,
            waiting=len(self._waiters),
            in_flight=self._held[self._epoch],
            last_activity=self._last_activity,
            stopping=self._stopping,
            report=report,
        )

    def _report(self) -> Report | None:
        """The next thing that happened, told once."""
        work, guards = self._work, self._guards
        if work is not None and work.done():
            self._work = None
            return work.result()
        if guards is not None:
            for task in guards.tasks():
                failure = task.result() if task.done() else None
                if failure is not None:
                    return Gone(failure)
            if guards.doubt is not None and guards.doubt.done():
                guards.doubt = None
        if self._distrusted:
            self._distrusted = False
            return Distrusted()
        return None

    def _become(self, condition: Condition) -> None:
        before, self._condition = self._condition, condition
        if condition.state is before.state:
            return
        if condition.state is EngineState.FAILED and condition.failure is not None:
            log.warning("The engine is not there (%s): %s", condition.failure.cause, condition.failure.sentence)
        else:
            log.info("The engine is %s.", condition.state)
        if before.state is EngineState.WAKING:
            self._note_wake(condition.state)
        self._change.set()
        self._change = asyncio.Event()

    def _note_wake(self, became: EngineState) -> None:
        if became is EngineState.READY:
            self._tally.wakes += 1
            self._tally.last_wake_seconds = self._clock() - self._tally.began
            self._distrusted = False
            self._guards = _Guards(wait=self._task(_guarded(self._engine.wait())))
            if self._watchdog is not None:
                self._guards.watchdog = self._task(_guarded(self._watchdog.watch(self._engine.endpoint, lambda: self._moved)))
        elif became is EngineState.FAILED:
            self._tally.failed_wakes += 1

    def _act(self, action: Action, now: float) -> None:
        if action is Action.START:
            self._epoch += 1
            self._tally.began = now
            self._work = self._task(self._start())
        elif action in (Action.STOP, Action.KILL):
            guards, self._guards = self._guards, None
            self._work = self._task(self._stop(guards, force=action is Action.KILL))

    def _serve(self, now: float) -> None:
        """Give to those who wait what they can be given now: an engine, or a reason."""
        if self._available():
            for waiter in self._waiters:
                if not waiter.given.done():
                    waiter.given.set_result(self._give(now, waited=now - waiter.came, woke=waiter.woke))
            self._waiters.clear()
            return
        condition, policy = self._condition, self._policy
        self._tell(lambda each: self._hopeless(now) if lifecycle.hopeless(condition, policy, now=now, deadline=each.deadline) else None)
        self._tell(lambda each: DeadlinePassed(retry_after=self._expected(now)) if _passed(each, now) else None)

    def _tell(self, reason: Callable[[_Waiter], FleetError | None]) -> None:
        for waiter in list(self._waiters):
            error = reason(waiter)
            if error is not None:
                del self._waiters[waiter]
                if not waiter.given.done():
                    waiter.given.set_exception(error)

    def _hopeless(self, now: float) -> WakeFailed:
        failure = self._condition.failure or Failure(Cause.CRASHED, "The engine failed.")
        return WakeFailed(failure, retry_after=self._condition.retry_at - now)

    def _expected(self, now: float) -> float:
        """Seconds until there may be an engine."""
        usual = self._tally.last_wake_seconds or USUAL_WAKE
        begun = now - self._tally.began if self.state is EngineState.WAKING else 0.0
        return max(1.0, usual - begun)

    # What takes time

    async def _start(self) -> Report:
        try:
            await self._engine.start()
        except EngineDown as exc:
            return NotStarted(exc.failure)
        except Exception as exc:  # a bug in one kind of engine must not end the loop for which everybody waits
            log.exception("The engine's start broke.")
            return NotStarted(Failure(Cause.CRASHED, f"Starting the engine broke ({type(exc).__name__}); the log says where."))
        return Started()

    async def _stop(self, guards: _Guards | None, *, force: bool) -> Report:
        await _cancel(*(guards.tasks() if guards else ()))
        try:
            await self._engine.stop(force=force)
        except Exception:  # as above; the next start tells whether anything is in its way
            log.exception("The engine's stop broke.")
        return Stopped()

    async def _find_out(self) -> Failure | None:
        """None once it answers a health question; a failure when it did not for too long. If it dies, `wait` knows first."""
        began, never = self._clock(), asyncio.Event()
        while not await self._ask(self._engine.endpoint):
            if self._clock() - began >= self._policy.doubt_timeout:
                return Failure(Cause.HUNG, "The engine broke a request off and does not answer any more.")
            await self._pause(never, ASK_AGAIN)
        return None

    async def _let_go(self) -> None:
        """Nothing of ours uses the engine after this. A start is cancelled; a stop is waited for."""
        guards, self._guards = self._guards, None
        work, self._work = self._work, None
        await _cancel(*(guards.tasks() if guards else ()))
        if work is not None:
            if self.state is EngineState.WAKING:
                work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    def _task(self, work: Coroutine[None, None, T]) -> "asyncio.Task[T]":
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._news.set())
        return task


async def _guarded(guard: Coroutine[None, None, T]) -> T | Failure:
    try:
        return await guard
    except Exception as exc:  # as at a start: nobody would watch the engine any more, so it is replaced
        log.exception("What watches the engine broke.")
        return Failure(Cause.CRASHED, f"Watching the engine broke ({type(exc).__name__}); the log says where.")


async def _cancel(*tasks: "asyncio.Task[Failure] | asyncio.Task[Failure | None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _passed(waiter: _Waiter, now: float) -> bool:
    return waiter.deadline is not None and now >= waiter.deadline
