"""Nobody talks: nothing runs. Somebody talks: an answer, however many ask at once and whatever happens meanwhile. Real vLLM."""

import asyncio
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import aiohttp
import httpx
import pytest

from tests.end_to_end.family import engine_of
from tests.end_to_end.outcomes import Ending, Outcome, counted, outcome_of
from tests.end_to_end.remains import Remains, remains_of
from tests.end_to_end.sleeper import Sleeper, question, sleeper

pytestmark = [pytest.mark.engine, pytest.mark.timeout(3000)]
CALLERS = 50
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def sleeping(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sleeper]:
    home = tmp_path_factory.mktemp("sleeper") / "home"
    shutil.copytree(demo, home / "demo" / demo.name)
    with sleeper(home) as running:
        yield running


async def ask(running: Sleeper, numbers: range) -> list[Outcome]:
    """All at once."""
    timeout = aiohttp.ClientTimeout(total=300)
    async with aiohttp.ClientSession(
        headers=running.stack.headers, connector=aiohttp.TCPConnector(limit=0), timeout=timeout
    ) as http:  # fmt: skip
        url = f"{running.stack.v1}/chat/completions"
        return await asyncio.gather(*(outcome_of(http, url, question(number)) for number in numbers))


async def test_many_callers_at_a_sleeping_engine(sleeping: Sleeper, record_property: Callable[[str, object], None]) -> None:
    """Fifty at once: one wake, fifty answers, and each is told that it waited for a wake."""
    await asyncio.to_thread(sleeping.wait_for, "asleep")
    before = sleeping.engine()["wakes"]
    outcomes = await ask(sleeping, range(CALLERS))
    assert Counter(outcome.ending for outcome in outcomes) == {Ending.ANSWERED: CALLERS}, outcomes
    assert sleeping.engine()["wakes"] == before + 1
    assert all(outcome.headers and outcome.headers["x-troupe-wake"] == "true" for outcome in outcomes)
    record_property("50 callers at a sleeping engine: seconds to the wake", sleeping.engine()["last_wake_seconds"])


async def test_the_wake_is_killed_under_many_callers(sleeping: Sleeper, record_property: Callable[[str, object], None]) -> None:
    """Fifty at once, and the engine is killed while it starts: each gets an answer or a clear error, none is left without a word."""
    await asyncio.to_thread(sleeping.wait_for, "asleep")
    asking = asyncio.create_task(ask(sleeping, range(CALLERS)))
    await asyncio.to_thread(_kill_while_waking, sleeping)
    outcomes = await asking
    endings = Counter(outcome.ending for outcome in outcomes)
    record_property("50 callers, the first wake killed", counted(outcome.ending for outcome in outcomes))
    assert all(outcome.is_clear for outcome in outcomes), outcomes
    assert endings[Ending.ANSWERED] > 0
    assert sleeping.engine()["failed_wakes"] >= 1
    await asyncio.to_thread(sleeping.wait_for, "asleep")


def _kill_while_waking(running: Sleeper) -> None:
    deadline = time.monotonic() + 60
    while not (engines := engine_of(running.stack)):
        assert time.monotonic() < deadline, "no engine was started"
        time.sleep(0.01)
    os.kill(engines[0], signal.SIGKILL)


async def test_sleep_and_wake_again_and_again(sleeping: Sleeper, soak: bool, record_property: Callable[[str, object], None]) -> None:
    """Under random arrivals (3 cycles; 100 in the soak), also while the engine drains: every request is answered or refused with a
    reason, and after each sleep the installation holds what it held after the first."""
    cycles, draw = 100 if soak else 3, random.Random(5)
    outcomes, wakes, held = [], [], []
    for _ in range(cycles):
        await asyncio.to_thread(sleeping.wait_for, "asleep", seconds=90)
        held.append(await asyncio.to_thread(remains_of, sleeping.stack, sleeping.temporary, sleeping.shared_memory()))
        outcomes += await _visit(sleeping, draw)
        wakes.append(sleeping.engine()["last_wake_seconds"])
    await asyncio.to_thread(sleeping.wait_for, "asleep", seconds=90)
    held.append(await asyncio.to_thread(remains_of, sleeping.stack, sleeping.temporary, sleeping.shared_memory()))
    endings = Counter(outcome.ending for outcome in outcomes)
    record_property("sleep and wake: cycles, endings", (cycles, counted(outcome.ending for outcome in outcomes)))
    record_property("sleep and wake: seconds of a wake, p50 and max", (round(median(wakes), 2), round(max(wakes), 2)))
    for name, memory in (("all", [each.memory for each in held]), ("own", [each.own for each in held])):
        figures = [memory[0] // MEGABYTE, int(median(memory)) // MEGABYTE, memory[-1] // MEGABYTE]
        record_property(f"sleep and wake: MB held while asleep ({name}), first, median, last", figures)
    assert set(endings) <= {Ending.ANSWERED, Ending.REFUSED}
    assert all(outcome.is_clear for outcome in outcomes)
    _assert_equal(held[1], held[-1])


async def _visit(running: Sleeper, draw: random.Random) -> list[Outcome]:
    """A few people talk, at random moments; the last pause is about as long as the engine waits before it drains."""
    asking = []
    async with aiohttp.ClientSession(headers=running.stack.headers, timeout=aiohttp.ClientTimeout(total=300)) as http:
        url = f"{running.stack.v1}/chat/completions"
        for _ in range(draw.randint(1, 4)):
            body = question(draw.randrange(1000), max_tokens=draw.randint(1, 24))
            asking.append(asyncio.create_task(outcome_of(http, url, body)))
            await asyncio.sleep(draw.expovariate(2.0))
        await asyncio.wait(asking)
        await asyncio.sleep(max(0.0, draw.gauss(1.05, 0.1)))
        asking.append(asyncio.create_task(outcome_of(http, url, question(draw.randrange(1000)))))
        return await asyncio.gather(*asking)


def _assert_equal(first: Remains, last: Remains) -> None:
    assert sorted(last.processes) == sorted(first.processes)
    assert last.shared_memory == first.shared_memory
    assert last.sockets == first.sockets
    assert last.files == first.files
    assert last.descriptors <= first.descriptors + 4
    assert last.own <= first.own + 32 * MEGABYTE


async def test_scrapes_do_not_keep_the_engine_up(sleeping: Sleeper, soak: bool, record_property: Callable[[str, object], None]) -> None:
    """Health, metrics and the list of models are asked every second (8 times; for two minutes in the soak): the engine goes to sleep all
    the same, and nothing wakes it."""
    assert (await ask(sleeping, range(1)))[0].ending is Ending.ANSWERED
    before, states = sleeping.engine()["wakes"], []
    async with httpx.AsyncClient(base_url=sleeping.stack.url, headers=sleeping.stack.headers, timeout=30) as http:
        for _ in range(120 if soak else 8):
            for path in ("/metrics", "/health/live", "/health/ready", "/v1/models", "/v1/models/zizou"):
                assert (await http.get(path)).status_code == 200, path
            states.append(sleeping.engine()["state"])
            await asyncio.sleep(1)
    asleep = await asyncio.to_thread(remains_of, sleeping.stack, sleeping.temporary, sleeping.shared_memory())
    record_property("two minutes of scrapes: states seen", dict(Counter(states)))
    record_property("standby: MB held while asleep, by gateway and host", asleep.memory // MEGABYTE)
    assert states[-1] == "asleep"
    assert states.index("asleep") <= 6
    assert set(states[states.index("asleep") :]) == {"asleep"}
    assert sleeping.engine()["wakes"] == before


async def test_a_cold_engine_leaves_nothing_and_keeps_a_stream_informed(demo: Path, tmp_path: Path) -> None:
    """Mode `cold`: while the engine starts from nothing, a stream gets comments; when it sleeps, only the gateway is left."""
    shutil.copytree(demo, tmp_path / "home" / "demo" / demo.name)
    told = {"TROUPE_MODE": "cold", "TROUPE_WAKE_AT_START": "false", "TROUPE_KEEPALIVE": "1"}
    with sleeper(tmp_path / "home", **told) as running:
        before = remains_of(running.stack, running.temporary, running.shared_memory())
        outcome = (await ask(running, range(1)))[0]
        await asyncio.to_thread(running.wait_for, "asleep")
        after = remains_of(running.stack, running.temporary, running.shared_memory())
    assert outcome.ending is Ending.ANSWERED
    assert outcome.comments[0] == "waking"
    assert outcome.comments[-1].startswith("awake after ")
    assert outcome.headers is not None
    assert outcome.headers["x-troupe-wake"] == "true"
    assert sorted(after.processes) == sorted(before.processes)
    assert (after.sockets, after.shared_memory) == (frozenset(), frozenset())
