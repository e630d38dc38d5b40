"""What was just promoted is loaded before anybody asks, when it disturbs least."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from adapters.registry import Base, State
from loadtests.fake_engine import TOKENIZE, FakeEngine, FakeSettings
from server.fleet.engine import Endpoint, EngineState
from server.fleet.fake import ScriptedEngine
from server.fleet.fleet import Fleet
from server.fleet.lifecycle import Policy
from server.gateway.admission.gate import Gate
from server.gateway.directory import Directory
from server.gateway.loader import Loader
from server.gateway.metrics import Metrics
from server.gateway.upstream import Upstream
from server.gateway.warmer import PATIENCE_SECONDS, QUIET, TICK_SECONDS, WATCH_SECONDS, Warmer, is_lull, promoted
from tests.server.gateway.memory_registry import MemoryRegistry, manifest
from tests.server.gateway.stage import ADMIN, BOUNDS, Stage, populate


@pytest.mark.parametrize(
    ("in_flight", "waited", "lull"),
    [
        ([0], 0.0, True),
        ([QUIET], 0.0, True),
        ([QUIET + 1], 0.0, False),
        ([9, 5], TICK_SECONDS, False),
        ([9, 5, 7], WATCH_SECONDS, False),
        ([9, 5, 5], WATCH_SECONDS, False),
        ([9, 5, 4], WATCH_SECONDS, True),
        ([9, 9, 9], WATCH_SECONDS, False),
        ([9], WATCH_SECONDS, False),
        ([9, 9, 12], PATIENCE_SECONDS, True),
    ],
)
def test_a_lull_is_a_quiet_engine_or_a_new_low_or_the_end_of_patience(in_flight: list[int], waited: float, lull: bool) -> None:
    """Before that, one waits."""
    assert is_lull(in_flight, waited) is lull


def test_what_was_promoted_is_what_live_and_canary_newly_mean(base: Base) -> None:
    """Not other aliases, not a share, not what cannot be served, and not what stayed."""
    registry = MemoryRegistry()
    populate(registry, base)
    before = registry.held
    assert promoted(before, before) == []
    registry.add(manifest(base, "zizou", 3), "best")
    registry.add(manifest(base, "zizou", 2), "canary", share=50)
    assert promoted(before, registry.held) == []
    third = registry.add(manifest(base, "zizou", 3), "live")
    newcomer = registry.add(manifest(base, "newcomers"), "canary")
    assert promoted(before, registry.held) == [third, newcomer]


class Hall:
    """A warmer with everything around it, whose clock is the number of its own sleeps."""

    def __init__(self, base: Base, socket: Path) -> None:
        self.registry = MemoryRegistry()
        populate(self.registry, base)
        self.slept = 0.0
        self.engine = ScriptedEngine(Endpoint("http://engine", socket))
        self.fleet = Fleet(self.engine, Policy(), clock=lambda: self.slept)
        self.directory = Directory(self.registry, base_fingerprint=base.fingerprint, started=1)
        self.upstream = Upstream(connect_timeout=5, stall_timeout=5, answer_timeout=5)
        self.metrics = Metrics(self.fleet, self.directory, Gate(BOUNDS))
        self.loader = Loader(self.fleet, self.upstream, self.metrics, clock=lambda: self.slept)
        self.warmer = Warmer(self.directory, self.fleet, self.upstream, self.loader, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept += seconds
        await asyncio.sleep(0)

    @contextmanager
    def busy(self, requests: int) -> Iterator[None]:
        self.upstream.in_flight += requests
        yield
        self.upstream.in_flight -= requests

    async def steps(self, count: int = 30) -> None:
        """Let the warmer look so many times at least."""
        goal = self.slept + count * TICK_SECONDS
        async with asyncio.timeout(10):
            while self.slept < goal:  # noqa: ASYNC110
                await asyncio.sleep(0)


@asynccontextmanager
async def running(base: Base, folder: Path) -> AsyncIterator[tuple[Hall, FakeEngine]]:
    socket = folder / "e.sock"
    async with FakeEngine(FakeSettings(), socket=socket) as fake:
        hall = Hall(base, socket)
        await hall.directory.refresh()
        await hall.fleet.open()
        while hall.fleet.state is not EngineState.READY:
            await hall.fleet.wait_for_change()
        task = asyncio.create_task(hall.warmer.run())
        try:
            await hall.steps(2)
            yield hall, fake
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await hall.upstream.close()
            await hall.fleet.close()


async def until_asked(fake: FakeEngine, count: int) -> list[str]:
    async with asyncio.timeout(10):
        while sum(received.finished for received in fake.received) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    return [received.body["model"] for received in fake.received]


async def test_a_promotion_behind_the_gateway_s_back_is_warmed(base: Base, tmp_path: Path) -> None:
    """Without a token, once."""
    async with running(base, tmp_path) as (hall, fake):
        third = hall.registry.add(manifest(base, "zizou", 3), "live")
        await hall.directory.refresh()
        assert await until_asked(fake, 1) == [third.engine_name]
        await hall.steps()
        assert [received.path for received in fake.received] == [TOKENIZE]
        assert fake.loads == [third.engine_name]
        assert b'troupe_warm_loads_total{outcome="loaded"} 1.0' in hall.metrics.text()


async def test_what_was_live_at_the_start_is_not_warmed(base: Base, tmp_path: Path) -> None:
    """A gateway that starts would load everybody's at once."""
    async with running(base, tmp_path) as (hall, fake):
        await hall.steps()
        assert fake.received == []


async def test_many_promotions_are_warmed_one_at_a_time(base: Base, tmp_path: Path) -> None:
    """Each adapter once, and none that was replaced while it waited."""
    async with running(base, tmp_path) as (hall, fake):
        fake.settings = FakeSettings(load=0.02)
        with hall.busy(10):
            entries = [hall.registry.add(manifest(base, f"c{number}"), "live", "canary") for number in range(5)]
            await hall.directory.refresh()
            await hall.steps(3)
            entries[3] = hall.registry.add(manifest(base, "c3", 2), "live", "canary")
            await hall.directory.refresh()
        async with asyncio.timeout(10):
            while sum(received.finished for received in fake.received) < 5:
                assert sum(not received.finished for received in fake.received) <= 1
                await asyncio.sleep(0.001)
        names = [received.body["model"] for received in fake.received]
        assert sorted(names) == sorted(entry.engine_name for entry in entries)


async def test_a_busy_engine_is_waited_for_and_not_for_long(base: Base, tmp_path: Path) -> None:
    """It loads when patience ends, busy or not."""
    async with running(base, tmp_path) as (hall, fake):
        with hall.busy(10):
            began = hall.slept
            hall.registry.add(manifest(base, "zizou", 3), "live")
            await hall.directory.refresh()
            await hall.steps(int(PATIENCE_SECONDS / TICK_SECONDS) - 2)
            assert fake.received == []
            await until_asked(fake, 1)
            assert hall.slept - began >= PATIENCE_SECONDS


async def test_what_a_trial_has_just_loaded_is_not_warmed_again(base: Base, tmp_path: Path) -> None:
    """But it is when it is promoted much later: the engine may have dropped it."""
    async with running(base, tmp_path) as (hall, fake):
        third = hall.registry.add(manifest(base, "zizou", 3))
        hall.loader.note(third)
        await hall.registry.promote("zizou", 3)
        await hall.directory.refresh()
        await hall.steps()
        assert fake.received == []
        await hall.registry.promote("zizou", 1)
        await hall.directory.refresh()
        await until_asked(fake, 1)
        await hall.steps(400)
        await hall.registry.promote("zizou", 3)
        await hall.directory.refresh()
        assert (await until_asked(fake, 2))[1] == third.engine_name


async def test_an_engine_that_is_not_ready_is_left_alone(base: Base, tmp_path: Path) -> None:
    """Nobody wakes it to warm it; and what was promoted meanwhile is not made up for."""
    async with running(base, tmp_path) as (hall, fake):
        hall.engine.hold()
        await hall.engine.die()
        while hall.fleet.state is EngineState.READY:
            await hall.fleet.wait_for_change()
        hall.registry.add(manifest(base, "zizou", 3), "live")
        await hall.directory.refresh()
        await hall.steps()
        hall.engine.release()
        hall.fleet.wake()
        await hall.steps(300)
        assert fake.received == []


async def test_a_failure_is_forgotten(base: Base, tmp_path: Path) -> None:
    """It is counted, and the next promotion is warmed all the same; what is not to be served never is."""
    async with running(base, tmp_path) as (hall, fake):
        fake.settings = FakeSettings(adapters="none")
        hall.registry.add(manifest(base, "zizou", 3), "live")
        hall.registry.add(manifest(base, "foreigners", fingerprint="sha256:" + "d" * 64), "live")
        await hall.directory.refresh()
        await until_asked(fake, 1)
        await hall.steps()
        fake.settings = FakeSettings()
        fourth = hall.registry.add(manifest(base, "zizou", 4), "live")
        await hall.directory.refresh()
        names = await until_asked(fake, 2)
        assert names[1:] == [fourth.engine_name]
        assert b'troupe_warm_loads_total{outcome="failed"} 1.0' in hall.metrics.text()
        assert hall.registry.held.versions["zizou"][3].state is State.PUBLISHED


async def test_a_promotion_through_the_admin_api_needs_no_warming(fresh: Stage) -> None:
    """Its trial has loaded it; one from elsewhere is warmed by this gateway."""
    response = await fresh.http.put("/admin/v1/communities/zizou/aliases/live", json={"version": 2}, headers=ADMIN)
    assert response.status_code == 200
    asked = len(fresh.fake.received)
    newcomer = fresh.memory.add(manifest(fresh.base, "newcomers"), "live")
    async with asyncio.timeout(10):
        while len(fresh.fake.received) == asked:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert [received.body["model"] for received in fresh.fake.received[asked:]] == [newcomer.engine_name]
