"""Whatever is killed, whenever: nobody gets half an answer that looks whole, nothing is left behind, and it comes back by itself."""

import asyncio
import os
import random
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import aiohttp
import pytest

from tests.end_to_end.family import engine_of
from tests.end_to_end.faults import Faults
from tests.end_to_end.outcomes import Ending, counted, outcome_of
from tests.end_to_end.sleeper import Sleeper, question, sleeper

pytestmark = [pytest.mark.engine, pytest.mark.timeout(3000)]
HANG_SECONDS = 8


@pytest.fixture(scope="module")
def running(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sleeper]:
    """On a port that a restarted gateway takes again; its engine sleeps after a moment, so that kills also meet wakes and drains."""
    home = tmp_path_factory.mktemp("faults") / "home"
    shutil.copytree(demo, home / "demo" / demo.name)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    told = {"TROUPE_PORT": str(port), "TROUPE_WAKE_AT_START": "false", "TROUPE_HANG_TIMEOUT": str(HANG_SECONDS)}
    with sleeper(home, **told) as stack:
        yield stack


async def test_any_process_is_killed_at_any_moment(running: Sleeper, soak: bool, record_property: Callable[[str, object], None]) -> None:
    """Gateway, standby, API server, engine core and worker, by kill -9, at random moments (3 kills; 25 in the soak)."""
    story = await Faults(running, patience=120).run(25 if soak else 3, random.Random(19), callers=4, pause=6.0)
    record_property("kills on real vLLM", counted(story.killed))
    record_property("kills on real vLLM: how requests ended", counted(outcome.ending for outcome in story.outcomes))
    record_property("seconds to an answer, p50 and max", (round(median(story.recoveries), 1), round(max(story.recoveries), 1)))
    assert story.unexplained() == []
    assert story.orphans == []
    await asyncio.to_thread(running.wait_for, "asleep", seconds=90)
    assert running.shared_memory() == []


async def test_a_frozen_engine_is_replaced(running: Sleeper, record_property: Callable[[str, object], None]) -> None:
    """Its core is stopped by SIGSTOP while streams run and /health still says yes: the streams end with an error, and it is replaced."""
    timeout = aiohttp.ClientTimeout(total=300)
    async with aiohttp.ClientSession(headers=running.stack.headers, timeout=timeout) as http:
        url = f"{running.stack.v1}/chat/completions"
        assert (await outcome_of(http, url, question(0))).ending is Ending.ANSWERED
        core = engine_of(running.stack)[1]
        never_stop = {str(token): -100 for token in running.stack.special_tokens()}
        body = {**question(0, max_tokens=400), "stream": True, "logit_bias": never_stop}
        asking = [asyncio.create_task(outcome_of(http, url, body)) for _ in range(4)]
        await asyncio.sleep(1.0)  # one that has not begun by then is asked once more, and answered
        os.kill(core, signal.SIGSTOP)
        frozen = time.monotonic()
        outcomes = await asyncio.gather(*asking)
        told_after = time.monotonic() - frozen
        again = await outcome_of(http, url, question(1))
    record_property("a frozen core: endings, seconds until they were told", (counted(o.ending for o in outcomes), round(told_after, 1)))
    assert all(outcome.is_clear for outcome in outcomes)
    assert again.ending is Ending.ANSWERED
    assert core not in engine_of(running.stack)
