"""What was used as CloudEvents: each event once, none ever changed, and by a cursor none missed."""

import json
import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from adapters.registry.database import Database
from server.accounts.cloud_events import ENGINE, MARGIN_MS, REQUEST, Cursor, Seal, page_of_events
from server.accounts.engine_lives import EngineLives
from server.accounts.entries import Outcome, Reservation, Settlement
from server.accounts.errors import BadCursor
from server.accounts.ledger import Ledger
from server.accounts.money import millionths
from server.accounts.prices import Prices
from server.accounts.usage import usage
from tests.server.accounts.ledger.conftest import MakeLedger
from tests.server.accounts.ledger.desk import DONE, Clock, allowed, request

SEAL = Seal("https://troupe.example/accounts", "EUR")
ENGINE_PRICES = Prices(prompt=1_000_000, completion=2_000_000, engine_second=400_000)


async def page(database: Database, clock: Clock, cursor: Cursor, limit: int = 1000, **more: Any) -> tuple[list[dict[str, Any]], Cursor]:
    found = await page_of_events(database, SEAL, cursor, now_ms=clock.now // 1_000_000, limit=limit, **more)
    return found.events, Cursor.read(found.cursor.text())


async def follow(database: Database, clock: Clock, cursor: Cursor, limit: int) -> tuple[list[dict[str, Any]], Cursor]:
    """Pages to the present end."""
    events: list[dict[str, Any]] = []
    while True:
        found, cursor = await page(database, clock, cursor, limit)
        events += found
        if not found:
            return events, cursor


async def settle(ledger: Ledger, clock: Clock, reservation: Reservation, life: str = "l1") -> None:
    """After three seconds with the engine."""
    begin = clock.now // 1_000_000
    clock.pass_seconds(3)
    end = clock.now // 1_000_000
    done = Settlement(
        Outcome.COMPLETE, prompt_tokens=7, completion_tokens=11, life=life, engine_from_ms=begin, engine_until_ms=end
    )  # fmt: skip
    await ledger.settle(reservation, done)


async def test_events_have_what_the_specification_asks_for(make_ledger: MakeLedger, database: Database, clock: Clock) -> None:
    """And the operator's engine time names no community."""
    ledger = await make_ledger(prices=ENGINE_PRICES)
    lives = EngineLives(database, ENGINE_PRICES, "g1", clock_ns=clock, grace_ms=0)
    for life, community in (("l1", "zizou"), ("l2", "")):
        await lives.woke(life, engine="local", epoch=1)
        if community:
            await settle(ledger, clock, await ledger.reserve(request(community=community), allowed()))
        clock.pass_seconds(7)
        await lives.ended(life)
    await lives.share_out()
    clock.pass_seconds(MARGIN_MS / 1000 + 1)
    events, _ = await page(database, clock, Cursor())
    for event in events:
        assert {"specversion", "type", "source", "id", "time", "datacontenttype", "data"} <= set(event)
        assert (event["specversion"], event["source"], event["datacontenttype"]) == ("1.0", SEAL.source, "application/json")
        assert datetime.fromisoformat(event["time"]).tzinfo is not None
        assert all(event.values())
        assert json.loads(json.dumps(event)) == event
        assert event.get("subject") == event["data"]["community"]
        assert event["data"]["currency"] == "EUR"
    assert [(event["type"], event["data"]["community"], event["data"]["cost"]) for event in events] == [
        (REQUEST, "zizou", "0.000029"),
        (ENGINE, "zizou", "0.004"),
        (ENGINE, None, "0.0028"),
    ]


async def test_the_events_add_up_to_the_bill(make_ledger: MakeLedger, database: Database, clock: Clock) -> None:
    """Followed page by page beside requests that begin and end as they like, each event comes once, and none is missed."""
    ledger, chance = await make_ledger(prices=ENGINE_PRICES), random.Random(5)
    lives = EngineLives(database, ENGINE_PRICES, "g1", clock_ns=clock, grace_ms=0)
    await lives.woke("l1", engine="local", epoch=1)
    running: list[Reservation] = []
    events: list[dict[str, Any]] = []
    cursor = Cursor()
    for _ in range(120):
        clock.pass_seconds(chance.uniform(0, 90))
        if chance.random() < 0.5 or not running:
            running.append(await ledger.reserve(request(community=f"c{chance.randrange(3)}"), allowed()))
        else:
            await settle(ledger, clock, running.pop(chance.randrange(len(running))))
        if chance.random() < 0.3:
            await lives.share_out()
            found, cursor = await page(database, clock, cursor, limit=chance.randrange(1, 5))
            events += found
    for reservation in running:
        await settle(ledger, clock, reservation)
    await lives.ended("l1")
    while await lives.share_out():
        pass
    clock.pass_seconds(MARGIN_MS / 1000 + 1)
    rest, cursor = await follow(database, clock, cursor, limit=7)
    events += rest
    assert len({(event["source"], event["id"]) for event in events}) == len(events)
    bill = await usage(database)
    assert sum(millionths(Decimal(event["data"]["cost"])) for event in events) == sum(row.cost for row in bill)
    assert len([event for event in events if event["type"] == REQUEST]) == sum(row.requests for row in bill)
    assert (await page(database, clock, cursor))[0] == []
    assert (await follow(database, clock, Cursor(), limit=1000))[0] != []


async def test_what_may_still_be_overtaken_waits(ledger: Ledger, database: Database, clock: Clock) -> None:
    """While a request runs, nothing that ended after it began is passed on: it may end at any time, and is then written down later."""
    early, late = await ledger.reserve(request(), allowed()), await ledger.reserve(request(), allowed())
    clock.pass_seconds(1)
    await ledger.settle(late, DONE)
    clock.pass_seconds(600)
    assert (await page(database, clock, Cursor()))[0] == []
    await ledger.settle(early, DONE)
    assert len((await page(database, clock, Cursor()))[0]) == 1
    clock.pass_seconds(MARGIN_MS / 1000 + 1)
    assert len((await page(database, clock, Cursor()))[0]) == 2


async def test_events_of_some_communities_and_from_some_day_on(ledger: Ledger, database: Database, clock: Clock) -> None:
    for community in ("a", "b"):
        await ledger.settle(await ledger.reserve(request(community=community), allowed()), DONE)
    clock.pass_seconds(86_400)
    await ledger.settle(await ledger.reserve(request(community="a"), allowed()), DONE)
    clock.pass_seconds(3600)
    assert len((await page(database, clock, Cursor(), communities={"a"}))[0]) == 2
    assert len((await page(database, clock, Cursor.at(datetime(2026, 11, 22, tzinfo=UTC))))[0]) == 1
    assert (await page(database, clock, Cursor(), communities=set()))[0] == []


@pytest.mark.parametrize(
    "text",
    [
        "!",
        "AAAA",
        "W10",
        "WzEsMiwzXQ",
        "é" * 9,
        Cursor(ended_ms=2**70).text(),
        "WyIiLCIiLDAsIiIsMCwiIl0",
        *(Cursor(request=name).text() for name in ("\ud800", "\0", "é")),
    ],
)
def test_a_text_that_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        Cursor.read(text)
