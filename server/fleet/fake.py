"""What tests need in place of an engine and of time. Nothing here is used by what runs in earnest."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from server.fleet.engine import Cause, Endpoint, EngineDown, Failure

KILLED = Failure(Cause.KILLED, "The engine was ended by SIGKILL; see /srv/secret/engine.log.")


async def _nothing() -> None:
    pass


class ScriptedEngine:
    """An `Engine` that does what it is told.

    `starts`: what each start comes to, in order: None is success, and so is every start after the last. With `held` a start waits for
    `release`. `up` and `down` are awaited when it begins and ends to live, such as a fake server's start and stop. Raises AssertionError
    where the fleet breaks the protocol: two calls at once, or a start without an end between.
    """

    def __init__(
        self,
        endpoint: Endpoint | None = None,
        *,
        starts: Iterable[Failure | None] = (),
        held: bool = False,
        up: Callable[[], Awaitable[None]] = _nothing,
        down: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        self._endpoint = endpoint or Endpoint(base_url="http://engine")
        self._starts = list(starts)
        self._up, self._down = up, down
        self._gate, self._stop_gate, self._end = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._stop_gate.set()
        if not held:
            self._gate.set()
        self._busy = False
        self._failure: Failure | None = None
        self.alive = False
        self.opened = self.closed = False
        self.started = 0
        """Starts, those that failed included."""
        self.stopped: list[bool] = []
        """Each stop's `force`."""
        self.broken: list[str] = []
        """How the protocol was broken."""

    # What a test tells it

    def hold(self) -> None:
        """Starts wait from now on."""
        self._gate.clear()

    def release(self) -> None:
        self._gate.set()

    def hold_stops(self) -> None:
        self._stop_gate.clear()

    def release_stops(self) -> None:
        self._stop_gate.set()

    def will(self, *starts: Failure | None) -> None:
        """What the next starts come to."""
        self._starts = list(starts)

    async def die(self, failure: Failure = KILLED) -> None:
        """Go away by itself."""
        self._failure = failure
        self.alive = False
        await self._down()
        self._end.set()

    # What the fleet asks of it

    @property
    def endpoint(self) -> Endpoint:
        return self._endpoint

    async def open(self) -> None:
        self.opened = True

    async def start(self) -> None:
        self._enter("start")
        try:
            if self.alive:
                self._complain("a start while an engine is there")
            self.started += 1
            outcome = self._starts.pop(0) if self._starts else None
            await self._gate.wait()
            if outcome is not None:
                raise EngineDown(outcome)
            self._end, self._failure = asyncio.Event(), None
            await self._up()
            self.alive = True
        finally:
            self._busy = False

    async def wait(self) -> Failure:
        self._enter("wait")
        try:
            await self._end.wait()
            return self._failure or KILLED
        finally:
            self._busy = False

    async def stop(self, *, force: bool = False) -> None:
        self._enter("stop")
        try:
            self.stopped.append(force)
            await self._stop_gate.wait()
            await self._put_down()
        finally:
            self._busy = False

    async def close(self) -> None:
        self._enter("close")
        try:
            await self._put_down()
            self.closed = True
        finally:
            self._busy = False

    async def _put_down(self) -> None:
        if self.alive:
            self.alive = False
            await self._down()

    def _enter(self, what: str) -> None:
        if self._busy:
            self._complain(f"{what} while another call runs")
        self._busy = True

    def _complain(self, how: str) -> None:
        self.broken.append(how)
        raise AssertionError(how)


class ManualTime:
    """A clock that stands still until it is told: give `fleet_time` as `clock` and `fleet_time.pause` as `pause`."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self._sleepers: dict[asyncio.Future[None], float] = {}
        self.pauses = 0
        """How often anything went to sleep: a hot loop shows here."""

    def __call__(self) -> float:
        return self.now

    async def pause(self, event: asyncio.Event, seconds: float | None) -> None:
        self.pauses += 1
        if seconds is None:
            await event.wait()
            return
        alarm = asyncio.get_running_loop().create_future()
        waiting = asyncio.create_task(event.wait())
        self._sleepers[alarm] = self.now + seconds
        try:
            if seconds > 0:
                await asyncio.wait({alarm, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._sleepers[alarm]
            alarm.cancel()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    async def settle(self, turns: int = 50) -> None:
        """Let everything that can go on go on."""
        for _ in range(turns):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Let so much time pass, from one alarm to the next, with everything that follows."""
        end = self.now + seconds
        await self.settle()
        while due := [time for time in self._sleepers.values() if time <= end]:
            self.now = max(self.now, min(due))
            for alarm, time in self._sleepers.items():
                if time <= self.now and not alarm.done():
                    alarm.set_result(None)
            await self.settle()
        self.now = end
        await self.settle()
