"""Before an alias moves, the new version answers on the engine: what becomes of those that cannot."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from adapters.registry import Manifest, State
from loadtests.fake_engine import Fault, Voice
from server.fleet.engine import EngineState
from server.fleet.lifecycle import Policy
from tests.server.gateway.memory_registry import manifest
from tests.server.gateway.stage import ADMIN, Stage

ZIZOU = "/admin/v1/communities/zizou"
WORDS = ("Läuft", " bei", " dir", "?", " 🙃", ' "quoted"', "\n", " ok")
BASE = Voice(WORDS, -0.25)


async def move(stage: Stage, alias: str = "live", version: int = 2, **body: Any) -> httpx.Response:
    return await stage.http.put(f"{ZIZOU}/aliases/{alias}", json={"version": version, **body}, headers=ADMIN)


def second(stage: Stage) -> Manifest:
    return stage.memory.held.versions["zizou"][2]


def speaks(stage: Stage, voice: Voice) -> None:
    """How version 2 answers from now on."""
    stage.fault(voices={"base": BASE, second(stage).engine_name: voice})


async def test_a_version_that_speaks_for_itself_goes_live(fresh: Stage) -> None:
    """It and the base were asked the same, greedily, each time without anything that was computed before."""
    speaks(fresh, Voice(WORDS, -0.26))
    response = await move(fresh)
    assert response.status_code == 200, response.text
    assert (response.json()["version"], response.json()["adapter"]["version"]) == (2, 2)
    bodies = [received.body for received in fresh.fake.received]
    assert [body["model"] for body in bodies] == [second(fresh).engine_name, "base"]
    assert all((body["temperature"], body["logprobs"], body["stream"]) == (0.0, True, False) for body in bodies)
    assert bodies[0]["messages"] == bodies[1]["messages"]
    assert bodies[0]["cache_salt"] != bodies[1]["cache_salt"]
    assert await fresh.metric('troupe_trials_total{outcome="passed"}') == 1


FAILURES: dict[str, tuple[Voice, str, State]] = {
    "says nothing": (Voice(()), "silent", State.PUBLISHED),
    "says what the base says": (BASE, "same_as_base", State.PUBLISHED),
    "almost exactly what the base says": (Voice(WORDS, -0.25 - 5e-7), "same_as_base", State.PUBLISHED),
    "NaN as vLLM says it": (Voice(WORDS, fault=Fault.NOT_FINITE), "not_finite", State.QUARANTINED),
    "NaN as null": (Voice(WORDS, None), "not_finite", State.QUARANTINED),
    "NaN as it is": (Voice(WORDS, float("nan")), "not_finite", State.QUARANTINED),
    "minus infinity": (Voice(WORDS, -9999.0), "not_finite", State.QUARANTINED),
    "the engine fails with it": (Voice(WORDS, fault=Fault.STATUS_500), "engine_error", State.QUARANTINED),
    "the engine refuses it": (Voice(WORDS, fault=Fault.STATUS_400), "engine_error", State.QUARANTINED),
}


@pytest.mark.parametrize("alias", ["live", "canary", "best"])
@pytest.mark.parametrize("case", FAILURES)
async def test_nothing_moves_for_a_version_that_fails(fresh: Stage, case: str, alias: str) -> None:
    """Whatever the alias: 409 and why. Only what would do harm is put in quarantine, and never while an alias points at it."""
    voice, outcome, state = FAILURES[case]
    await fresh.memory.clear("zizou", "canary")
    speaks(fresh, voice)
    before = fresh.memory.held.aliases
    response = await move(fresh, alias, **({"share": 50} if alias == "canary" else {}))
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["type"]) == (409, "trial_failed", "invalid_request_error")
    assert error["message"].startswith("zizou@2 failed its trial, and nothing moved: ")
    assert response.headers["x-should-retry"] == "false"
    assert fresh.memory.held.aliases == before
    assert second(fresh).state is state
    assert (second(fresh).reason is None) == (state is State.PUBLISHED)
    assert await fresh.metric(f'troupe_trials_total{{outcome="{outcome}"}}') == 1
    assert not [name for name in fresh.hidden if name in response.text]


async def test_what_an_alias_points_at_is_not_put_in_quarantine_by_a_trial(fresh: Stage) -> None:
    """It is answering somebody: an operator decides."""
    speaks(fresh, Voice(WORDS, None))
    assert (await move(fresh)).status_code == 409
    assert second(fresh).state is State.PUBLISHED


async def test_an_adapter_that_does_not_load_stays_where_it_was(fresh: Stage) -> None:
    """Its bytes may be damaged or the store away: which, the operator is told how to find out."""
    await fresh.memory.clear("zizou", "canary")
    fresh.fault(adapters="none")
    response = await move(fresh)
    assert (response.status_code, response.json()["error"]["code"]) == (409, "trial_failed")
    assert "verify" in response.json()["error"]["message"]
    assert second(fresh).state is State.PUBLISHED


@pytest.mark.parametrize("fault", [Fault.STATUS_500, Fault.DIE, Fault.STATUS_400, Fault.NOT_FINITE])
async def test_an_engine_that_fails_with_everything_says_nothing_of_the_adapter(fresh: Stage, fault: Fault) -> None:
    """The base does not answer either: 503, and nobody is to blame."""
    before = fresh.memory.held
    fresh.fault(fault=fault)
    response = await move(fresh)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "engine_unavailable")
    assert "retry-after" in response.headers
    assert fresh.memory.held is before


async def test_without_an_engine_nothing_is_promoted(fresh: Stage) -> None:
    """503 with a time to come again: live never means what nobody has heard."""
    before = fresh.memory.held
    await fresh.break_down()
    for alias, body in (("live", {}), ("canary", {"share": 10}), ("best", {})):
        version = 1 if alias == "canary" else 2
        response = await move(fresh, alias, version, **body)
        assert (response.status_code, "retry-after" in response.headers) == (503, True)
        assert "secret" not in response.text
    assert fresh.memory.held is before
    assert fresh.fake.received == []


async def test_a_promotion_wakes_the_engine(fresh: Stage) -> None:
    """It counts as a request: its trial waits, and the engine stays for a while."""
    await fresh.sleep()
    assert (await move(fresh)).status_code == 200
    assert (fresh.engine.started, fresh.fleet.state) == (2, EngineState.READY)
    await fresh.time.advance(Policy().idle_timeout - 1)
    assert fresh.fleet.state is EngineState.READY


async def test_without_an_engine_the_way_back_is_open(fresh: Stage) -> None:
    """Whoever rolls back has a reason not to wait: it sleeps, it has failed, or it goes away in the middle of the trial."""
    assert (await move(fresh)).status_code == 200
    await fresh.sleep()
    response = await fresh.http.post(f"{ZIZOU}/rollback", headers=ADMIN)
    assert (response.status_code, response.json()["version"]) == (200, 1)
    assert fresh.fleet.state is EngineState.ASLEEP
    assert (await move(fresh)).status_code == 200
    fresh.fault(fault=Fault.DIE)
    response = await fresh.http.post(f"{ZIZOU}/rollback", json={"alias": "live"}, headers=ADMIN)
    assert (response.status_code, response.json()["version"]) == (200, 1)
    fresh.fault(fault=Fault.NONE)
    assert (await move(fresh)).status_code == 200
    await fresh.break_down()
    response = await fresh.http.post(f"{ZIZOU}/rollback", headers=ADMIN)
    assert (response.status_code, response.json()["version"]) == (200, 1)


async def test_with_an_engine_a_rollback_is_tried_as_well(fresh: Stage) -> None:
    """By that its adapter is loaded before anybody needs it; one that fails is no way back."""
    first = fresh.memory.held.versions["zizou"][1]
    assert (await move(fresh)).status_code == 200
    fresh.fake.received.clear()
    fresh.fault(voices={"base": BASE, first.engine_name: BASE})
    response = await fresh.http.post(f"{ZIZOU}/rollback", headers=ADMIN)
    assert (response.status_code, response.json()["error"]["code"]) == (409, "trial_failed")
    assert fresh.memory.held.pointers("zizou")["live"].version == 2
    fresh.fault(voices={"base": BASE, first.engine_name: Voice(WORDS, -0.3)})
    assert (await fresh.http.post(f"{ZIZOU}/rollback", headers=ADMIN)).json()["version"] == 1
    assert first.engine_name in [received.body["model"] for received in fresh.fake.received]


async def test_only_a_new_version_is_tried(fresh: Stage) -> None:
    """Widening a canary, or saying the same again, asks the engine for nothing."""
    await fresh.sleep()
    assert (await move(fresh, "canary", 2, share=10)).status_code == 200
    response = await move(fresh, "canary", 2, share=12.5)
    assert (response.json()["share"], response.json()["version"]) == (12.5, 2)
    assert (await move(fresh, "live", 1)).status_code == 200
    assert (fresh.fake.received, fresh.fleet.state) == ([], EngineState.ASLEEP)


async def test_a_version_that_has_nothing_to_say_to_one_prompt_gets_another(fresh: Stage) -> None:
    """Both are asked before it counts as silent."""
    speaks(fresh, Voice(()))
    assert (await move(fresh)).status_code == 409
    prompts = {json.dumps(received.body["messages"]) for received in fresh.fake.received}
    assert len(prompts) == 2


async def test_a_version_of_another_base_is_never_tried(fresh: Stage) -> None:
    """Nor is one that is retired or in quarantine; the engine does not hear of them."""
    await fresh.memory.quarantine("zizou", 2, "It is odd.")
    fresh.memory.add(manifest(fresh.base, "zizou", 3, fingerprint="sha256:" + "e" * 64))
    fresh.memory.add(manifest(fresh.base, "zizou", 4))
    await fresh.memory.retire("zizou", 4)
    for version in (2, 3, 4):
        response = await move(fresh, "best", version)
        assert (response.status_code, response.json()["error"]["code"]) == (409, "conflict")
    assert fresh.fake.received == []


async def test_two_promotions_of_one_community_follow_each_other(fresh: Stage) -> None:
    """Each tries and moves before the next begins; others' do not wait for them."""
    fresh.memory.add(manifest(fresh.base, "greybeards", 2))
    fresh.fault(ttft=0.2)
    first, second, other = await asyncio.gather(
        move(fresh, "live", 2),
        move(fresh, "live", 2),
        fresh.http.put("/admin/v1/communities/greybeards/aliases/live", json={"version": 2}, headers=ADMIN),
    )
    assert {first.status_code, second.status_code, other.status_code} == {200}
    assert len([each for each in fresh.fake.received if each.body["model"] == "base"]) == 2
