"""Requests before an engine that takes few at once: who comes next, who is refused, and what they are told."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from adapters.registry import Base
from server.gateway.admission.policy import Bounds
from server.gateway.admission.seats import SPARE
from server.gateway.settings import GatewaySettings
from tests.server.gateway.stage import Stage, open_stage

CHAT = "/v1/chat/completions"
SEATS = 1 + SPARE
FEW = Bounds(slots=1, batch=1, waiting=8, shortest_swap=0.0, longest_swap=0.0)


@pytest_asyncio.fixture
async def few(tmp_path: Path, base: Base, settings: GatewaySettings) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path, base, settings.model_copy(update={"keepalive": 0.05}), bounds=FEW) as stage:
        yield stage


def ask(stage: Stage, model: str = "zizou", **more: Any) -> "asyncio.Task[httpx.Response]":
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    return asyncio.create_task(stage.http.post(CHAT, json=body))


async def queued(stage: Stage, count: int) -> None:
    async with asyncio.timeout(20):
        while await stage.metric_now("troupe_requests_queued") != count:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_the_engine_gets_no_more_than_it_takes(few: Stage) -> None:
    """All are answered; the others wait in front of it."""
    few.speaks.clear()
    asking = [ask(few) for _ in range(SEATS + 3)]
    await queued(few, 3)
    await few.asked(SEATS)
    assert len(few.fake.received) == SEATS
    assert await few.metric_now("troupe_requests_admitted") == SEATS
    few.speaks.set()
    assert [each.status_code for each in await asyncio.gather(*asking)] == [200] * (SEATS + 3)


async def test_an_adapter_without_a_slot_waits_until_the_one_that_has_it_is_done(few: Stage) -> None:
    """Though there are seats; and requests for the one that came later go behind it."""
    few.speaks.clear()
    first = ask(few)
    await few.asked(1)
    second = ask(few, "greybeards")
    await queued(few, 1)
    third = ask(few)
    await queued(few, 2)
    assert len(few.fake.received) == 1
    few.speaks.set()
    await asyncio.gather(first, second, third)
    names = [received.body["model"].rpartition("-")[0] for received in few.fake.received]
    assert names == ["zizou", "greybeards", "zizou"]
    assert await few.metric_now("troupe_swaps_total") >= 1


async def test_an_answer_says_how_long_it_waited_for_its_turn(few: Stage) -> None:
    """And one that did not wait says nothing."""
    few.speaks.clear()
    first = [ask(few) for _ in range(SEATS)]
    await few.asked(SEATS)
    late = ask(few)
    await queued(few, 1)
    few.speaks.set()
    assert float((await late).headers["x-troupe-queue-seconds"]) > 0
    assert not any("x-troupe-queue-seconds" in each.headers for each in await asyncio.gather(*first))


async def test_the_base_needs_no_slot(few: Stage) -> None:
    """Beside an adapter in the only one: the engine is asked for both before either is answered."""
    few.speaks.clear()
    asking = [ask(few), ask(few, "base")]
    await few.asked(2)
    assert len(few.fake.received) == 2
    few.speaks.set()
    assert [answer.status_code for answer in await asyncio.gather(*asking)] == [200, 200]


async def test_too_much_of_ones_own_is_refused_and_another_one_is_let_in(few: Stage) -> None:
    """429 for whoever fills his part of the queue, at once; 503 for all when it is full."""
    few.speaks.clear()
    body = {"model": "zizou", "messages": [{"role": "user", "content": "hi"}]}
    asking = [ask(few, stream=bool(number % 2)) for number in range(SEATS + 6)]
    await queued(few, 6)
    refused = await few.http.post(CHAT, json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert int(refused.headers["retry-after"]) >= 1
    asking += [ask(few, "greybeards"), ask(few, "greybeards")]
    await queued(few, 8)
    for model in ("zizou", "greybeards", "base"):
        full = await few.http.post(CHAT, json={**body, "model": model})
        assert (full.status_code, full.json()["error"]["code"]) == (503, "server_is_overloaded")
        assert int(full.headers["retry-after"]) >= 1
    few.speaks.set()
    assert {each.status_code for each in await asyncio.gather(*asking)} == {200}


async def test_a_stream_is_told_that_it_waits_for_its_turn(few: Stage) -> None:
    few.speaks.clear()
    asking = [ask(few) for _ in range(SEATS)]
    await few.asked(SEATS)
    body = {"model": "zizou", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    async with few.http.stream("POST", CHAT, json=body) as response:
        assert response.status_code == 200
        assert "x-troupe-wake" not in response.headers
        lines = response.aiter_lines()
        assert await anext(lines) == ": queued"
        few.speaks.set()
        assert [line async for line in lines if line][-1] == "data: [DONE]"
    await asyncio.gather(*asking)


async def test_whoever_waits_for_his_turn_is_told_at_once_that_the_server_stops(few: Stage) -> None:
    """Those who are being answered have time to finish."""
    few.speaks.clear()
    running = [ask(few) for _ in range(SEATS)]
    await few.asked(SEATS)
    waiting = [ask(few, stream=stream) for stream in (False, True)]
    await queued(few, 2)
    few.server.end()
    whole, stream = await asyncio.gather(*waiting)
    assert (whole.status_code, whole.json()["error"]["code"]) == (503, "engine_unavailable")
    assert stream.status_code == 503 or '"engine_unavailable"' in stream.text
    few.speaks.set()
    assert [each.status_code for each in await asyncio.gather(*running)] == [200] * SEATS
    await few.serving


async def test_one_who_leaves_the_queue_is_not_asked_for(few: Stage) -> None:
    """And his row is closed, for nothing."""
    few.speaks.clear()
    running = [ask(few) for _ in range(SEATS)]
    await few.asked(SEATS)
    leaving = ask(few, "greybeards")
    await queued(few, 1)
    leaving.cancel()
    await queued(few, 0)
    few.speaks.set()
    await asyncio.gather(*running)
    assert len(few.fake.received) == SEATS


@pytest.mark.parametrize("model", ["zizou", "greybeards"])
async def test_a_deadline_counts_in_the_queue(few: Stage, model: str) -> None:
    few.speaks.clear()
    running = [ask(few) for _ in range(SEATS)]
    await few.asked(SEATS)
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    late = await few.http.post(CHAT, json=body, headers={"x-troupe-deadline-ms": "50"})
    assert (late.status_code, late.json()["error"]["code"]) == (503, "deadline_exceeded")
    few.speaks.set()
    await asyncio.gather(*running)


async def test_whoever_waits_for_his_turn_at_a_sleeping_engine_waits_for_a_wake(few: Stage) -> None:
    """And is told so, like those who are the first to get it."""
    await few.sleep()
    few.engine.hold()
    asking = [ask(few) for _ in range(SEATS + 2)]
    await queued(few, 2)
    few.engine.release()
    answers = await asyncio.gather(*asking)
    assert {(each.status_code, each.headers["x-troupe-wake"]) for each in answers} == {(200, "true")}
    assert all("x-troupe-wake-seconds" in each.headers for each in answers)
