"""What the fleet's changes of state mean for the bill: from when to when an engine cost money, and which of its lives answered a request.

The fleet says each change in the turn in which it happens; it is written down beside, in order, however long the database is away, with the
time at which it happened. Beside that, on a timer, what engines cost is shared out. Knows nothing of how either is kept or computed.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Protocol
from uuid import uuid4

from adapters.registry import DatabaseError
from server.fleet.engine import EngineState

log = logging.getLogger("troupe.gateway")

SHARE_SECONDS = 60.0
RETRY_SECONDS = 5.0
KEPT_EPOCHS = 64
"""Requests of an engine that is gone may still be settled: of so many engines ago at most."""


class LifeStore(Protocol):
    """`server.accounts.engine_lives.EngineLives`. All methods raise DatabaseError, and may be repeated."""

    async def woke(self, life: str, *, engine: str, epoch: int, at_ms: int | None = None) -> None: ...
    async def ready(self, life: str, *, at_ms: int | None = None) -> None: ...
    async def draining(self, life: str, *, at_ms: int | None = None) -> None: ...
    async def ended(self, life: str, *, at_ms: int | None = None) -> None: ...
    async def share_out(self) -> int: ...
    async def end_orphans(self) -> int: ...


class Lives:
    """For one event loop and one fleet: `changed` is its listener, `run` goes beside the requests, `close` comes after the fleet's."""

    def __init__(
        self,
        store: LifeStore,
        *,
        engine: str,
        clock_ns: Callable[[], int] = time.time_ns,
        share_every: float = SHARE_SECONDS,
        retry_every: float = RETRY_SECONDS,
    ) -> None:
        """`engine`: which one this fleet has, for the record. `clock_ns`: Unix nanoseconds. The rest in seconds."""
        self._store = store
        self._engine = engine
        self._clock_ns = clock_ns
        self._share_every = share_every
        self._retry_every = retry_every
        self._current: str | None = None
        self._of_epoch: dict[int, str] = {}
        self._unwritten: deque[Callable[[], Awaitable[None]]] = deque()
        self._news = asyncio.Event()
        self._writing = asyncio.Lock()
        self._failure: str | None = None

    @property
    def failure(self) -> str | None:
        """Why what happened to engines is not written down, or what they cost not shared out, one sentence; None while all is well."""
        return self._failure

    @property
    def unwritten(self) -> int:
        return len(self._unwritten)

    def life(self, epoch: int) -> str | None:
        """Which life the engine of this epoch has or had; None if it was never ready, or long ago."""
        return self._of_epoch.get(epoch)

    def changed(self, state: EngineState, epoch: int) -> None:
        """The engine is in this state from now on. In memory only."""
        at_ms = self._clock_ns() // 1_000_000
        if state in (EngineState.WAKING, EngineState.READY) and self._current is None:
            self._current = uuid4().hex
            self._unwritten.append(partial(self._store.woke, self._current, engine=self._engine, epoch=epoch, at_ms=at_ms))
        if self._current is None:
            return
        life = self._current
        if state is EngineState.READY:
            self._of_epoch[epoch] = life
            if len(self._of_epoch) > KEPT_EPOCHS:
                del self._of_epoch[next(iter(self._of_epoch))]
            self._unwritten.append(partial(self._store.ready, life, at_ms=at_ms))
        elif state is EngineState.DRAINING:
            self._unwritten.append(partial(self._store.draining, life, at_ms=at_ms))
        elif state in (EngineState.ASLEEP, EngineState.FAILED):
            self._current = None
            self._unwritten.append(partial(self._store.ended, life, at_ms=at_ms))
        self._news.set()

    async def run(self) -> None:
        """Write down what happens, and share out what it cost, until cancelled."""
        loop = asyncio.get_running_loop()
        share_at = loop.time()
        while True:
            self._news.clear()
            is_due = loop.time() >= share_at
            if not await self._tried(is_due):
                await asyncio.sleep(self._retry_every)
                continue
            if is_due:
                share_at = loop.time() + self._share_every
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, share_at - loop.time())):
                    await self._news.wait()

    async def close(self, *, within: float = 5.0) -> None:
        """Write down the last of it, the fleet's end included."""
        try:
            async with asyncio.timeout(within):
                await self._write()
        except (DatabaseError, TimeoutError) as exc:
            log.error("the end of the engine is not written down: it is taken for the time at which this gateway last wrote (%s)", exc)

    async def _tried(self, is_due: bool) -> bool:
        try:
            await self._write()
            if is_due:
                await self._store.end_orphans()
                await self._store.share_out()
        except DatabaseError as exc:
            self._note(str(exc))
            return False
        except Exception:  # a bug must not leave this gateway without a bill: it is tried again, and told
            log.exception("what engines cost cannot be written down")
            self._note("What engines cost cannot be written down: the gateway's log says why.")
            return False
        self._note(None)
        return True

    async def _write(self) -> None:
        async with self._writing:
            while self._unwritten:
                await self._unwritten[0]()
                self._unwritten.popleft()

    def _note(self, failure: str | None) -> None:
        """One line of the log when it begins to fail, when it fails in another way, and when it works again."""
        if failure == self._failure:
            return
        if failure is None:
            log.warning("what engines cost is written down again")
        else:
            log.error("what engines cost is not written down: %s", failure)
        self._failure = failure
