"""Limits over the admin API: what was agreed holds at once, and nobody lifts what somebody else set."""

from typing import Any

import httpx
import pytest

from tests.server.gateway.admin.test_admin import ROOT, call
from tests.server.gateway.stage import ADMIN, CHAT_KEY, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMITS = f"{ROOT}/limits"
ZIZOU = f"{LIMITS}/communities/zizou"
NONE: dict[str, Any] = dict.fromkeys(("requests_per_minute", "tokens_per_minute", "concurrent", "tokens_per_day", "money_per_month"))
ASK = {"model": "zizou", "messages": [{"role": "user", "content": "hello"}]}


async def chat(stage: Stage, **more: Any) -> httpx.Response:
    return await stage.http.post("/v1/chat/completions", json={**ASK, **more}, headers={"authorization": f"Bearer {CHAT_KEY}"})


async def test_what_was_agreed_holds_for_the_next_request(stage: Stage) -> None:
    """It is shown with what is left of it, listed, and when it is cleared the default holds again."""
    before = (await call(stage, "GET", ZIZOU)).json()
    assert (before["is_default"], before["terms"]["tokens_per_day"]) == (True, None)
    wanted = {**NONE, "tokens_per_day": 0, "money_per_month": "12.5", "at_cap": "refuse", "weight": 3}
    put = await call(stage, "PUT", ZIZOU, wanted)
    assert put.json()["terms"] == {**wanted, "money_per_month": "12.50"}
    assert put.json()["state"]["tokens_per_day"]["remaining"] == 0
    refused = await chat(stage)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "insufficient_quota")
    assert (await chat(stage, model="greybeards")).status_code == 200
    listed = (await call(stage, "GET", LIMITS)).json()
    assert listed["communities"] == {"zizou": put.json()["terms"]}
    assert (await call(stage, "DELETE", ZIZOU)).json()["is_default"]
    assert (await chat(stage)).status_code == 200


async def test_a_key_s_limits_are_within_its_community_s(stage: Stage) -> None:
    """Both are held. The key that the settings name has an id, too."""
    path = f"{LIMITS}/keys/set-chat"
    await call(stage, "PUT", path, {**NONE, "requests_per_minute": 1})
    assert (await chat(stage)).status_code == 200
    refused = await chat(stage)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert (await call(stage, "GET", path)).json()["state"]["requests_per_minute"]["remaining"] == 0
    await call(stage, "DELETE", path)
    assert (await chat(stage)).status_code == 200


async def test_a_key_that_replaces_another_has_its_limits(stage: Stage) -> None:
    """From its first request on; one with which nothing was agreed goes on with the defaults."""
    for agreed in ({**NONE, "tokens_per_day": 0, "at_cap": "refuse", "weight": 1}, None):
        made = (await call(stage, "POST", f"{ROOT}/keys", {"name": "bot", "scopes": ["chat"], "communities": ["zizou"]})).json()
        if agreed is not None:
            await call(stage, "PUT", f"{LIMITS}/keys/{made['id']}", agreed)
        new = (await call(stage, "POST", f"{ROOT}/keys/{made['id']}/rotate")).json()
        answer = await stage.http.post("/v1/chat/completions", json=ASK, headers={"authorization": f"Bearer {new['key']}"})
        assert answer.status_code == (200 if agreed is None else 429)
        held = (await call(stage, "GET", f"{LIMITS}/keys/{new['id']}")).json()
        assert (held["is_default"], held["terms"]) == (agreed is None, agreed or {**NONE, "at_cap": "refuse", "weight": 1})
        for key_id in (made["id"], new["id"]):
            await call(stage, "DELETE", f"{LIMITS}/keys/{key_id}")


async def test_whose_budget_is_spent_says_what_happens_then(stage: Stage) -> None:
    """A key's own cap is as its key was told, whatever its community's would be."""
    path = f"{LIMITS}/keys/set-chat"
    await call(stage, "PUT", path, {**NONE, "tokens_per_day": 0, "at_cap": "degrade"})
    assert (await chat(stage)).status_code == 200
    await call(stage, "PUT", ZIZOU, {**NONE, "tokens_per_day": 0})
    assert (await chat(stage)).status_code == 429
    await call(stage, "DELETE", ZIZOU)
    await call(stage, "DELETE", path)


async def test_what_a_budget_has_left_is_told(stage: Stage) -> None:
    await call(stage, "PUT", ZIZOU, {**NONE, "tokens_per_day": 10_000_000})
    await stage.settled()
    state = (await call(stage, "GET", ZIZOU)).json()["state"]["tokens_per_day"]
    used = (await chat(stage)).json()["usage"]["total_tokens"]
    await stage.settled()
    after = (await call(stage, "GET", ZIZOU)).json()["state"]["tokens_per_day"]
    assert after == {**state, "used": state["used"] + used, "remaining": state["remaining"] - used}
    await call(stage, "DELETE", ZIZOU)


async def test_a_community_s_own_admin_sees_its_limits_and_lifts_none(stage: Stage) -> None:
    """It may set those of its community's keys, and others are not there."""
    await call(stage, "PUT", ZIZOU, {**NONE, "concurrent": 5})
    await call(stage, "PUT", f"{LIMITS}/communities/greybeards", {**NONE, "concurrent": 6})
    header = await stage.key("admin", communities=["zizou"])
    ids = {}
    for community in ("zizou", "greybeards"):
        made = await call(stage, "POST", f"{ROOT}/keys", {"name": "bot", "scopes": ["chat"], "communities": [community]})
        ids[community] = made.json()["id"]
        await call(stage, "PUT", f"{LIMITS}/keys/{ids[community]}", {**NONE, "concurrent": 2})
    await call(stage, "PUT", f"{LIMITS}/keys/set-chat", {**NONE, "concurrent": 100})
    listed = (await stage.http.get(LIMITS, headers=header)).json()
    assert (set(listed["communities"]), set(listed["keys"])) == ({"zizou"}, {ids["zizou"]})
    assert (await stage.http.get(ZIZOU, headers=header)).json()["terms"]["concurrent"] == 5
    for method in ("PUT", "DELETE"):
        assert (await stage.http.request(method, ZIZOU, json=NONE, headers=header)).status_code == 403
    assert (await stage.http.get(f"{LIMITS}/communities/greybeards", headers=header)).status_code == 403
    assert (await stage.http.put(f"{LIMITS}/keys/{ids['zizou']}", json={**NONE, "concurrent": 1}, headers=header)).status_code == 200
    for other in (ids["greybeards"], "set-chat"):
        for method in ("GET", "PUT", "DELETE"):
            answer = await stage.http.request(method, f"{LIMITS}/keys/{other}", json=NONE, headers=header)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "key_not_found")
    for path in (ZIZOU, f"{LIMITS}/communities/greybeards", f"{LIMITS}/keys/set-chat"):
        await call(stage, "DELETE", path)


@pytest.mark.parametrize("path", [f"{LIMITS}/keys/0123456789ab", f"{LIMITS}/keys/UPPER", f"{LIMITS}/keys/set-nobody"])
async def test_a_key_that_is_not_there_has_no_limits(stage: Stage, path: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        assert (await call(stage, method, path, NONE)).status_code == 404


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"concurrent": -1}, "concurrent"),
        ({"concurrent": 1.5}, "concurrent"),
        ({"concurrent": "4"}, "concurrent"),
        ({"concurrent": True}, "concurrent"),
        ({"tokens_per_day": 2**70}, "tokens_per_day"),
        ({"money_per_month": -0.01}, "money_per_month"),
        ({"money_per_month": "much"}, "money_per_month"),
        ({"money_per_month": "NaN"}, "money_per_month"),
        ({"money_per_month": "0.0000001"}, "money_per_month"),
        ({"at_cap": "ignore"}, "at_cap"),
        ({"weight": 0}, "weight"),
        ({"weight": 1001}, "weight"),
        ({"anything": 1}, "anything"),
    ],
)
async def test_what_is_no_limit_is_named(stage: Stage, changes: dict[str, Any], param: str) -> None:
    answer = await call(stage, "PUT", ZIZOU, {**NONE, **changes})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_a_limit_that_is_left_out_is_not_lifted_by_that(stage: Stage) -> None:
    """Each is named, or null."""
    answer = await call(stage, "PUT", ZIZOU, {"concurrent": 4})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "requests_per_minute")


@pytest.mark.parametrize("name", ["UPPER", "a%2Fb", "-a", "a" * 64])
async def test_a_name_that_no_community_has(stage: Stage, name: str) -> None:
    answer = await stage.http.put(f"{LIMITS}/communities/{name}", json=NONE, headers=ADMIN)
    assert answer.status_code in (400, 404)


async def test_the_base_has_an_account_of_its_own(stage: Stage) -> None:
    """What keys for several communities ask of it is charged there."""
    await call(stage, "PUT", f"{LIMITS}/communities/base", {**NONE, "tokens_per_day": 0})
    assert (await chat(stage, model="base")).status_code == 429
    await call(stage, "DELETE", f"{LIMITS}/communities/base")
    assert (await chat(stage, model="base")).status_code == 200


async def test_metrics_tell_which_limits_are_in_the_way(stage: Stage) -> None:
    """And what the engine's time goes by; no community and no key is named."""
    line = 'troupe_refusals_total{limit="tokens_per_day",of="community"}'
    before = await stage.metric(line)
    await call(stage, "PUT", ZIZOU, {**NONE, "tokens_per_day": 0})
    assert (await chat(stage)).status_code == 429
    assert await stage.metric(line) == before + 1
    await call(stage, "DELETE", ZIZOU)
    assert await stage.metric('troupe_engine_seconds_total{state="ready"}') > 0
    assert await stage.metric("troupe_ledger_failing") == await stage.metric("troupe_lives_failing") == 0
    text = (await stage.http.get("/metrics")).text
    assert not [name for name in ("zizou", "set-chat") if name in text]
