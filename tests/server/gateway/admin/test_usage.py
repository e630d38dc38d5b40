"""What was used, over the API: for the operator, for who administers one community, and for callers themselves."""

import csv
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from server.gateway.settings import GatewaySettings
from tests.server.gateway.admin.test_admin import ROOT, check
from tests.server.gateway.stage import ADMIN, ADMIN_KEY, CHAT_KEY, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

USAGE = f"{ROOT}/usage"
ASK = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
CHAT = {"authorization": f"Bearer {CHAT_KEY}"}


@pytest.fixture(scope="module")
def settings() -> GatewaySettings:
    keys = {"api_key": SecretStr(CHAT_KEY), "admin_key": SecretStr(ADMIN_KEY)}
    return GatewaySettings.model_validate({**keys, "price_prompt": "1", "price_completion": "2", "currency": "EUR"})


def today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


async def chat(stage: Stage, model: str, headers: dict[str, str] = CHAT) -> dict[str, int]:
    """Its usage, once it is in the ledger."""
    answer = await stage.http.post("/v1/chat/completions", json={"model": model, **ASK}, headers=headers)
    assert answer.status_code == 200, answer.text
    await stage.settled()
    usage: dict[str, int] = answer.json()["usage"]
    return usage


async def report(stage: Stage, headers: dict[str, str] = ADMIN, /, **query: str) -> dict[str, Any]:
    answer = await stage.http.get(USAGE, params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    document = (await stage.http.get(f"{ROOT}/openapi.json", headers=ADMIN)).json()
    check(document, "GET", USAGE, answer)
    content: dict[str, Any] = answer.json()
    return content


def of(content: dict[str, Any], community: str) -> dict[str, Any]:
    return next((row for row in content["usage"] if row["community"] == community), {"requests": 0, "cost": "0"})


async def test_a_request_is_on_the_bill_of_its_community(stage: Stage) -> None:
    """With the tokens that the answer told, at the price that the settings say."""
    before = of(await report(stage), "zizou")
    used = await chat(stage, "zizou")
    content = await report(stage, **{"from": today(), "to": today()})
    row = of(content, "zizou")
    assert (content["currency"], content["by"], row["day"]) == ("EUR", ["day", "community"], today())
    assert row["requests"] == before["requests"] + 1
    cost = (used["prompt_tokens"] + 2 * used["completion_tokens"]) / 1e6
    assert float(row["cost"]) == pytest.approx(float(before["cost"]) + cost)
    assert float(content["total"]["cost"]) == pytest.approx(sum(float(each["cost"]) for each in content["usage"]))
    assert await report(stage, **{"from": "2020-01-01", "to": "2020-01-31"}) == {
        "currency": "EUR", "from": "2020-01-01", "to": "2020-01-31", "by": ["day", "community"], "usage": [], "total": ZERO,
    }  # fmt: skip


COUNTS = ("requests", "running", "complete", "aborted", "failed", "lost", "degraded", "prompt_tokens", "cached_tokens", "completion_tokens")
ZERO = {**dict.fromkeys(COUNTS, 0), "engine_seconds": 0.0, "token_cost": "0.00", "engine_cost": "0.00", "cost": "0.00"}


async def test_usage_by_key_and_as_csv(stage: Stage) -> None:
    await chat(stage, "zizou")
    content = await report(stage, by="key")
    assert "set-chat" in {row["key_id"] for row in content["usage"]}
    assert "community" not in content["usage"][0]
    answer = await stage.http.get(USAGE, params={"format": "csv", "community": "zizou"}, headers=ADMIN)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert {row["community"] for row in csv.DictReader(answer.text.splitlines())} == {"zizou"}


async def test_a_community_s_own_admin_sees_its_own_usage_only(stage: Stage) -> None:
    """In no form of it anything of another's."""
    for model in ("zizou", "greybeards"):
        await chat(stage, model)
    header = await stage.key("admin", communities=["zizou"])
    assert {row["community"] for row in (await report(stage, header))["usage"]} == {"zizou"}
    assert (await report(stage, header, by="day"))["total"] == (await report(stage, community="zizou"))["total"]
    assert (await stage.http.get(USAGE, params={"community": "greybeards"}, headers=header)).status_code == 403
    for form in ("csv", "json"):
        assert "greybeards" not in (await stage.http.get(USAGE, params={"format": form}, headers=header)).text
    assert "greybeards" not in (await stage.http.get(f"{USAGE}/events", headers=header)).text


@pytest.mark.parametrize(
    ("path", "query", "param"),
    [
        ("", {"from": "yesterday"}, "from"),
        ("", {"to": "2026-02-30"}, "to"),
        ("", {"from": "20261121"}, "from"),
        ("", {"from": "2026-11-22", "to": "2026-11-21"}, "from"),
        ("", {"to": "2020-01-31"}, "from"),
        ("", {"community": "a\0b"}, "community"),
        ("", {"community": "NOBODY"}, "community"),
        ("", {"by": "week"}, "by"),
        ("", {"format": "xml"}, "format"),
        ("/events", {"cursor": "nonsense"}, "cursor"),
        ("/events", {"cursor": "WzAsIlx1ZDgwMCIsMCwiIiwwLCIiXQ"}, "cursor"),
        ("/events", {"cursor": "x" * 600}, "cursor"),
        ("/events", {"limit": "0"}, "limit"),
        ("/events", {"limit": "1001"}, "limit"),
        ("/events", {"from": "x"}, "from"),
    ],
)
async def test_what_cannot_be_asked_is_named(stage: Stage, path: str, query: dict[str, str], param: str) -> None:
    answer = await stage.http.get(USAGE + path, params=query, headers=ADMIN)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_events_come_a_page_at_a_time(stage: Stage) -> None:
    """What is younger than a minute waits; an empty page keeps the place."""
    await chat(stage, "zizou")
    answer = await stage.http.get(f"{USAGE}/events", headers=ADMIN)
    assert answer.headers["content-type"] == "application/cloudevents-batch+json"
    assert answer.json() == []
    again = await stage.http.get(f"{USAGE}/events", params={"cursor": answer.headers["x-troupe-cursor"], "format": "jsonl"}, headers=ADMIN)
    assert (again.text, again.headers["content-type"]) == ("", "application/x-ndjson")
    assert again.headers["x-troupe-cursor"] == answer.headers["x-troupe-cursor"]


async def test_a_caller_sees_what_is_left_of_its_own_limits(stage: Stage) -> None:
    """Of its key and its communities; others are not there, nor is a model that there is not."""
    header = await stage.key("chat", communities=["zizou"])
    used = await chat(stage, "zizou", header)
    answer = (await stage.http.get("/v1/usage", headers=header)).json()
    assert (answer["object"], answer["currency"], set(answer["communities"])) == ("usage", "EUR", {"zizou"})
    assert answer["key"]["tokens_per_day"]["used"] == used["total_tokens"]
    assert answer["key"]["tokens_per_day"]["limit"] is None
    assert answer["communities"]["zizou"]["tokens_per_day"]["used"] >= used["total_tokens"]
    assert float(answer["key"]["money_per_month"]["used"]) > 0
    assert answer["key"]["money_per_month"]["resets_at"].endswith("-01T00:00:00Z")
    refused = [await stage.http.get("/v1/usage", params={"community": name}, headers=header) for name in ("greybeards", "nobodys", "base")]
    assert [each.status_code for each in refused] == [404] * 3
    assert refused[0].text.replace("greybeards", "nobodys") == refused[1].text


async def test_a_key_for_all_communities_asks_for_one(stage: Stage) -> None:
    assert (await stage.http.get("/v1/usage", headers=CHAT)).json()["communities"] == {}
    one = await stage.http.get("/v1/usage", params={"community": "zizou"}, headers=CHAT)
    assert set(one.json()["communities"]) == {"zizou"}
    assert json.loads(one.text)["key"]["concurrent"]["limit"] is None
    nobody = await stage.http.get("/v1/usage", params={"community": "a\0b"}, headers=CHAT)
    assert (nobody.status_code, nobody.json()["error"]["param"]) == (400, "community")


async def test_an_admin_key_has_no_usage_of_its_own(stage: Stage) -> None:
    """It generates nothing."""
    assert (await stage.http.get("/v1/usage", headers=ADMIN)).status_code == 403
