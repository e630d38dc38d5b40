"""Somebody is about to ask: the engine wakes, and the adapter is there when they do. No token is made for it."""

import asyncio
from typing import Any

import httpx
import pytest

from loadtests.fake_engine import CHAT, TOKENIZE
from server.accounts.limits import Kind
from server.fleet.engine import EngineState
from server.fleet.lifecycle import Policy
from tests.server.gateway.memory_registry import manifest
from tests.server.gateway.stage import ADMIN, ADMIN_KEY, EVALUATE_KEY, Stage

WARM = "/v1/warm"


async def warm(stage: Stage, model: Any = "zizou") -> httpx.Response:
    return await stage.http.post(WARM, json={"model": model})


def name(stage: Stage, community: str = "zizou", version: int = 1) -> str:
    return stage.memory.held.versions[community][version].engine_name


async def loaded(stage: Stage, *names: str) -> None:
    async with asyncio.timeout(20):
        while sorted(stage.fake.loaded) != sorted(names):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_an_adapter_is_loaded_without_a_token(fresh: Stage) -> None:
    """The answer does not wait for it."""
    response = await warm(fresh)
    assert (response.status_code, response.json()) == (202, {"object": "warm", "model": "zizou", "engine": "ready"})
    await loaded(fresh, name(fresh))
    assert [received.path for received in fresh.fake.received] == [TOKENIZE]
    assert fresh.fake.counters.generation == 0
    assert await fresh.metric('troupe_warm_loads_total{outcome="loaded"}') == 1


async def test_a_second_time_costs_nothing(fresh: Stage) -> None:
    """While somebody types, a client may say so again and again."""
    await warm(fresh)
    await loaded(fresh, name(fresh))
    for _ in range(20):
        assert (await warm(fresh)).status_code == 202
    await warm(fresh, "greybeards")
    await loaded(fresh, name(fresh), name(fresh, "greybeards"))
    assert len(fresh.fake.received) == 2


async def test_a_sleeping_engine_wakes_and_then_loads(fresh: Stage) -> None:
    """202 at once; what was asked for is there when the engine is."""
    await fresh.sleep()
    fresh.engine.hold()
    response = await warm(fresh)
    assert (response.status_code, response.json()["engine"]) == (202, "waking")
    assert (await warm(fresh, "greybeards")).json()["engine"] == "waking"
    await fresh.until(EngineState.WAKING)
    assert fresh.fleet.waiting == 0
    fresh.engine.release()
    await loaded(fresh, name(fresh), name(fresh, "greybeards"))
    assert fresh.engine.started == 2


async def test_the_base_only_wakes(fresh: Stage) -> None:
    """It has nothing to load."""
    await fresh.sleep()
    assert (await warm(fresh, "base")).status_code == 202
    await fresh.until(EngineState.READY)
    assert fresh.fake.received == []


async def test_it_counts_as_a_request_for_the_idle_clock(fresh: Stage) -> None:
    """Whoever types long finds the engine awake, and an engine that nobody asked in the end sleeps again."""
    half = Policy().idle_timeout / 2 + 1
    await fresh.time.advance(half)
    await warm(fresh, "base")
    await fresh.time.advance(half)
    assert fresh.fleet.state is EngineState.READY
    await fresh.time.advance(half)
    await fresh.until(EngineState.ASLEEP)


async def test_a_canary_is_loaded_with_what_is_live(fresh: Stage) -> None:
    """Who will take it is not known before there is a conversation."""
    fresh.memory.add(manifest(fresh.base, "zizou", 2), "canary", share=50)
    await fresh.seen()
    await warm(fresh)
    await loaded(fresh, name(fresh), name(fresh, "zizou", 2))
    await warm(fresh, "zizou@2")


@pytest.mark.parametrize("model", ["nobody", "strangers", "unborn", "zizou@9", "../etc"])
async def test_an_unknown_model_wakes_nobody(fresh: Stage, model: str) -> None:
    """404, in the words of any other route."""
    await fresh.sleep()
    response = await warm(fresh, model)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
    await fresh.time.settle()
    assert fresh.fleet.state is EngineState.ASLEEP


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model": 1}', b'{"model": "zizou", "n": 1}', b'{"model":"' + b"z" * 5000 + b'"}'])
async def test_a_body_that_says_something_else(fresh: Stage, body: bytes) -> None:
    """Refused, and nobody wakes."""
    await fresh.sleep()
    assert (await fresh.http.post(WARM, content=body)).status_code in (400, 413)
    await fresh.time.settle()
    assert fresh.fleet.state is EngineState.ASLEEP


async def test_it_takes_a_key_that_chats(fresh: Stage) -> None:
    """Anybody else could keep a GPU up."""
    for key, status in (("wrong", 401), (ADMIN_KEY, 403), (EVALUATE_KEY, 202)):
        headers = {"authorization": f"Bearer {key}"}
        assert (await fresh.http.post(WARM, json={"model": "zizou"}, headers=headers)).status_code == status
    assert (await fresh.http.get(WARM)).status_code == 405


@pytest.mark.parametrize(
    ("owner", "limits"),
    [
        ("communities/zizou", {"tokens_per_day": 0, "at_cap": "degrade"}),
        ("communities/base", {"tokens_per_day": 0}),
        ("communities/zizou", {"concurrent": 0}),
        ("keys/set-chat", {"requests_per_minute": 0}),
    ],
)
async def test_whoever_would_be_refused_wakes_nobody(fresh: Stage, owner: str, limits: dict[str, Any]) -> None:
    """In the words of that refusal: what an engine costs that nobody may use would be the operator's. Others wake it."""
    await fresh.sleep()
    terms: dict[str, Any] = {**dict.fromkeys([kind.value for kind in Kind]), **limits}
    assert (await fresh.http.put(f"/admin/v1/limits/{owner}", json=terms, headers=ADMIN)).status_code == 200
    refused = await warm(fresh, "base" if owner.endswith("base") else "zizou")
    asked = await fresh.http.post(
        CHAT, json={"model": "base" if owner.endswith("base") else "zizou", "messages": [{"role": "user", "content": "hi"}]}
    )
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, asked.json()["error"]["code"])
    await fresh.time.settle()
    assert fresh.fleet.state is EngineState.ASLEEP
    if owner.startswith("communities"):
        assert (await warm(fresh, "greybeards")).status_code == 202
        await fresh.until(EngineState.READY)


async def test_an_adapter_that_does_not_load_is_left_to_its_first_request(fresh: Stage) -> None:
    """Which says what is wrong; the next that is named is loaded all the same."""
    fresh.fault(adapters="greybeards-.*")
    await warm(fresh)
    await warm(fresh, "greybeards")
    await loaded(fresh, name(fresh, "greybeards"))
    assert await fresh.metric('troupe_warm_loads_total{outcome="failed"}') == 1


async def test_what_nobody_asked_for_in_time_is_not_loaded(fresh: Stage) -> None:
    """An engine that comes up after hours does not load what somebody once typed for; and only so many are remembered."""
    await fresh.break_down()
    for version in range(3, 103):
        fresh.memory.add(manifest(fresh.base, "zizou", version))
    await fresh.seen()
    for version in range(3, 103):
        assert (await warm(fresh, f"zizou@{version}")).json()["engine"] == "failed"
    fresh.engine.will()
    await fresh.time.advance(60)
    await warm(fresh, "base")
    await fresh.until(EngineState.READY)
    await loaded(fresh, *(name(fresh, "zizou", version) for version in range(39, 103)))
