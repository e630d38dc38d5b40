"""Keys over the admin API: made, listed, replaced, ended; by whom; and what each lets in."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from adapters.registry import Base
from server.accounts import Scope
from server.gateway.admin.schemas import ScopeName
from server.gateway.settings import GatewaySettings
from tests.server.gateway.admin.test_admin import ROOT, ZIZOU, call
from tests.server.gateway.log_lines import lines_of
from tests.server.gateway.stage import ADMIN, Stage, open_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS = f"{ROOT}/keys"
CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
ASK = {"model": "zizou", "messages": [{"role": "user", "content": "hello"}]}
BOT = {"name": "bot", "scopes": ["chat"], "communities": ["zizou"]}


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


async def chats(stage: Stage, key: str, model: str = "zizou") -> int:
    return (await stage.http.post(CHAT, json={**ASK, "model": model}, headers=bearer(key))).status_code


async def test_a_key_s_life(stage: Stage) -> None:
    """Made and shown once, listed without its secret, replaced with an overlap, revoked: each holds from the next request on."""
    made = await call(stage, "POST", KEYS, BOT)
    first = made.json()
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    assert first["key"].startswith(f"tr_{first['id']}_")
    assert await chats(stage, first["key"]) == 200

    rotated = await call(stage, "POST", f"{KEYS}/{first['id']}/rotate", {"overlap": 3600})
    second = rotated.json()
    assert (rotated.status_code, rotated.headers["cache-control"]) == (201, "no-store")
    assert (second["name"], second["scopes"], second["communities"]) == ("bot", ["chat"], ["zizou"])
    assert (second["replaces"]["id"], second["replaces"]["replaced_by"]) == (first["id"], second["id"])
    assert [await chats(stage, key) for key in (first["key"], second["key"])] == [200, 200]
    third = (await call(stage, "POST", f"{KEYS}/{second['id']}/rotate", {"overlap": 0})).json()
    assert [await chats(stage, key) for key in (first["key"], second["key"], third["key"])] == [200, 401, 200]
    assert (await call(stage, "POST", f"{KEYS}/{second['id']}/rotate")).json()["error"]["code"] == "conflict"

    listed = await call(stage, "GET", KEYS)
    ours = {key["id"]: key for key in listed.json()["keys"] if key["name"] == "bot"}
    assert [ours[each["id"]]["opens"] for each in (first, second, third)] == [True, False, True]
    for each in (first, second, third):
        assert each["key"].rpartition("_")[2] not in listed.text
    assert "hash" not in listed.text

    revoked = await call(stage, "DELETE", f"{KEYS}/{third['id']}")
    assert (revoked.status_code, revoked.json()["opens"], revoked.json()["revoked_by"]) == (200, False, "key set-admin")
    assert [await chats(stage, key) for key in (first["key"], third["key"])] == [200, 401]
    assert (await call(stage, "DELETE", f"{KEYS}/{third['id']}")).json()["revoked_at"] == revoked.json()["revoked_at"]


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": None}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes.0"),
        ({"scopes": "chat"}, "scopes"),
        ({"scopes": ["admin", "chat"]}, None),
        ({"scopes": ["admin", "evaluate"]}, None),
        ({"communities": []}, "communities"),
        ({"communities": ["Zizou"]}, None),
        ({"communities": ["base"]}, None),
        ({"communities": ["zizou' OR 1=1 --"]}, None),
        ({"communities": ["zizou\u0000"]}, None),
        ({"communities": "zizou"}, "communities"),
        ({"communities": ...}, "communities"),
        ({"expires_in": 0}, "expires_in"),
        ({"expires_in": -5}, "expires_in"),
        ({"expires_in": "30d"}, "expires_in"),
        ({"expires_in": 1.5}, "expires_in"),
        ({"expires_in": True}, "expires_in"),
        ({"expires_in": 1 << 62}, "expires_in"),
        ({"id": "mine"}, "id"),
        ({"key": "tr_mine"}, "key"),
    ],
)
async def test_what_is_wrong_with_a_key_is_named(stage: Stage, changes: dict[str, Any], param: str | None) -> None:
    """400, and nothing is made. For whom a key is, somebody has to say."""
    before = await stage.keys.list()
    body = {name: value for name, value in {**BOT, **changes}.items() if value is not ...}
    error = (await call(stage, "POST", KEYS, body)).json()["error"]
    assert (error["code"], error["param"]) == ("invalid_value", param)
    assert await stage.keys.list() == before


@pytest.mark.parametrize("overlap", [-1, "1d", 1.5, True, 366 * 86_400])
async def test_an_overlap_is_a_number_of_seconds(stage: Stage, overlap: Any) -> None:
    """Of a year at the most."""
    made = (await call(stage, "POST", KEYS, BOT)).json()
    error = (await call(stage, "POST", f"{KEYS}/{made['id']}/rotate", {"overlap": overlap})).json()["error"]
    assert (error["code"], error["param"]) == ("invalid_value", "overlap")
    assert await chats(stage, made["key"]) == 200


@pytest.mark.parametrize("key_id", ["abcdefgh1234", "UP", "x", "a" * 60, "%27%20OR%201=1--", "%00", "a%0a", "set-admin"])
async def test_a_key_that_is_not_there(stage: Stage, key_id: str) -> None:
    """404 with few of the caller's own words, and no database is asked for what cannot be an id."""
    for method, path in (("POST", f"{KEYS}/{key_id}/rotate"), ("DELETE", f"{KEYS}/{key_id}")):
        response = await stage.http.request(method, path, headers=ADMIN)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "key_not_found")
        assert len(response.json()["error"]["message"]) < 60


async def test_an_expired_key_opens_nothing(stage: Stage) -> None:
    """By the clock, without anybody doing anything."""
    made = (await call(stage, "POST", KEYS, {**BOT, "expires_in": 1})).json()
    assert made["expires_at"] is not None
    while (status := await chats(stage, made["key"])) == 200:
        pass
    assert status == 401


@pytest.mark.parametrize(
    ("scopes", "opened"),
    [
        (("chat",), {CHAT, TEXT, "models"}),
        (("evaluate",), {TEXT, "models", "echo"}),
        (("chat", "evaluate"), {CHAT, TEXT, "models", "echo"}),
        (("publish",), {"openapi", "communities", "community", "promote"}),
        (("admin",), {"openapi", "communities", "community", "promote", "status", "keys"}),
        (("admin", "publish"), {"openapi", "communities", "community", "promote", "status", "keys"}),
        (("publish", "chat"), {CHAT, TEXT, "models", "openapi", "communities", "community", "promote"}),
    ],
)
async def test_what_each_scope_opens(stage: Stage, scopes: tuple[str, ...], opened: set[str]) -> None:
    """And nothing else: what a key is not for is a 403."""
    header = await stage.key(*scopes)
    echo = {"model": "zizou", "prompt": "hi", "echo": True, "max_tokens": 0}
    doors: dict[str, tuple[str, str, Any]] = {
        CHAT: ("POST", CHAT, ASK),
        TEXT: ("POST", TEXT, {"model": "zizou", "prompt": "hi"}),
        "echo": ("POST", TEXT, echo),
        "models": ("GET", "/v1/models", None),
        "openapi": ("GET", f"{ROOT}/openapi.json", None),
        "communities": ("GET", f"{ROOT}/communities", None),
        "community": ("GET", ZIZOU, None),
        "promote": ("PUT", f"{ZIZOU}/aliases/live", {"version": 1}),
        "status": ("GET", f"{ROOT}/status", None),
        "keys": ("GET", KEYS, None),
    }
    found = {}
    for name, (method, path, body) in doors.items():
        found[name] = (await stage.http.request(method, path, json=body, headers=header)).status_code
    assert found == {name: 200 if name in opened else 403 for name in doors}
    assert set(get_args(ScopeName)) == set(map(str, Scope))


async def test_a_publisher_publishes_for_its_communities_only(stage: Stage) -> None:
    """Another one is refused by its name alone, whether it is there or not, before a body is read; and it is in no list."""
    header = await stage.key("publish", communities=["zizou"])
    listed = (await stage.http.get(f"{ROOT}/communities", headers=header)).json()["communities"]
    assert [each["community"] for each in listed] == ["zizou"]
    moved = await stage.http.put(f"{ZIZOU}/aliases/stable", json={"version": 1}, headers=header)
    assert moved.status_code == 200
    assert (await stage.http.delete(f"{ZIZOU}/aliases/stable", headers=header)).status_code == 204
    answers = []
    for community in ("greybeards", "nobody", "UP", "base"):
        for method, path in (
            ("GET", ""), ("POST", "/adapters"), ("GET", "/adapters/1"), ("GET", "/adapters/1/diff/1"), ("POST", "/adapters/1/retire"),
            ("POST", "/adapters/1/quarantine"), ("PUT", "/aliases/live"), ("DELETE", "/aliases/canary"), ("POST", "/rollback"),
        ):  # fmt: skip
            response = await stage.http.request(method, f"{ROOT}/communities/{community}{path}", content=b"no JSON", headers=header)
            answers.append((response.status_code, response.content))
    assert set(answers) == {answers[0]}
    assert answers[0][0] == 403


async def test_a_community_s_own_admin_keeps_its_keys_and_no_others(stage: Stage) -> None:
    """It cannot make one that opens more than itself, and others' keys are not there: not to see, not to replace, not to end."""
    theirs = (await call(stage, "POST", KEYS, {**BOT, "communities": ["greybeards"]})).json()
    both = (await call(stage, "POST", KEYS, {**BOT, "communities": ["greybeards", "zizou"]})).json()
    everyone = (await call(stage, "POST", KEYS, {**BOT, "communities": None})).json()
    header = await stage.key("admin", communities=["zizou"])
    made = await stage.http.post(KEYS, json=BOT, headers=header)
    assert made.status_code == 201
    for communities in (["greybeards"], ["zizou", "greybeards"], None):
        refused = await stage.http.post(KEYS, json={**BOT, "communities": communities}, headers=header)
        assert (refused.status_code, refused.json()["error"]["param"]) == (403, "communities")
    listed = (await stage.http.get(KEYS, headers=header)).json()["keys"]
    assert all(key["communities"] == ["zizou"] for key in listed)
    assert made.json()["id"] in {key["id"] for key in listed}
    for other in (theirs, both, everyone):
        for method, path in (("POST", f"{KEYS}/{other['id']}/rotate"), ("DELETE", f"{KEYS}/{other['id']}")):
            answer = await stage.http.request(method, path, headers=header)
            unknown = await stage.http.request(method, path.replace(other["id"], "0" * 12), headers=header)
            assert answer.status_code == unknown.status_code == 404
            assert answer.text == unknown.text.replace("0" * 12, other["id"])
        assert await chats(stage, other["key"], "greybeards") == 200
    assert (await stage.http.delete(f"{KEYS}/{made.json()['id']}", headers=header)).status_code == 200
    for path in (f"{ROOT}/status", f"{ROOT}/communities/greybeards"):
        assert (await stage.http.get(path, headers=header)).status_code == 403
    for path in ("gc", "verify"):
        assert (await stage.http.post(f"{ROOT}/{path}", headers=header)).status_code == 403


async def test_no_answer_and_no_line_of_the_log_has_a_secret(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """The log has ids, of the key that asked and of the one that it was about."""
    with caplog.at_level("INFO"):
        made = (await call(stage, "POST", KEYS, BOT)).json()
        refused = await stage.http.post(CHAT, json=ASK, headers=bearer(made["key"][:-1]))
        assert await chats(stage, made["key"]) == 200
        rotated = (await call(stage, "POST", f"{KEYS}/{made['id']}/rotate")).json()
        await call(stage, "DELETE", f"{KEYS}/{made['id']}")
    secrets = [each["key"].rpartition("_")[2] for each in (made, rotated)]
    metrics = (await stage.http.get("/metrics")).text
    lines = lines_of(caplog)
    for secret in secrets:
        assert secret[:12] not in caplog.text + str(lines) + refused.text + metrics
    assert made["id"] in [line.get("key") for line in lines]
    assert f"key {made['id']} was revoked by key set-admin" in caplog.text
    assert made["id"] not in metrics


async def test_when_a_key_was_used_is_written_down(tmp_path: Path, base: Base, settings: GatewaySettings) -> None:
    """At the end at the latest; beside requests, and never for one that was wrong."""
    async with open_stage(tmp_path, base, settings) as stage:
        used, unused = [(await call(stage, "POST", KEYS, BOT)).json() for _ in range(2)]
        assert await chats(stage, used["key"]) == 200
        assert await chats(stage, unused["key"][:-1] + "x") == 401
        stage.server.end()
        await stage.serving
        assert (await stage.keys.get(used["id"])).last_used_at is not None
        assert (await stage.keys.get(unused["id"])).last_used_at is None


async def test_the_list_of_a_thousand_communities_fits(stage: Stage) -> None:
    """The largest key that there may be."""
    communities = [f"{'c' * 50}{number}" for number in range(1000)]
    made = await call(stage, "POST", KEYS, {**BOT, "communities": communities})
    assert made.status_code == 201
    assert len(json.dumps(communities)) > 16 << 10
