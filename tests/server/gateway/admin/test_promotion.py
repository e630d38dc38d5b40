"""Versions come and go while everybody keeps talking: each answer says which version it is, and no answer is lost."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from adapters.registry import Manifest
from loadtests.fake_engine import Fault, Voice
from server.gateway.apis.messages import Message
from server.gateway.canary import conversation_key, takes_canary
from tests.server.gateway.memory_registry import manifest
from tests.server.gateway.stage import ADMIN, Stage

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
HELLO = {"role": "user", "content": "hello"}
ASK: dict[str, dict[str, Any]] = {CHAT: {"messages": [HELLO]}, TEXT: {"prompt": "hello"}}
NAME = "x-troupe-adapter"
ALIASES = "/admin/v1/communities/zizou/aliases"


async def move(stage: Stage, alias: str, version: int, **body: Any) -> httpx.Response:
    return await stage.http.put(f"{ALIASES}/{alias}", json={"version": version, **body}, headers=ADMIN)


def served(stage: Stage, community: str, version: int) -> Manifest:
    return stage.memory.held.versions[community][version]


@pytest.mark.parametrize("path", [CHAT, TEXT])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("model", "adapter"),
    [("base", "base"), ("zizou", "zizou@1"), ("zizou@live", "zizou@1"), ("zizou@canary", "zizou@2"), ("unborn@1", "unborn@1")],
)
async def test_each_answer_names_its_version(fresh: Stage, model: str, adapter: str, stream: bool, path: str) -> None:
    """In a header; in the body it is the caller's own model string."""
    response = await fresh.http.post(path, json={"model": model, "stream": stream, **ASK[path]})
    assert (response.status_code, response.headers[NAME]) == (200, adapter)
    assert f'"model":"{model}"' in response.text


async def test_errors_name_the_version_once_it_is_known(fresh: Stage) -> None:
    """Not those of a request that did not get so far."""
    body = {"model": "zizou", **ASK[CHAT]}
    for changes, status in (({"max_tokens": 10_000}, 400), ({"messages": [{"role": "user", "content": "why? " * 500}]}, 400)):
        response = await fresh.http.post(CHAT, json={**body, **changes})
        assert (response.status_code, response.headers[NAME]) == (status, "zizou@1")
    for fault, status in ((Fault.STATUS_500, 502), (Fault.DIE, 503)):
        fresh.fault(fault=fault)
        response = await fresh.http.post(CHAT, json=body)
        assert (response.status_code, response.headers[NAME]) == (status, "zizou@1")
    await fresh.break_down()
    assert (await fresh.http.post(CHAT, json=body)).headers[NAME] == "zizou@1"
    refused: list[dict[str, Any]] = [{"model": "nobody"}, {"model": "strangers"}, {"temperature": 9}, {"messages": []}]
    for early in refused:
        response = await fresh.http.post(CHAT, json={**body, **early})
        assert response.status_code in (400, 404)
        assert NAME not in response.headers
    assert NAME not in (await fresh.http.post(CHAT, json=body, headers={"authorization": ""})).headers
    assert NAME not in (await fresh.http.get("/v1/models")).headers


async def test_unknown_and_foreign_models_get_the_same_bytes(fresh: Stage) -> None:
    """But for the name that was asked for; also what is in quarantine, and on both endpoints."""
    await fresh.memory.quarantine("zizou", 2, "It is odd.")
    await fresh.seen()
    for path in (CHAT, TEXT):
        bodies = set()
        for name in ("nobody", "strangers", "strangers@1", "unborn", "zizou@2", "zizou@canary", "zizou@9"):
            response = await fresh.http.post(path, json={"model": name, **ASK[path]})
            assert response.status_code == 404
            bodies.add(response.text.replace(name, "?"))
        assert len(bodies) == 1


async def test_a_promotion_holds_from_the_next_request_on(fresh: Stage) -> None:
    """Through the admin API as soon as it has answered, and soon when it was made behind the gateway's back."""
    for version in (2, 1, 2):
        assert (await move(fresh, "live", version)).status_code == 200
        response = await fresh.http.post(CHAT, json={"model": "zizou", **ASK[CHAT]})
        assert response.headers[NAME] == f"zizou@{version}"
        assert fresh.fake.received[-1].body["model"] == served(fresh, "zizou", version).engine_name
    await fresh.memory.promote("zizou", 1)
    await fresh.seen()
    assert (await fresh.http.post(CHAT, json={"model": "zizou", **ASK[CHAT]})).headers[NAME] == "zizou@1"


async def test_a_stream_ends_with_the_version_it_began_with(fresh: Stage) -> None:
    """Ten of them, while live moves back and forth: every word is in the voice that the header names."""
    voices = {served(fresh, "zizou", n).engine_name: Voice((f"v{n} ",), -float(n)) for n in (1, 2)}
    fresh.fault(inter_token=0.03, tokens=12, voices=voices)

    async def talk() -> tuple[str, str]:
        stream = {"model": "zizou", "stream": True, **ASK[CHAT]}
        async with fresh.http.stream("POST", CHAT, json=stream) as response:
            return response.headers[NAME], (await response.aread()).decode()

    talking = []
    for version in (2, 1, 2, 1, 2):
        talking += [asyncio.create_task(talk()) for _ in range(2)]
        await asyncio.sleep(0.05)
        assert (await move(fresh, "live", version)).status_code == 200
    answers = await asyncio.gather(*talking)
    assert {adapter for adapter, _ in answers} == {"zizou@1", "zizou@2"}
    for adapter, text in answers:
        number = adapter[-1]
        assert text.count(f'"content":"v{number} "') == 12
        assert f'"content":"v{3 - int(number)} "' not in text
        assert text.endswith("data: [DONE]\n\n")


async def test_no_request_fails_while_live_moves(fresh: Stage) -> None:
    """Twenty callers at once, fifteen moves: every answer is whole and in the voice of the version that its header names."""
    voices = {served(fresh, "zizou", n).engine_name: Voice((f"v{n}",), -float(n)) for n in (1, 2)}
    fresh.fault(voices=voices, tokens=1, ttft=0.002)
    moving = True
    seen: set[str] = set()

    async def talk() -> int:
        count = 0
        while moving:
            response = await fresh.http.post(CHAT, json={"model": "zizou", **ASK[CHAT]})
            assert response.status_code == 200, response.text
            seen.add(response.headers[NAME])
            assert response.json()["choices"][0]["message"]["content"] == f"v{response.headers[NAME][-1]}"
            count += 1
        return count

    callers = [asyncio.create_task(talk()) for _ in range(20)]
    for turn in range(16):
        if turn % 3:
            assert (await move(fresh, "live", 1 + turn % 2)).status_code == 200
        elif turn:
            rolled = await fresh.http.post("/admin/v1/communities/zizou/rollback", headers=ADMIN)
            assert rolled.status_code == 200
    moving = False
    assert min(await asyncio.gather(*callers)) > 0
    assert seen == {"zizou@1", "zizou@2"}


async def test_a_conversation_stays_on_its_side_of_a_canary(fresh: Stage) -> None:
    """From the first message to the last, with a user or without; and who asks for a version gets that."""
    assert (await move(fresh, "canary", 2, share=40)).status_code == 200
    seen = set()
    for number in range(20):
        messages = [{"role": "user", "content": f"hello from {number}"}]
        key = conversation_key((Message("user", f"hello from {number}"),), None)
        expected = "zizou@2" if takes_canary("zizou", 2, 40, key) else "zizou@1"
        for turn in range(3):
            answer = await fresh.http.post(CHAT, json={"model": "zizou", "messages": messages})
            assert answer.headers[NAME] == expected
            messages += [{"role": "assistant", "content": "hm"}, {"role": "user", "content": f"more {turn}"}]
        named = await fresh.http.post(CHAT, json={"model": "zizou", "user": f"u{number}", "messages": messages})
        assert named.headers[NAME] == ("zizou@2" if takes_canary("zizou", 2, 40, f"user:u{number}") else "zizou@1")
        exact = await fresh.http.post(CHAT, json={"model": "zizou@1", "user": f"u{number}", "messages": messages})
        assert exact.headers[NAME] == "zizou@1"
        seen |= {expected, named.headers[NAME]}
    assert seen == {"zizou@1", "zizou@2"}
    assert "user" not in json.dumps(fresh.fake.received[-2].body).replace('"role": "user"', "")


@pytest.mark.parametrize(("share", "adapter"), [(0, "zizou@1"), (100, "zizou@2")])
async def test_a_share_of_0_is_nobody_and_of_100_everybody(fresh: Stage, share: int, adapter: str) -> None:
    """And without the alias all is as before."""
    assert (await move(fresh, "canary", 2, share=share)).status_code == 200
    for number in range(10):
        response = await fresh.http.post(TEXT, json={"model": "zizou", "prompt": f"{number} hello"})
        assert response.headers[NAME] == adapter
    assert (await fresh.http.delete(f"{ALIASES}/canary", headers=ADMIN)).status_code == 204
    assert (await fresh.http.post(TEXT, json={"model": "zizou", "prompt": "hello"})).headers[NAME] == "zizou@1"


async def test_a_registry_that_goes_away_stops_no_answer(fresh: Stage) -> None:
    """The last that was known goes on; the operator can see it, and so can a scrape."""
    fresh.memory.failure = OSError("/srv/secret/path")
    async with asyncio.timeout(5):
        while (status := (await fresh.http.get("/admin/v1/status", headers=ADMIN)).json())["registry"]["failure"] is None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert "secret" not in str(status)
    assert (await fresh.http.post(CHAT, json={"model": "zizou", **ASK[CHAT]})).status_code == 200
    assert (await fresh.http.get("/health/ready")).status_code == 200
    assert await fresh.metric("troupe_registry_failing") == 1
    assert await fresh.metric("troupe_registry_revision") == fresh.memory.held.revision
    fresh.memory.failure = None
    fresh.memory.add(manifest(fresh.base, "newcomers"), "live")
    await fresh.seen()
    assert (await fresh.http.post(CHAT, json={"model": "newcomers", **ASK[CHAT]})).status_code == 200
