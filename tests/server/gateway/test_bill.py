"""The bill of a day, through the whole gateway: it adds up to what the machine cost, cold starts, pauses and idle tails included."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from adapters.registry import Base
from server.accounts.cloud_events import MARGIN_MS, Cursor, Seal, page_of_events
from server.accounts.money import millionths
from server.fleet.engine import EngineState
from server.gateway.settings import GatewaySettings
from tests.server.accounts.ledger.desk import Clock, assert_adds_up, fetch
from tests.server.gateway.stage import ADMIN, ADMIN_KEY, CHAT_KEY, Stage, open_stage

PER_SECOND = 123_457
"""Billionths: a machine for 44 cents an hour."""
DAY = "2026-11-21"


@pytest_asyncio.fixture
async def stage(tmp_path: Path, base: Base, clock: Clock) -> AsyncIterator[Stage]:
    prices = {"price_prompt": "0.15", "price_cached": "0.05", "price_completion": "0.6", "price_engine_second": "0.000123457"}
    keys = {"api_key": SecretStr(CHAT_KEY), "admin_key": SecretStr(ADMIN_KEY)}
    settings = GatewaySettings.model_validate({**keys, **prices})
    async with open_stage(tmp_path, base, settings, awake=False, clock_ns=clock) as stage:
        yield stage


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def ask(stage: Stage, clock: Clock, *models: str, seconds: float) -> None:
    """All of them at a time, each of which has the engine for so long."""
    stage.speaks.clear()
    before = len(stage.fake.received)
    asking = [asyncio.create_task(_chat(stage, model)) for model in models]
    await stage.asked(before + len(models))
    clock.pass_seconds(seconds)
    stage.speaks.set()
    assert [answer.status_code for answer in await asyncio.gather(*asking)] == [200] * len(models)
    await stage.settled()


async def wake(stage: Stage, clock: Clock, seconds: float) -> None:
    """An engine that takes so long to come up, for somebody who does not wait for it."""
    stage.engine.hold()
    stage.fleet.wake()
    await stage.time.advance(1)  # after an engine that failed, the fleet pauses for so long
    await stage.until(EngineState.WAKING)
    clock.pass_seconds(seconds)
    stage.engine.release()
    await stage.until(EngineState.READY)


async def sleep(stage: Stage, clock: Clock, seconds: float) -> None:
    """After an idle tail."""
    clock.pass_seconds(seconds)
    await stage.sleep()


async def _chat(stage: Stage, model: str) -> httpx.Response:
    asked = {"model": model, "messages": [{"role": "user", "content": "who wins tonight?"}], "max_tokens": 9}
    return await stage.http.post("/v1/chat/completions", json=asked)


async def bill(stage: Stage, by: str) -> dict[str, Any]:
    answer = await stage.http.get("/admin/v1/usage", params={"from": DAY, "to": DAY, "by": by}, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


async def a_day(stage: Stage, clock: Clock) -> float:
    """Three engines: one shared by two communities, one that dies while it has nothing to do, one that nobody uses. Their seconds."""
    await wake(stage, clock, 8.25)
    await ask(stage, clock, "zizou", "greybeards", seconds=4)
    clock.pass_seconds(60)
    await ask(stage, clock, "zizou", seconds=2.5)
    await sleep(stage, clock, 300)
    clock.pass_seconds(3600)
    await wake(stage, clock, 7)
    await ask(stage, clock, "greybeards", "greybeards", "greybeards", seconds=11)
    clock.pass_seconds(20)
    await stage.die()
    clock.pass_seconds(600)
    await wake(stage, clock, 9)
    await sleep(stage, clock, 300)
    return 8.25 + 4 + 60 + 2.5 + 300 + 7 + 11 + 20 + 9 + 300


async def test_the_bill_of_a_day_adds_up_to_what_the_machine_cost(stage: Stage, clock: Clock) -> None:
    """To the millionth: over communities, over keys, in events and in the month's budgets alike."""
    seconds = await a_day(stage, clock)
    clock.pass_seconds(2 * 3600)
    async with asyncio.timeout(20):
        while [row["ended_ms"] is None for row in await lives(stage)] != [False] * 3:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    while await stage.books.lives.share_out():
        pass
    spans = [row["ended_ms"] - row["woke_ms"] for row in await lives(stage)]
    assert (len(spans), sum(spans)) == (3, round(seconds * 1000))
    machine = sum(span * PER_SECOND // 1_000_000 for span in spans)
    for by in ("day,community", "key", "day"):
        content = await bill(stage, by)
        assert content["total"]["engine_seconds"] == seconds
        assert millionths(Decimal(content["total"]["engine_cost"])) == machine
        assert sum(millionths(Decimal(row["engine_cost"])) for row in content["usage"]) == machine
        costs = [millionths(Decimal(row["cost"])) for row in content["usage"]]
        assert sum(costs) == millionths(Decimal(content["total"]["cost"])) == machine + millionths(Decimal(content["total"]["token_cost"]))
    rows = {row["community"]: row for row in (await bill(stage, "community"))["usage"]}
    assert rows[None]["engine_seconds"] == 309
    assert rows["greybeards"]["engine_seconds"] > 38
    assert rows["zizou"]["engine_seconds"] + rows["greybeards"]["engine_seconds"] == pytest.approx(seconds - 309)
    for community in ("zizou", "greybeards"):
        account = (await stage.http.get(f"/admin/v1/limits/communities/{community}", headers=ADMIN)).json()
        assert account["state"]["money_per_month"]["used"] == rows[community]["cost"]
    clock.pass_seconds(MARGIN_MS / 1000 + 1)
    page = await page_of_events(stage.books.database, Seal("/troupe", "EUR"), Cursor(), now_ms=clock.now // 1_000_000, limit=1000)
    assert sum(millionths(Decimal(event["data"]["cost"])) for event in page.events) == millionths(Decimal(content["total"]["cost"]))
    await assert_adds_up(stage.books.database)


async def lives(stage: Stage) -> list[dict[str, Any]]:
    return await fetch(stage.books.database, "SELECT * FROM engine_lives")


async def test_until_it_is_shared_out_each_request_bears_its_own_time(stage: Stage, clock: Clock) -> None:
    """As if it had been alone: a budget of money holds at once, and not an hour later."""
    await wake(stage, clock, 5)
    await ask(stage, clock, "zizou", "greybeards", seconds=10)
    rows = (await bill(stage, "community"))["usage"]
    assert [(row["community"], row["engine_seconds"]) for row in rows] == [("greybeards", 10), ("zizou", 10)]
