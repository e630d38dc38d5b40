"""From the fleet's changes of state to lives of engines, with a database that is away now and then."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from adapters.registry import DatabaseError
from server.fleet.engine import EngineState
from server.gateway.lives import KEPT_EPOCHS, Lives
from tests.server.accounts.ledger.desk import Clock

ASLEEP, WAKING, READY, DRAINING, FAILED = EngineState


@dataclass
class Rows:
    """A store in memory, which says whether it can be reached."""

    is_there: bool = True
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    shared: int = 0
    tried: int = 0
    seen: asyncio.Event = field(default_factory=asyncio.Event)

    async def woke(self, life: str, *, engine: str, epoch: int, at_ms: int | None = None) -> None:
        self._check()
        self.rows.setdefault(life, {})["woke"] = at_ms or 0

    async def ready(self, life: str, *, at_ms: int | None = None) -> None:
        self._check()
        self.rows[life]["ready"] = at_ms or 0

    async def draining(self, life: str, *, at_ms: int | None = None) -> None:
        self._check()
        self.rows[life]["draining"] = at_ms or 0

    async def ended(self, life: str, *, at_ms: int | None = None) -> None:
        self._check()
        self.rows[life]["ended"] = at_ms or 0

    async def share_out(self) -> int:
        self._check()
        self.shared += 1
        return 0

    async def end_orphans(self) -> int:
        self._check()
        return 0

    def _check(self) -> None:
        self.tried += 1
        self.seen.set()
        if not self.is_there:
            raise DatabaseError("The database is away.")


@pytest.fixture
def rows() -> Rows:
    return Rows()


def make(rows: Rows, clock: Clock, share_every: float = 3600.0) -> Lives:
    return Lives(rows, engine="local", clock_ns=clock, share_every=share_every, retry_every=0.001)


def live(lives: Lives, clock: Clock, *states: EngineState, epoch: int = 1) -> None:
    """One state a second."""
    for state in states:
        lives.changed(state, epoch)
        clock.pass_seconds(1)


async def written(lives: Lives, rows: Rows, until: Callable[[], bool]) -> None:
    """Let it run until then."""
    task = asyncio.create_task(lives.run())
    async with asyncio.timeout(30):
        while not until():
            rows.seen.clear()
            await rows.seen.wait()
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_life_is_from_the_wake_to_the_end(rows: Rows) -> None:
    """The cold start and the drain are part of it; the next wake is another one."""
    clock = Clock()
    lives, began = make(rows, clock), clock.now // 1_000_000
    live(lives, clock, WAKING, READY, DRAINING, ASLEEP)
    first = lives.life(1)
    live(lives, clock, WAKING, READY, epoch=2)
    await lives.close()
    assert first is not None
    assert rows.rows[first] == {"woke": began, "ready": began + 1000, "draining": began + 2000, "ended": began + 3000}
    second = lives.life(2)
    assert second is not None
    assert rows.rows[second] == {"woke": began + 4000, "ready": began + 5000}
    assert (lives.life(1), lives.life(3)) == (first, None)


async def test_an_engine_that_fails_costs_until_then(rows: Rows) -> None:
    """Before it was ready or after; asleep it costs nothing."""
    clock = Clock()
    lives, began = make(rows, clock), clock.now // 1_000_000
    live(lives, clock, ASLEEP, WAKING, FAILED, WAKING, READY, FAILED, ASLEEP, epoch=2)
    await lives.close()
    assert list(rows.rows.values()) == [
        {"woke": began + 1000, "ended": began + 2000},
        {"woke": began + 3000, "ready": began + 4000, "ended": began + 5000},
    ]


async def test_nothing_is_lost_while_the_database_is_away(rows: Rows) -> None:
    """It is written in order when it is back, with the times at which it happened, and said meanwhile."""
    clock = Clock()
    lives, began = make(rows, clock), clock.now // 1_000_000
    rows.is_there = False
    live(lives, clock, WAKING, READY)
    await written(lives, rows, lambda: rows.tried >= 5)
    assert (lives.failure, lives.unwritten) == ("The database is away.", 2)
    rows.is_there = True
    live(lives, clock, DRAINING, ASLEEP)
    await written(lives, rows, lambda: rows.shared > 0 and lives.failure is None)
    assert [*rows.rows.values()] == [{"woke": began, "ready": began + 1000, "draining": began + 2000, "ended": began + 3000}]
    assert lives.unwritten == 0


async def test_what_engines_cost_is_shared_out_again_and_again(rows: Rows) -> None:
    lives = make(rows, Clock(), share_every=0.001)
    await written(lives, rows, lambda: rows.shared >= 3)
    assert lives.failure is None


async def test_an_end_that_cannot_be_written_does_not_hold_up_the_stop(rows: Rows) -> None:
    clock = Clock()
    lives = make(rows, clock)
    live(lives, clock, WAKING, READY, ASLEEP)
    rows.is_there = False
    await lives.close()
    assert lives.unwritten == 3


def test_the_lives_of_engines_of_long_ago_are_forgotten(rows: Rows) -> None:
    clock = Clock()
    lives = make(rows, clock)
    for epoch in range(KEPT_EPOCHS + 10):
        live(lives, clock, WAKING, READY, ASLEEP, epoch=epoch)
    assert lives.life(9) is None
    assert lives.life(10) is not None
