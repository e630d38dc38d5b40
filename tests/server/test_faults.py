"""Kills by the hundred, with fake engines: the processes, their deaths and everything of ours around them are the real ones."""

import asyncio
import os
import random
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import pytest

from tests.end_to_end.family import engine_of
from tests.end_to_end.faults import Faults
from tests.end_to_end.outcomes import Ending, counted, outcome_of
from tests.end_to_end.sleeper import Sleeper, sleeper
from tests.server.gateway.stage import write_base

pytestmark = pytest.mark.timeout(3000)
FAKE_UP = (sys.executable, "-m", "tests.end_to_end.fake_up", "--inter-token", "0.01", "--start-delay", "0.3", "--tokens", "40")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Sleeper]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    told = {
        "TROUPE_BASE": str(write_base(tmp_path / "base")),
        "TROUPE_ENGINE_QUANTIZATION": "none",
        "TROUPE_PORT": str(port),
        "TROUPE_WAKE_AT_START": "false",
        "TROUPE_HANG_TIMEOUT": "5",
    }
    with sleeper(tmp_path / "home", FAKE_UP, **told) as stack:
        yield stack


def question(number: int) -> Mapping[str, Any]:
    return {
        "model": "base",
        "messages": [{"role": "user", "content": f"who wins game {number}?"}],
        "max_tokens": 40,
        "stream": number % 4 < 3,
    }


async def test_any_process_is_killed_at_any_moment(running: Sleeper, soak: bool, record_property: Callable[[str, object], None]) -> None:
    """Gateway, standby, API server, engine core and worker, by kill -9 (8 kills; 200 in the soak): nobody gets half an answer that looks
    whole, nothing is left behind, and it recovers by itself."""
    story = await Faults(running, patience=60, body=question).run(200 if soak else 8, random.Random(7), callers=6, pause=2.0)
    record_property("kills with fake engines", counted(story.killed))
    record_property("kills with fake engines: how requests ended", counted(outcome.ending for outcome in story.outcomes))
    record_property("seconds to an answer, p50 and max", (round(median(story.recoveries), 1), round(max(story.recoveries), 1)))
    assert story.unexplained() == []
    assert story.orphans == []
    await asyncio.to_thread(running.wait_for, "asleep", seconds=60)
    assert running.shared_memory() == []


async def test_an_engine_that_is_stopped_is_replaced(running: Sleeper) -> None:
    """Its core by SIGSTOP, so that `/health` still says yes: nobody waits for ever, and somebody else answers the next one."""
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(headers=running.stack.headers, timeout=timeout) as http:
        url = f"{running.stack.v1}/chat/completions"
        assert (await outcome_of(http, url, question(0))).ending is Ending.ANSWERED
        core = engine_of(running.stack)[1]
        os.kill(core, signal.SIGSTOP)
        outcomes = await asyncio.gather(*(outcome_of(http, url, question(number)) for number in range(8)))
        again = await outcome_of(http, url, question(1))
    assert all(outcome.is_clear for outcome in outcomes)
    assert again.ending is Ending.ANSWERED
    assert core not in engine_of(running.stack)
