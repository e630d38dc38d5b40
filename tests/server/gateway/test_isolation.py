"""What a key that is bound to communities sees of the others: nothing."""

from typing import Any

import httpx
import pytest

from tests.server.gateway.stage import ADMIN, CHAT_KEY, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK = {"messages": [{"role": "user", "content": "hello"}]}
FOREIGN = ("greybeards", "greybeards@1", "greybeards@live", "greybeards@canary", "greybeards@9", "strangers", "unborn", "unborn@1")
"""Names of communities that are there, live or not, and of versions that are there or not."""


def as_random(response: httpx.Response, name: str) -> tuple[int, bytes, list[tuple[str, str]]]:
    """All that a caller can compare, its own words and what differs from request to request left out."""
    own = ("x-request-id", "date", "content-length")
    heads = [(key, value) for key, value in response.headers.multi_items() if key not in own]
    return response.status_code, response.content.replace(name.encode(), b"NAME"), heads


async def ask_everywhere(stage: Stage, model: str, header: dict[str, str]) -> list[httpx.Response]:
    """By every route that takes a model."""
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/v1/chat/completions", {**ASK, "model": model}),
        ("/v1/chat/completions", {**ASK, "model": model, "stream": True}),
        ("/v1/completions", {"prompt": "hi", "model": model}),
        ("/v1/warm", {"model": model}),
    ]
    answers = [await stage.http.post(path, json=body, headers=header) for path, body in bodies]
    return [*answers, await stage.http.get(f"/v1/models/{model}", headers=header)]


@pytest.mark.parametrize("scopes", [("chat",), ("chat", "evaluate")])
async def test_another_community_s_model_is_as_one_that_does_not_exist(stage: Stage, scopes: tuple[str, ...]) -> None:
    """Byte for byte, but for the name that the caller said; and the engine hears nothing of it."""
    header = await stage.key(*scopes, communities=["zizou"])
    random = [as_random(each, "nosuchname") for each in await ask_everywhere(stage, "nosuchname", header)]
    assert {status for status, _, _ in random} == {404}
    for model in FOREIGN:
        assert [as_random(each, model) for each in await ask_everywhere(stage, model, header)] == random
    assert stage.fake.received == []
    assert stage.fake.loads == []


async def test_its_own_models_and_the_base_are_as_ever(stage: Stage) -> None:
    """By all their names."""
    header = await stage.key("chat", communities=["zizou"])
    for model in ("zizou", "zizou@2", "zizou@canary", "base"):
        assert [each.status_code for each in await ask_everywhere(stage, model, header)] == [200, 200, 200, 202, 200]


@pytest.mark.parametrize(
    ("communities", "seen"),
    [
        (["zizou"], ["base", "zizou"]),
        (["greybeards", "zizou"], ["base", "greybeards", "zizou"]),
        (["nobody"], ["base"]),
        (["strangers"], ["base"]),
        (None, ["base", "greybeards", "zizou"]),
    ],
)
async def test_the_list_of_models_is_the_key_s_own(stage: Stage, communities: list[str] | None, seen: list[str]) -> None:
    """What is live of its communities, and the base."""
    listed = await stage.http.get("/v1/models", headers=await stage.key("chat", communities=communities))
    assert [entry["id"] for entry in listed.json()["data"]] == seen
    assert all(name in seen for name in ("greybeards", "strangers", "unborn") if name in listed.text)


@pytest.mark.asyncio(loop_scope="function")
async def test_a_community_that_goes_live_is_seen_by_its_own_only(fresh: Stage) -> None:
    """And by keys for all communities, without anybody touching them."""
    theirs, others = await fresh.key("chat", communities=["unborn"]), await fresh.key("chat", communities=["zizou"])
    everyone = await fresh.key("chat")
    assert (await fresh.http.put("/admin/v1/communities/unborn/aliases/live", json={"version": 1}, headers=ADMIN)).status_code == 200
    told = [await fresh.http.get("/v1/models/unborn", headers=header) for header in (theirs, others, everyone)]
    assert [each.status_code for each in told] == [200, 404, 200]


async def test_caches_are_shared_by_who_pays_and_by_nobody_else(stage: Stage) -> None:
    """A community's keys share one, also for the base; keys for several communities talk to the base each on its own."""
    ours, too, theirs = [await stage.key("chat", communities=[name]) for name in ("zizou", "zizou", "greybeards")]
    several, everyone = await stage.key("chat", communities=["zizou", "greybeards"]), await stage.key("chat")
    salts: dict[tuple[int, str], str] = {}
    callers = (ours, too, theirs, several, everyone, {"authorization": f"Bearer {CHAT_KEY}"})
    for number, header in enumerate(callers):
        for model in ("zizou", "greybeards", "base"):
            if (await stage.http.post("/v1/chat/completions", json={**ASK, "model": model}, headers=header)).status_code == 200:
                salts[number, model] = stage.fake.received[-1].body["cache_salt"]
    zizou, greybeards = salts[0, "zizou"], salts[2, "greybeards"]
    assert {salts[0, "base"], salts[1, "base"], salts[1, "zizou"], salts[3, "zizou"], salts[4, "zizou"], salts[5, "zizou"]} == {zizou}
    assert {salts[2, "base"], salts[3, "greybeards"], salts[4, "greybeards"], salts[5, "greybeards"]} == {greybeards}
    assert len({zizou, greybeards, salts[3, "base"], salts[4, "base"], salts[5, "base"]}) == 5
    assert (0, "greybeards") not in salts
    assert all(len(salt) == 64 and int(salt, 16) for salt in salts.values())


async def test_an_evaluate_key_scores_its_own_communities_only(stage: Stage) -> None:
    """Log-probabilities of another's adapter would tell what it learnt."""
    header = await stage.key("evaluate", communities=["zizou"])
    scores = {"prompt": [5, 6], "echo": True, "logprobs": 1, "max_tokens": 0}
    answers = [
        (await stage.http.post("/v1/completions", json={**scores, "model": model}, headers=header)).status_code
        for model in ("zizou", "base", "greybeards")
    ]
    assert answers == [200, 200, 404]
