"""What the ledger holds of requests that went through the gateway, and what callers are told of their limits."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio
from sqlalchemy import select

from adapters.registry import Base
from loadtests.fake_engine import TEXT, Fault
from server.accounts.limits import Limits
from server.accounts.schema_ledger import requests
from server.accounts.terms import AtCap, Terms, community_account
from server.fleet.engine import EngineState
from server.gateway.settings import GatewaySettings
from tests.server.gateway.stage import EVALUATE_KEY, Stage, open_stage

CHAT = "/v1/chat/completions"
ASK: dict[str, Any] = {"model": "zizou", "messages": [{"role": "user", "content": "who wins tonight?"}], "max_tokens": 8}


@pytest.fixture(scope="module")
def settings(settings: GatewaySettings) -> GatewaySettings:
    return settings.model_copy(update={"price_prompt": Decimal(1), "price_completion": Decimal(2)})


@pytest_asyncio.fixture
async def own(tmp_path: Path, base: Base, settings: GatewaySettings) -> AsyncIterator[Stage]:
    """One with a ledger of its own."""
    async with open_stage(tmp_path, base, settings) as stage:
        yield stage


async def rows(stage: Stage) -> list[Any]:
    """All requests, oldest first, once nothing is on its way to the disk."""
    async with asyncio.timeout(5):
        while stage.books.ledger.unsettled:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    async with stage.books.database.reading() as connection:
        return list(await connection.execute(select(requests).order_by(requests.c.started_ms, requests.c.id)))


async def agree(stage: Stage, community: str = "zizou", at_cap: AtCap = AtCap.REFUSE, **limits: int) -> None:
    await stage.books.terms_store.put(community_account(community), Terms(Limits(**limits), at_cap))
    await stage.books.terms.refresh()


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_charged_with_what_the_engine_counted(own: Stage, stream: bool) -> None:
    response = await own.http.post(CHAT, json={**ASK, "stream": stream})
    assert response.status_code == 200
    (row,) = await rows(own)
    (served,) = own.fake.received
    assert (row.outcome, row.community, row.adapter, row.key_id) == ("complete", "zizou", "zizou@1", "set-chat")
    assert row.id == served.request_id == response.headers["x-request-id"]
    assert row.completion_tokens == served.tokens > 0
    assert row.prompt_tokens == (response.json()["usage"]["prompt_tokens"] if not stream else 3)
    assert row.token_cost == row.prompt_tokens + 2 * row.completion_tokens
    assert (row.ttft_ms is not None) == stream
    assert row.life is not None


async def test_a_broken_stream_is_charged_with_what_was_passed_on(own: Stage) -> None:
    own.fault(fault=Fault.DIE)
    response = await own.http.post(CHAT, json={**ASK, "stream": True})
    assert '"error"' in response.text
    (row,) = await rows(own)
    assert row.outcome == "aborted"
    assert 0 < row.completion_tokens <= own.fake.received[0].tokens
    assert row.prompt_tokens > 0


async def test_a_request_that_the_engine_refuses_costs_nothing(own: Stage) -> None:
    own.fault(fault=Fault.STATUS_500)
    assert (await own.http.post(CHAT, json=ASK)).status_code == 502
    (row,) = await rows(own)
    assert (row.outcome, row.prompt_tokens, row.completion_tokens, row.token_cost) == ("failed", 0, 0, 0)


async def test_what_is_refused_before_the_engine_leaves_no_row(own: Stage) -> None:
    assert (await own.http.post(CHAT, json={**ASK, "model": "nobody"})).status_code == 404
    assert (await own.http.post(CHAT, json={**ASK, "max_tokens": 100_000})).status_code == 400
    assert await rows(own) == []


async def test_a_rate_is_told_with_each_answer_and_its_end_with_when_to_come_again(own: Stage) -> None:
    """In OpenAI's headers; the engine never hears of what is refused."""
    await agree(own, requests_per_minute=2)
    first, second, third = [await own.http.post(CHAT, json=ASK) for _ in range(3)]
    assert [each.status_code for each in (first, second, third)] == [200, 200, 429]
    assert [each.headers["x-ratelimit-remaining-requests"] for each in (first, second, third)] == ["1", "0", "0"]
    assert third.headers["x-ratelimit-limit-requests"] == "2"
    assert third.headers["x-ratelimit-reset-requests"].endswith("s")
    assert 1 <= int(third.headers["retry-after"]) <= 30
    error = third.json()["error"]
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert len(own.fake.received) == 2
    assert (await own.http.post(CHAT, json={**ASK, "model": "greybeards"})).status_code == 200


async def test_a_spent_budget_is_told_in_a_way_that_nobody_repeats(own: Stage) -> None:
    """The SDK asks once; the message says when the budget begins anew."""
    await agree(own, tokens_per_day=10)
    patient = own.sdk.with_options(max_retries=3)
    with pytest.raises(openai.RateLimitError) as told:
        await patient.chat.completions.create(**ASK)
    response = told.value.response
    assert (told.value.type, told.value.code) == ("insufficient_quota", "insufficient_quota")
    assert response.headers["x-should-retry"] == "false"
    assert response.headers["x-troupe-budget-reset"] in told.value.message
    assert own.fake.received == []


async def test_past_its_budget_a_community_gets_what_is_left_over(own: Stage) -> None:
    """If that was agreed: a short answer of the base, for nothing, under the model's own name, and said in a header."""
    await agree(own, at_cap=AtCap.DEGRADE, tokens_per_day=10)
    response = await own.http.post(CHAT, json={**ASK, "max_tokens": 90})
    assert response.status_code == 200
    assert response.json()["model"] == "zizou"
    assert (response.headers["x-troupe-degraded"], response.headers["x-troupe-adapter"]) == ("true", "base")
    body = own.fake.received[0].body
    assert (body["model"], body["max_completion_tokens"]) == ("base", 64)
    (row,) = await rows(own)
    assert (row.degraded, row.adapter, row.token_cost) == (True, "base", 0)


@pytest.mark.parametrize("asked", [{"echo": True, "logprobs": 1}, {"prompt_logprobs": 1}, {"prompt": ["who", "wins"]}])
async def test_past_a_budget_no_model_is_measured_in_place_of_another(own: Stage, asked: dict[str, Any]) -> None:
    """The base's figures under an adapter's name would be worse than none."""
    await agree(own, at_cap=AtCap.DEGRADE, tokens_per_day=1)
    evaluation = {"model": "zizou", "prompt": "who wins", "max_tokens": 1, **asked}
    response = await own.http.post(TEXT, json=evaluation, headers={"authorization": f"Bearer {EVALUATE_KEY}"})
    assert (response.status_code, response.json()["error"]["code"]) == (429, "insufficient_quota")
    assert own.fake.received == []


async def test_what_is_left_over_is_named_so_when_it_is_given_again(own: Stage) -> None:
    """Nobody takes it for an answer of the version that was asked."""
    await agree(own, at_cap=AtCap.DEGRADE, tokens_per_day=10)
    first, second = [await own.http.post(CHAT, json=ASK, headers={"idempotency-key": "twice"}) for _ in range(2)]
    assert first.content == second.content
    assert (second.headers["x-troupe-degraded"], second.headers["x-troupe-adapter"]) == ("true", "base")


async def test_past_a_budget_no_engine_is_woken(own: Stage) -> None:
    await agree(own, at_cap=AtCap.DEGRADE, tokens_per_day=10)
    await own.sleep()
    response = await own.http.post(CHAT, json=ASK)
    assert (response.status_code, response.json()["error"]["code"]) == (429, "insufficient_quota")
    assert own.fleet.state is EngineState.ASLEEP


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_who_leaves_an_engine_at_work_pays_for_his_prompt(own: Stage, stream: bool) -> None:
    own.speaks.clear()
    asking = asyncio.create_task(own.http.post(CHAT, json={**ASK, "stream": stream}))
    await own.asked()
    asking.cancel()
    await asyncio.wait([asking])
    await asyncio.wait_for(own.fake.received[0].abandoned.wait(), 5)
    (row,) = await rows(own)
    assert (row.outcome, row.completion_tokens) == ("aborted", 0)
    assert row.prompt_tokens > 0
    own.speaks.set()
