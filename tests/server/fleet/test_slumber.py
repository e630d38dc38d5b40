"""Sleep instead of an end, around a stand-in for vLLM in this process: its sleep mode, and what has gone wrong with it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from loadtests.fake_engine import FakeEngine, FakeSettings, Fault, Voice
from server.fleet.engine import Cause, Endpoint, EngineDown, EngineState, Failure
from server.fleet.fake import ScriptedEngine
from server.fleet.fleet import Fleet
from server.fleet.lifecycle import Policy
from server.fleet.sleeping import NEAR, RESIDENT, Bounds, SleepingEngine

ZIZOU, GREYBEARDS = "zizou-0123456789abcdef", "greybeards-fedcba9876543210"
SETTINGS = FakeSettings(dev_mode=True, api_key="k")
SOON = Bounds(sleep=0.5, wake=0.5)
"""For an engine that never answers; one that does is given the usual bounds."""


class Process:
    """The engine that sleeps: a new stand-in at each start, and a record of how each ended."""

    def __init__(self, socket: Path, settings: FakeSettings) -> None:
        self.endpoint = Endpoint("http://engine", socket=socket, api_key=settings.api_key)
        self.engine = ScriptedEngine(self.endpoint, up=self._up, down=self._down)
        self._settings = settings
        self._fake: FakeEngine | None = None

    async def _up(self) -> None:
        self._fake = FakeEngine(self._settings, socket=self.endpoint.socket)
        await self._fake.start()

    async def _down(self) -> None:
        await self.fake.stop()
        self._fake = None

    @property
    def starts(self) -> int:
        return self.engine.started

    @property
    def ends(self) -> list[str]:
        return ["killed" if force else "stopped" for force in self.engine.stopped]

    @property
    def fake(self) -> FakeEngine:
        assert self._fake is not None
        return self._fake

    async def loads(self, *models: str) -> None:
        """Somebody talks with each of these."""
        connector = aiohttp.UnixConnector(path=str(self.endpoint.socket))
        async with aiohttp.ClientSession(connector=connector, headers={"Authorization": f"Bearer {self.endpoint.api_key}"}) as session:
            for model in models:
                async with session.post("http://engine/tokenize", json={"model": model, "prompt": "hi"}) as answer:
                    assert answer.status == 200

    def asked(self) -> list[str]:
        """The models that were asked for an answer, in order."""
        return [received.body["model"] for received in self.fake.received if "messages" in received.body]


Pair = tuple[SleepingEngine, Process]


@asynccontextmanager
async def slept(folder: Path, *adapters: str, settings: FakeSettings = SETTINGS, level: int = 1) -> AsyncIterator[Pair]:
    """A running engine that had those adapters loaded and went to sleep."""
    async with awake(folder, *adapters, settings=settings, level=level) as (engine, process):
        await engine.stop()
        assert process.fake.sleep_mode.sleeping
        assert process.ends == []
        yield engine, process


@asynccontextmanager
async def awake(
    folder: Path, *adapters: str, settings: FakeSettings = SETTINGS, level: int = 1, bounds: Bounds | None = None
) -> AsyncIterator[Pair]:
    process = Process(folder / "e.sock", settings)
    engine = SleepingEngine(process.engine, level=level, bounds=bounds)
    await engine.open()
    await engine.start()
    await process.loads(*adapters)
    try:
        yield engine, process
    finally:
        await engine.close()
        assert not process.engine.alive


@pytest.mark.parametrize("level", [1, 2])
async def test_what_wakes_as_it_was_goes_on(tmp_path: Path, level: int) -> None:
    """The same process serves again, with its adapters, after the base and each of them said what they had said before."""
    async with slept(tmp_path, ZIZOU, GREYBEARDS, level=level) as (engine, process):
        await engine.start()
        assert (engine.asleep, process.fake.sleep_mode.sleeping) == (False, False)
        assert (process.starts, process.ends) == (1, [])
        assert process.asked() == ["base", ZIZOU, GREYBEARDS] * 2


async def test_it_sleeps_as_often_as_it_is_told_to(tmp_path: Path) -> None:
    """An adapter that came in between is among those that must come back."""
    async with slept(tmp_path, ZIZOU) as (engine, process):
        await engine.start()
        await process.loads(GREYBEARDS)
        await engine.stop()
        await engine.start()
        assert process.fake.sleep_mode.naps == 2
        assert (process.starts, process.ends) == (1, [])
        assert process.asked()[-3:] == ["base", ZIZOU, GREYBEARDS]


async def test_an_answer_for_comparison_comes_from_nothing_that_was_cached(tmp_path: Path) -> None:
    """The likeliest tokens, and another salt for every question."""
    async with slept(tmp_path, ZIZOU) as (engine, process):
        await engine.start()
        bodies = [received.body for received in process.fake.received if "messages" in received.body]
    assert {(body["temperature"], body["max_completion_tokens"], body["ignore_eos"]) for body in bodies} == {(0.0, 8, True)}
    assert len({body["cache_salt"] for body in bodies}) == len(bodies) == 4


Harm = Callable[[FakeSettings], FakeSettings]


def forgets(settings: FakeSettings) -> FakeSettings:
    return replace(settings, forgets=True)


def other_words(settings: FakeSettings) -> FakeSettings:
    return replace(settings, voices={ZIZOU: Voice(vocabulary=("foul",), logprob=-0.5)})


def less_sure(settings: FakeSettings) -> FakeSettings:
    return replace(settings, voices={ZIZOU: Voice(logprob=-0.5 - 2 * NEAR)})


def no_numbers(settings: FakeSettings) -> FakeSettings:
    return replace(settings, voices={ZIZOU: Voice(fault=Fault.NOT_FINITE)})


def no_logprobs(settings: FakeSettings) -> FakeSettings:
    return replace(settings, voices={ZIZOU: Voice(logprob=None)})


def not_there(settings: FakeSettings) -> FakeSettings:
    return replace(settings, voices={ZIZOU: Voice(fault=Fault.STATUS_400)})


VOICED = replace(SETTINGS, voices={ZIZOU: Voice(logprob=-0.5)})


@pytest.mark.parametrize("harm", [forgets, other_words, less_sure, no_numbers, no_logprobs, not_there])
async def test_an_adapter_that_woke_as_another_is_the_end_of_its_engine(
    tmp_path: Path, harm: Callable[[FakeSettings], FakeSettings]
) -> None:
    """Lost without a word, or changed, or broken: the process is killed and another one answers, before anybody is answered."""
    async with slept(tmp_path, ZIZOU, settings=VOICED) as (engine, process):
        process.fake.settings = harm(VOICED)
        await engine.start()
        assert (process.starts, process.ends) == (2, ["killed"])
        assert not process.fake.sleep_mode.naps


async def test_what_rounding_does_is_no_harm(tmp_path: Path) -> None:
    """The same tokens, nearly as sure of each."""
    async with slept(tmp_path, ZIZOU, settings=VOICED) as (engine, process):
        process.fake.settings = replace(VOICED, voices={ZIZOU: Voice(logprob=-0.5 - NEAR / 2)})
        await engine.start()
        assert (process.starts, process.ends) == (1, [])


async def test_a_death_asleep_is_a_fresh_start(tmp_path: Path) -> None:
    """Nobody watches an engine that sleeps, so it is found when it is needed."""
    async with slept(tmp_path, ZIZOU) as (engine, process):
        await process.engine.die()
        await engine.start()
        assert process.starts == 2


async def test_a_death_while_it_wakes_is_found_at_once(tmp_path: Path) -> None:
    """Not only after the time that a wake may take."""
    async with slept(tmp_path, ZIZOU) as (engine, process):
        process.fake.settings = replace(SETTINGS, fault=Fault.FREEZE)
        starting = asyncio.create_task(engine.start())
        await asyncio.sleep(0.1)
        assert not starting.done()
        await process.engine.die()
        await asyncio.wait_for(starting, 20)
        assert process.starts == 2


async def test_a_wake_that_hangs_is_ended(tmp_path: Path) -> None:
    """Callers wait for it, so not for long."""
    async with awake(tmp_path, ZIZOU, bounds=Bounds(wake=0.5)) as (engine, process):
        await engine.stop()
        process.fake.settings = replace(SETTINGS, fault=Fault.FREEZE)
        await engine.start()
        assert (process.starts, process.ends) == (2, ["killed"])


@pytest.mark.parametrize("fault", [Fault.FREEZE, Fault.STATUS_500, Fault.DIE, Fault.NOT_FINITE])
async def test_what_does_not_fall_asleep_is_ended(tmp_path: Path, fault: Fault) -> None:
    """Whether it hangs, refuses or breaks off; the next start is a fresh one."""
    async with awake(tmp_path, ZIZOU, bounds=SOON if fault is Fault.FREEZE else None) as (engine, process):
        process.fake.settings = replace(SETTINGS, fault=fault)
        await engine.stop()
        assert (process.ends, engine.asleep) == (["killed"], False)
        await engine.start()
        assert process.starts == 2


async def test_an_engine_without_sleep_mode_is_ended(tmp_path: Path) -> None:
    """Its memory is freed all the same."""
    async with awake(tmp_path, settings=FakeSettings()) as (engine, process):
        await engine.stop()
        assert process.ends == ["killed"]


@pytest.mark.parametrize("asleep", [False, True])
async def test_force_really_ends_it(tmp_path: Path, asleep: bool) -> None:
    """Asleep or awake; whoever forces has lost trust in the process, so it must not only sleep."""
    async with awake(tmp_path, ZIZOU) as (engine, process):
        if asleep:
            await engine.stop()
        await engine.stop(force=True)
        assert (process.ends, engine.asleep) == (["killed"], False)


async def test_stopping_twice_is_stopping_once(tmp_path: Path) -> None:
    """Asleep, ended, or never started."""
    process = Process(tmp_path / "e.sock", SETTINGS)
    engine = SleepingEngine(process.engine)
    await engine.stop()
    await engine.start()
    await engine.stop()
    await engine.stop()
    assert (process.fake.sleep_mode.naps, process.ends) == (1, ["stopped"])
    await engine.close()
    await engine.stop()
    assert (process.engine.alive, process.engine.closed) == (False, True)


async def test_only_so_many_adapters_sleep(tmp_path: Path) -> None:
    """A wake asks each of them, so the oldest are taken out before; they are loaded again when somebody asks."""
    names = [f"c{number}-0123456789abcdef" for number in range(RESIDENT + 2)]
    async with slept(tmp_path, *names) as (engine, process):
        await engine.start()
        assert process.fake.loaded == names[2:]
        assert process.asked() == ["base", *names[2:]] * 2


async def test_a_start_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """What slept and did not wake is gone, and the failure of the fresh start is told."""
    async with slept(tmp_path, ZIZOU) as (engine, process):
        process.fake.settings = replace(SETTINGS, forgets=True)
        process.engine.will(Failure(Cause.CRASHED, "broken"))
        with pytest.raises(EngineDown):
            await engine.start()
        assert (process.ends, process.engine.alive, engine.asleep) == (["killed"], False, False)


async def test_a_start_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    """In the middle of a wake."""
    async with slept(tmp_path, ZIZOU) as (engine, process):
        process.fake.settings = replace(SETTINGS, fault=Fault.FREEZE)
        starting = asyncio.create_task(engine.start())
        await asyncio.sleep(0.1)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert (process.ends, process.engine.alive, engine.asleep) == (["killed"], False, False)


async def test_a_stop_that_is_cancelled_leaves_nothing_half_asleep(tmp_path: Path) -> None:
    """Nobody could tell what such an engine would say."""
    async with awake(tmp_path, ZIZOU) as (engine, process):
        process.fake.settings = replace(SETTINGS, fault=Fault.FREEZE)
        stopping = asyncio.create_task(engine.stop())
        await asyncio.sleep(0.1)
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        assert (process.ends, process.engine.alive, engine.asleep) == (["killed"], False, False)


async def test_a_death_awake_is_told_and_the_next_start_is_fresh(tmp_path: Path) -> None:
    """`wait` is the engine's own."""
    async with awake(tmp_path, ZIZOU) as (engine, process):
        waiting = asyncio.create_task(engine.wait())
        await process.engine.die()
        assert (await waiting).cause is Cause.KILLED
        await engine.stop()
        await engine.start()
        assert process.starts == 2


async def test_a_fleet_puts_it_to_sleep_and_has_it_back(tmp_path: Path) -> None:
    """Who comes to a sleeping engine gets the same process; and one that is not trusted is ended, though it could sleep."""
    process = Process(tmp_path / "e.sock", SETTINGS)
    fleet = Fleet(SleepingEngine(process.engine), Policy(wake_at_start=False, idle_timeout=0.05))
    await fleet.open()
    try:
        for _ in range(3):
            async with fleet.lease(deadline=60):
                await process.loads(ZIZOU)
            await until(lambda: fleet.state is EngineState.ASLEEP)
            assert process.fake.sleep_mode.sleeping
        assert (process.starts, fleet.wakes) == (1, 3)
        async with fleet.lease(deadline=60) as lease:
            lease.distrust()
        await until(lambda: fleet.state is EngineState.ASLEEP)
        assert process.ends == ["killed"]
        assert not process.engine.broken
    finally:
        await fleet.close()
    assert process.engine.closed


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)
