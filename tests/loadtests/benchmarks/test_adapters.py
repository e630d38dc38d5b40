"""What listeners notice, against the engine's stand-in; and the table."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from loadtests.benchmarks.adapters import Stall, table, watched
from loadtests.benchmarks.listeners import Listeners, WrongAnswer
from loadtests.fake_engine import FakeEngine, FakeSettings, Fault

PAUSE = 0.05


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    async with FakeEngine(FakeSettings(tokens=5, inter_token=0.001)) as engine:
        yield engine


async def test_a_pause_is_seen_by_who_listens_meanwhile(engine: FakeEngine) -> None:
    """Streams that end are asked for again; a server that is slower for a while shows in the longest pause, and not in what came before."""
    async with aiohttp.ClientSession(engine.url) as http:
        listeners = Listeners(http, ["base", "base"], [7], max_tokens=5)
        async with listeners.listening():
            before = await watched(listeners, asyncio.sleep(PAUSE))
            engine.settings = FakeSettings(tokens=5, inter_token=PAUSE)
            after = await watched(listeners, asyncio.sleep(4 * PAUSE))
    assert len(engine.received) > 2
    assert engine.received[0].body["logit_bias"] == {"7": -100}
    assert after.max_ms >= 1000 * PAUSE
    assert before.p50_ms < after.p50_ms
    assert after.seconds == pytest.approx(4 * PAUSE, abs=PAUSE)


async def test_a_stream_that_fails_ends_the_benchmark(engine: FakeEngine) -> None:
    """Its silence would look like a stall, or like none."""
    engine.settings = FakeSettings(tokens=5, fault=Fault.ERROR_EVENT)
    async with aiohttp.ClientSession(engine.url) as http:
        with pytest.raises(ExceptionGroup) as caught:
            async with Listeners(http, ["base"], [], max_tokens=5).listening():
                await asyncio.sleep(60)
    assert caught.group_contains(WrongAnswer)


def test_the_table_has_a_row_for_everything_that_happened() -> None:
    """Median, smallest and largest of the rounds."""
    rows = table({"Troupe": {"nothing": [Stall(1, 2, 3, 4), Stall(2, 3, 40, 5), Stall(3, 4, 5, 6)]}})
    assert rows[-1] == "| Troupe | nothing | 2 (1–3) | 3 (2–4) | 5 (3–40) | 5.0 (4.0–6.0) |"
    assert len({row.count("|") for row in rows}) == 1
