"""Gives engines to callers: one loop that looks, decides by `lifecycle.step` and acts, and leases that keep the engine where it is.

Everything that decides who has an engine happens in one turn of the event loop: a lease that is given counts before the next decision is
made, so no engine is stopped under a caller. Knows nothing of HTTP, of processes or of what callers ask.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine

from server.fleet import lifecycle
from server.fleet.engine import Cause, Endpoint, Engine, EngineDown, EngineState, Failure
from server.fleet.errors import DeadlinePassed, EngineAsleep, QueueFull, Stopping, WakeFailed
from server.fleet.guards import Ask, Guards
from server.fleet.health import healthy
from server.fleet.lifecycle import AT_ONCE, Action, Condition, Distrusted, Gone, NotStarted, Policy, Report, Seen, Started, Stopped
from server.fleet.timing import Clock, Pause, pause_for
from server.fleet.waiting import Waiters
from server.fleet.watchdog import Watchdog

__all__ = ["Fleet", "Lease", "Policy"]

log = logging.getLogger("troupe.fleet")

USUAL_WAKE = 10.0
"""Seconds that a wake is taken to need before there was one."""


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
        self._fleet.note_progress(self)

    def lost(self) -> None:
        """The engine broke this request off: later leases wait until it is known whether it still lives."""
        self._fleet.note_lost(self)

    def distrust(self) -> None:
        """What the engine computed were no numbers: have it replaced when its requests in flight are done."""
        self._fleet.note_distrust(self)


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
        ask: Ask = healthy,
    ) -> None:
        """`ask`: whether an engine in doubt answers a health question. `clock` and `pause` belong together."""
        self._engine = engine
        self._policy = policy
        self._watchdog = watchdog
        self._clock, self._pause, self._ask = clock, pause, ask
        self._condition = Condition()
        self._news, self._change = asyncio.Event(), asyncio.Event()
        self._listeners: list[Callable[[EngineState, int], None]] = []
        self._waiters: Waiters[Lease] = Waiters(self._give_back)
        self._held: Counter[int] = Counter()
        self._counting = 0
        """Leases that count as activity."""
        self._last_activity: float | None = None
        """When somebody last came to wait, or gave a lease back; one that is held speaks for itself."""
        self._epoch = 0
        self._moved = 0
        """How often the engine's callers got bytes of it."""
        self._distrusted = False
        self._work: asyncio.Task[Report] | None = None
        """A start or a stop that is under way."""
        self._guards: Guards | None = None
        """There while the engine is ready, or drains before its stop."""
        self._loop: asyncio.Task[None] | None = None
        self._wake_began = 0.0
        self.stopping = False
        self.wakes = 0
        """Engines that became ready."""
        self.failed_wakes = 0
        self.last_wake_seconds: float | None = None

    @property
    def state(self) -> EngineState:
        return self._condition.state

    @property
    def failure(self) -> Failure | None:
        """Why there is no engine, for the operator; None while nothing is wrong."""
        return self._condition.failure

    @property
    def waiting(self) -> int:
        return len(self._waiters)

    @property
    def in_flight(self) -> int:
        return self._held.total()

    @property
    def idle_seconds(self) -> float | None:
        """Since the last request ended; None while there is one, and before the first."""
        if len(self._waiters) or self._counting or self._last_activity is None:
            return None
        return self._clock() - self._last_activity

    async def wait_for_change(self) -> None:
        """Returns at the next change of state."""
        await self._change.wait()

    def listen(self, changed: Callable[[EngineState, int], None]) -> None:
        """Have `changed` told of every change of state, in the turn in which it happens, with the epoch. It must be quick and not raise."""
        self._listeners.append(changed)

    async def open(self) -> None:
        await self._engine.open()
        if self._policy.wake_at_start:
            self._last_activity = self._clock()
        self._loop = asyncio.create_task(self._run())

    def begin_stop(self) -> None:
        """No new leases: whoever asks or waits is told Stopping. Leases that are held go on."""
        self.stopping = True
        self._waiters.tell(lambda _: Stopping())
        self._news.set()

    async def close(self) -> None:
        """End everything, leases in flight included: the engine goes away under them."""
        self.begin_stop()
        loop, self._loop = self._loop, None
        guards, self._guards = self._guards, None
        work, self._work = self._work, None
        try:
            if loop is not None:
                loop.cancel()
                await asyncio.gather(loop, return_exceptions=True)
            if guards is not None:
                await guards.end()
            if work is not None:
                if self.state is EngineState.WAKING:
                    work.cancel()  # a stop is waited for instead
                await asyncio.gather(work, return_exceptions=True)
        finally:
            await self._engine.close()
            self._become(Condition())

    def wake(self) -> None:
        """Demand without a caller: somebody will soon ask. Returns at once."""
        if not self.stopping:
            self._last_activity = self._clock()
            self._news.set()

    @contextlib.asynccontextmanager
    async def lease(self, *, deadline: float | None = None, counts: bool = True) -> AsyncIterator[Lease]:
        """Hold an engine, waking it if need be. Raises FleetError.

        `deadline`: seconds from now that the caller will wait at most. `counts=False` is for our own errands: they wake nobody (but raise
        EngineAsleep at once), and are no reason to stay awake.
        """
        if self.stopping:
            raise Stopping
        if self._available():
            lease = self._give(counts=counts)
        elif counts:
            lease = await self._wait(deadline)
        else:
            raise EngineAsleep
        try:
            yield lease
        finally:
            self._give_back(lease)

    async def _wait(self, deadline: float | None) -> Lease:
        now = self._clock()
        until = None if deadline is None else now + deadline
        if lifecycle.hopeless(self._condition, self._policy, now=now, deadline=until):
            raise self._wake_failed(now)
        if len(self._waiters) >= self._policy.max_waiting:
            raise QueueFull(retry_after=self._expected(now))
        self._last_activity = now
        self._news.set()
        return await self._waiters.join(now, deadline=until, woke=self.state is not EngineState.READY)

    def _available(self) -> bool:
        if self._condition.state is not EngineState.READY or self._distrusted:
            return False
        return self._guards is not None and not self._guards.doubtful

    def _give(self, *, counts: bool = True, waited: float = 0.0, woke: bool = False) -> Lease:
        self._held[self._epoch] += 1
        self._counting += counts
        return Lease(self, self._engine.endpoint, self._epoch, counts=counts, waited=waited, woke=woke)

    def _give_back(self, lease: Lease) -> None:
        self._held[lease.epoch] -= 1
        if lease.counts:
            self._counting -= 1
            self._last_activity = self._clock()
        if not self._held[lease.epoch]:
            del self._held[lease.epoch]
            if not lease.counts or self.stopping or self.state is not EngineState.READY or self._policy.idle_timeout < AT_ONCE:
                self._news.set()  # else the loop has time: it looks again before anybody could be missed for so long as to sleep

    def note_progress(self, lease: Lease) -> None:
        if lease.epoch == self._epoch:
            self._moved += 1

    def note_lost(self, lease: Lease) -> None:
        if lease.epoch == self._epoch and self.state is EngineState.READY and self._guards is not None:
            self._guards.doubt()

    def note_distrust(self, lease: Lease) -> None:
        if lease.epoch == self._epoch and self.state is EngineState.READY:
            self._distrusted = True
            self._news.set()

    async def _run(self) -> None:
        try:
            while True:
                self._news.clear()
                look = self._advance()
                await self._pause(self._news, None if look is None else max(0.0, look - self._clock()))
        except Exception:  # a bug of ours, reported here and by `stopping`
            log.exception("The fleet's loop broke: nothing is woken any more.")
            raise
        finally:
            self.begin_stop()  # nobody may wait for a loop that is not there

    def _advance(self) -> float | None:
        """Take in what happened, until nothing more follows from it; when to look again."""
        while True:
            now, report = self._clock(), self._report()
            told = lifecycle.step(self._condition, self._seen(now, report), self._policy)
            changed = told.condition != self._condition
            self._become(told.condition)
            self._act(told.action, now)
            self._serve(now)
            if report is None and not changed:
                return min((at for at in (told.look, self._waiters.next_deadline()) if at is not None), default=None)

    def _seen(self, now: float, report: Report | None) -> Seen:
        waiting, in_flight = len(self._waiters), self._held[self._epoch]
        return Seen(now, waiting, in_flight, self._last_activity, stopping=self.stopping, report=report)

    def _report(self) -> Report | None:
        """The next thing that happened."""
        if self._work is not None and self._work.done():
            work, self._work = self._work, None
            return work.result()
        if self._guards is not None and (failure := self._guards.failure()):
            return Gone(failure)
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
        if before.state is EngineState.WAKING and condition.state is EngineState.FAILED:
            self.failed_wakes += 1
        if condition.state is EngineState.READY:
            self.wakes += 1
            self.last_wake_seconds = self._clock() - self._wake_began
            self._begin_guards()
        for changed in self._listeners:
            changed(condition.state, self._epoch)
        self._change.set()
        self._change = asyncio.Event()

    def _begin_guards(self) -> None:
        timeout = self._policy.doubt_timeout
        self._guards = Guards(self._engine, self._news.set, ask=self._ask, clock=self._clock, pause=self._pause, doubt_timeout=timeout)
        if self._watchdog is not None:
            self._guards.add(self._watchdog, lambda: self._moved)

    def _act(self, action: Action, now: float) -> None:
        if action is Action.START:
            self._epoch += 1
            self._wake_began = now
            self._work = self._task(self._start())
        elif action in (Action.STOP, Action.KILL):
            guards, self._guards = self._guards, None
            self._work = self._task(self._stop(guards, force=action is Action.KILL))

    def _serve(self, now: float) -> None:
        """Give to those who wait what they can be given now: an engine, or a reason."""
        if self._available():
            self._waiters.release(lambda each: self._give(waited=now - each.came, woke=each.woke))
            return
        condition, policy = self._condition, self._policy
        self._waiters.tell(
            lambda each: self._wake_failed(now) if lifecycle.hopeless(condition, policy, now=now, deadline=each.deadline) else None
        )
        self._waiters.tell(
            lambda each: DeadlinePassed(retry_after=self._expected(now)) if each.deadline is not None and now >= each.deadline else None
        )

    def _wake_failed(self, now: float) -> WakeFailed:
        failure = self._condition.failure or Failure(Cause.CRASHED, "The engine failed.")
        return WakeFailed(failure, retry_after=self._condition.retry_at - now)

    def _expected(self, now: float) -> float:
        """Seconds until there may be an engine."""
        usual = self.last_wake_seconds or USUAL_WAKE
        return usual - (now - self._wake_began) if self.state is EngineState.WAKING else usual

    async def _start(self) -> Report:
        try:
            await self._engine.start()
        except EngineDown as exc:
            return NotStarted(exc.failure)
        except Exception as exc:  # a bug in one kind of engine must not end the loop for which everybody waits: it is a failed wake
            log.exception("The engine's start broke.")
            return NotStarted(Failure(Cause.CRASHED, f"Starting the engine broke ({type(exc).__name__}); the log says where."))
        return Started()

    async def _stop(self, guards: Guards | None, *, force: bool) -> Report:
        if guards is not None:
            await guards.end()
        try:
            await self._engine.stop(force=force)
        except Exception:  # as above; the next start tells whether anything is in its way
            log.exception("The engine's stop broke.")
        return Stopped()

    def _task(self, work: Coroutine[None, None, Report]) -> "asyncio.Task[Report]":
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._news.set())
        return task
