"""Who comes to an engine that sleeps, starts, fails or drains: everybody gets an answer, or is told why not and when to come again."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.registry import Base
from loadtests.fake_engine import Fault
from server.fleet.engine import EngineState
from server.fleet.fake import KILLED
from server.fleet.lifecycle import Policy
from server.gateway.settings import GatewaySettings
from tests.server.gateway.stage import CHAT_KEY, REFUSED, Stage, open_stage

CHAT = "/v1/chat/completions"
ASK: dict[str, Any] = {"model": "zizou", "messages": [{"role": "user", "content": "hi"}]}
MANY = 50


def ask(stage: Stage, headers: Mapping[str, str] | None = None, *, stream: bool = False) -> "asyncio.Task[httpx.Response]":
    return asyncio.create_task(stage.http.post(CHAT, json={**ASK, "stream": stream}, headers=headers))


def is_whole(response: httpx.Response) -> bool:
    if response.headers["content-type"].startswith("text/event-stream"):
        return response.text.endswith("data: [DONE]\n\n")
    return response.status_code == 200 and bool(response.json()["choices"][0]["finish_reason"])


async def test_many_callers_at_a_sleeping_engine(fresh: Stage) -> None:
    """One start, an answer for each of them, and each is told that it waited for a wake, and how long."""
    await fresh.sleep()
    fresh.engine.hold()
    asking = [ask(fresh, stream=number % 2 == 0) for number in range(MANY)]
    await fresh.waits(MANY)
    assert await fresh.metric_now("troupe_requests_waiting") == MANY
    await fresh.time.advance(2.5)
    fresh.engine.release()
    responses = await asyncio.gather(*asking)
    assert all(map(is_whole, responses))
    assert fresh.engine.started == 2
    assert {response.headers["x-troupe-wake"] for response in responses} == {"true"}
    waits = [float(response.headers["x-troupe-wake-seconds"]) for response in responses]
    assert all(2.5 <= wait < 4 for wait in waits)  # at the gate time does not stand still
    assert await fresh.metric("troupe_wakes_total") == 2
    assert await fresh.metric("troupe_wake_seconds_sum") == 2.5
    assert await fresh.metric("troupe_wait_seconds_count") == MANY


async def test_who_meets_an_engine_that_is_awake_hears_of_no_wake(fresh: Stage) -> None:
    """Neither header is there."""
    response = await ask(fresh)
    assert not [name for name in response.headers if name.startswith("x-troupe-wake")]


async def test_the_first_start_is_killed_under_many_callers(fresh: Stage) -> None:
    """They go on waiting, and all are answered by the next one."""
    await fresh.sleep()
    fresh.engine.will(KILLED)
    asking = [ask(fresh, stream=number % 2 == 0) for number in range(MANY)]
    await fresh.waits(MANY)
    await fresh.until(EngineState.FAILED)
    await fresh.time.advance(1)
    assert all(map(is_whole, await asyncio.gather(*asking)))
    assert await fresh.metric("troupe_failed_wakes_total") == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_an_engine_that_does_not_come_up(fresh: Stage, stream: bool) -> None:
    """Who waits is told once there is no hope, and who comes then at once: 503, when to come again, and no path."""
    await fresh.sleep()
    fresh.engine.will(REFUSED)
    for response in (await ask(fresh, stream=stream), await ask(fresh, stream=stream)):
        assert (response.status_code, response.json()["error"]["code"]) == (503, "engine_unavailable")
        assert int(response.headers["retry-after"]) > 1
        assert response.headers["x-troupe-wake"] == "true"
        assert response.headers["x-troupe-adapter"] == "zizou@1"
        assert not [name for name in (*fresh.hidden, "secret") if name in response.text]
    ready = await fresh.http.get("/health/ready", headers={"authorization": ""})
    assert (ready.status_code, ready.json()) == (
        503,
        {"ready": False, "engine": "failed", "reason": "The engine failed; its log says why."},
    )
    assert await fresh.metric('troupe_engine_state{state="failed"}') == 1
    await fresh.time.advance(60)
    assert is_whole(await ask(fresh, stream=stream))


@pytest.mark.parametrize("stream", [True, False])
async def test_a_deadline_passes(fresh: Stage, stream: bool) -> None:
    """503, a time to come again, and nothing of the request is left; the next one is answered."""
    await fresh.sleep()
    fresh.engine.hold()
    asking = ask(fresh, {"x-troupe-deadline-ms": "1500"}, stream=stream)
    await fresh.waits(1)
    await fresh.time.advance(1.4)
    assert not asking.done()
    await fresh.time.advance(0.2)
    response = await asking
    assert (response.status_code, response.json()["error"]["code"]) == (503, "deadline_exceeded")
    assert int(response.headers["retry-after"]) > 0
    assert response.headers["x-troupe-wake"] == "true"
    assert fresh.fleet.waiting == 0
    fresh.engine.release()
    assert is_whole(await ask(fresh, stream=stream))
    assert len(fresh.fake.received) == 1


@pytest.mark.parametrize(("header", "seconds"), [({}, 120), ({"x-troupe-deadline-ms": "3600000"}, 600)])
async def test_a_request_waits_as_long_as_the_settings_say(fresh: Stage, header: dict[str, str], seconds: float) -> None:
    """Without a header so long, and with one at most so long."""
    await fresh.sleep()
    fresh.engine.hold()
    asking = ask(fresh, header)
    await fresh.waits(1)
    await fresh.time.advance(seconds - 1)
    assert (asking.done(), fresh.fleet.waiting) == (False, 1)
    await fresh.time.advance(2)
    assert (await asking).json()["error"]["code"] == "deadline_exceeded"


@pytest.mark.parametrize("value", ["0", "-1", "+5", "1.5", "1e3", "", "abc", "3600001", "99999999999999999999", "0x10", "1_000", "٣"])
async def test_a_deadline_that_is_none(fresh: Stage, value: str) -> None:
    """400, by the header's name; the engine is not woken."""
    await fresh.sleep()
    headers = [(b"x-troupe-deadline-ms", value.encode())]
    response = await fresh.http.post(CHAT, json=ASK, headers=headers)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (400, "invalid_value", "x-troupe-deadline-ms")
    assert fresh.fleet.state is EngineState.ASLEEP


async def test_two_deadlines_are_none(fresh: Stage) -> None:
    """Neither of them is chosen."""
    headers = [(b"x-troupe-deadline-ms", b"1000"), (b"x-troupe-deadline-ms", b"2000")]
    assert (await fresh.http.post(CHAT, json=ASK, headers=headers)).status_code == 400


async def test_only_so_many_may_wait(tmp_path: Path, base: Base, settings: GatewaySettings) -> None:
    """The next one is told at once that it is too much, and when to come again; the others are answered."""
    async with open_stage(tmp_path, base, settings, policy=Policy(max_waiting=3), awake=False) as stage:
        stage.engine.hold()
        asking = [ask(stage) for _ in range(3)]
        await stage.waits(3)
        refused = await ask(stage)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "server_is_overloaded")
        assert int(refused.headers["retry-after"]) > 0
        stage.engine.release()
        assert all(map(is_whole, await asyncio.gather(*asking)))


@pytest.mark.parametrize("stream", [True, False])
async def test_a_caller_who_leaves_while_waiting_leaves_nothing(fresh: Stage, stream: bool) -> None:
    """Its place is free at once, and no engine is asked for it later."""
    await fresh.sleep()
    fresh.engine.hold()
    body = json.dumps({**ASK, "stream": stream}).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {CHAT_KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", fresh.port)
    writer.write(head.encode() + body)
    await fresh.waits(1)
    writer.close()
    await fresh.waits(0)
    fresh.engine.release()
    await fresh.until(EngineState.READY)
    assert is_whole(await ask(fresh))
    assert len(fresh.fake.received) == 1
    assert await fresh.metric('troupe_errors_total{code="caller_gone"}') == 1


async def test_who_comes_while_the_engine_drains_is_kept(fresh: Stage) -> None:
    """And is answered by the next engine."""
    fresh.engine.hold_stops()
    await fresh.time.advance(Policy().idle_timeout + 1)
    await fresh.until(EngineState.DRAINING)
    asking = ask(fresh)
    await fresh.waits(1)
    fresh.engine.release_stops()
    response = await asking
    assert is_whole(response)
    assert response.headers["x-troupe-wake"] == "true"
    assert fresh.engine.started == 2


async def test_an_hour_of_looking_keeps_no_engine_awake(fresh: Stage) -> None:
    """Health, metrics, models and status are asked again and again: it sleeps after its time, and nothing wakes it."""
    assert is_whole(await ask(fresh))
    states = []
    for _ in range(60):
        await fresh.time.advance(60)
        states.append(fresh.fleet.state)
        for path in ("/health/live", "/health/ready", "/metrics", "/v1/models", "/v1/models/zizou"):
            assert (await fresh.http.get(path)).status_code == 200
        assert (await fresh.http.post(CHAT, json={**ASK, "model": "nobody"})).status_code == 404
        assert (await fresh.http.post(CHAT, json={**ASK, "temperature": 9})).status_code == 400
    assert states.index(EngineState.ASLEEP) <= 5
    assert set(states[5:]) == {EngineState.ASLEEP}
    assert fresh.engine.started == 1
    ready = await fresh.http.get("/health/ready")
    assert ready.json() == {"ready": True, "engine": "asleep"}


@pytest.mark.parametrize("stream", [True, False])
async def test_a_request_that_the_engine_lost_is_asked_once_more(fresh: Stage, stream: bool) -> None:
    """Where the caller has got nothing yet, it does not notice: the next engine answers."""
    fresh.fault(ttft=60.0)
    asking = ask(fresh, stream=stream)
    await fresh.asked()
    fresh.fault(ttft=0.0)
    await fresh.die()
    await fresh.waits(1)
    await fresh.time.advance(1)
    response = await asking
    assert is_whole(response)
    assert len(fresh.fake.received) == 2
    assert fresh.engine.started == 2


async def test_what_has_begun_is_never_asked_again(fresh: Stage) -> None:
    """An error event ends it."""
    fresh.fault(inter_token=0.05, tokens=1000)
    async with fresh.http.stream("POST", CHAT, json={**ASK, "stream": True}) as response:
        lines = response.aiter_lines()
        await anext(lines)
        await fresh.die()
        said = [line async for line in lines if line]
    assert json.loads(said[-1].removeprefix("data: "))["error"]["code"] == "engine_unavailable"
    assert len(fresh.fake.received) == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_it_is_asked_twice_at_most(fresh: Stage, stream: bool) -> None:
    """A request that no engine survives must not end one after the other."""
    fresh.fault(fault=Fault.DIE, fault_after=0, tokens=1)
    response = await asyncio.create_task(fresh.http.post("/v1/completions", json={"model": "zizou", "prompt": "hi", "stream": stream}))
    assert (response.status_code, response.json()["error"]["code"]) == (503, "engine_unavailable")
    assert len(fresh.fake.received) == 2


async def test_a_lost_request_does_not_wait_beyond_its_deadline(fresh: Stage) -> None:
    """The second wait is counted with the first."""
    fresh.fault(ttft=60.0)
    asking = ask(fresh, {"x-troupe-deadline-ms": "500"})
    await fresh.asked()
    await fresh.die()
    response = await asking
    assert response.status_code == 503
    assert "retry-after" in response.headers
    assert len(fresh.fake.received) == 1


async def test_numbers_that_are_none_replace_the_engine(fresh: Stage) -> None:
    """Its caller is told, and the next one meets another engine."""
    fresh.fault(fault=Fault.NOT_FINITE)
    assert (await ask(fresh)).status_code == 502
    async with asyncio.timeout(20):
        while fresh.engine.stopped != [True]:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    fresh.fault(fault=Fault.NONE)
    assert is_whole(await ask(fresh))
    assert fresh.engine.started == 2
