"""Lives of engines on SQLite and PostgreSQL: the bill adds up to what the machine cost."""

import random
from typing import Any

import pytest

from adapters.registry.database import Database
from server.accounts.engine_lives import OPERATOR, EngineLives
from server.accounts.entries import Outcome, Settlement
from server.accounts.ledger import Ledger
from server.accounts.limits import UNLIMITED
from server.accounts.prices import Prices
from server.accounts.usage import By, usage
from tests.server.accounts.ledger.conftest import MakeLedger
from tests.server.accounts.ledger.desk import Clock, allowed, assert_adds_up, balance, fetch, request

PRICES = Prices(prompt=1_000_000, completion=1_000_000, engine_second=400_000)


def make_lives(database: Database, clock: Clock, gateway: str = "g1", prices: Prices = PRICES) -> EngineLives:
    return EngineLives(database, prices, gateway, clock_ns=clock, grace_ms=0)


async def use(ledger: Ledger, clock: Clock, life: str, seconds: float, tokens: int = 10, **more: Any) -> None:
    """A request with the engine for so long, from now on."""
    reservation = await ledger.reserve(request(**more), allowed(UNLIMITED))
    begin = clock.now // 1_000_000
    clock.pass_seconds(seconds)
    end = clock.now // 1_000_000
    done = Settlement(
        Outcome.COMPLETE, prompt_tokens=0, completion_tokens=tokens, life=life, engine_from_ms=begin, engine_until_ms=end
    )  # fmt: skip
    await ledger.settle(reservation, done)


async def test_the_bill_adds_up_to_what_the_machine_cost(make_ledger: MakeLedger, database: Database, clock: Clock) -> None:
    """Over hours and midnight, with cold start, pauses and idle tail; and sharing out again changes nothing."""
    ledger, lives, chance = await make_ledger(prices=PRICES), make_lives(database, clock), random.Random(3)
    clock.pass_seconds(10.3 * 3600)
    begin = clock.now // 1_000_000
    await lives.woke("l1", engine="local", epoch=1)
    clock.pass_seconds(4.567)
    await lives.ready("l1")
    for _ in range(30):
        await use(ledger, clock, "l1", chance.uniform(0.1, 400), community=f"c{chance.randrange(3)}", key_id=f"k{chance.randrange(5)}")
        clock.pass_seconds(chance.uniform(0, 300))
        await lives.share_out()
    await lives.draining("l1")
    clock.pass_seconds(300.123)
    await lives.ended("l1")
    while await lives.share_out():
        pass
    whole = clock.now // 1_000_000 - begin
    rows = await usage(database)
    assert sum(row.engine_ms for row in rows) == whole
    assert sum(row.engine_cost for row in rows) == whole * 400 // 1000
    (shared,) = await fetch(database, "SELECT sum(engine_ms) AS ms, sum(cost) AS cost FROM engine_shares")
    assert (int(shared["ms"]), int(shared["cost"])) == (whole, whole * 400 // 1000)
    assert len({row.day for row in rows}) == 2
    assert await lives.share_out() == 0
    await assert_adds_up(database)


@pytest.mark.parametrize("price", [0, 400_000, 1_000_000])
async def test_another_price_afterwards_changes_no_bill(make_ledger: MakeLedger, database: Database, clock: Clock, price: int) -> None:
    """What was with an engine beside others is charged as if alone at first: that is taken back at the price at which it was charged."""
    at_first, later = Prices(engine_second=price), Prices(engine_second=500_000)
    ledger, lives = await make_ledger(prices=at_first), make_lives(database, clock, prices=at_first)
    await lives.woke("l1", engine="local", epoch=1)
    begin = clock.now // 1_000_000
    clock.pass_seconds(700)
    done = Settlement(Outcome.COMPLETE, 10, 0, 20, life="l1", engine_from_ms=begin, engine_until_ms=begin + 700_000)
    for reservation in [await ledger.reserve(request(community=f"c{count % 2}"), allowed(UNLIMITED)) for count in range(5)]:
        await ledger.settle(reservation, done)
    await lives.ended("l1")
    await make_lives(database, clock, "g2", prices=later).share_out()
    rows = await usage(database)
    assert (sum(row.engine_ms for row in rows), sum(row.engine_cost for row in rows)) == (700_000, 700 * price // 1000)
    assert all(row.engine_cost >= 0 for row in rows)
    await assert_adds_up(database)


async def test_who_had_no_request_in_a_life_bears_nothing_of_it(make_ledger: MakeLedger, database: Database, clock: Clock) -> None:
    ledger, lives = await make_ledger(prices=PRICES), make_lives(database, clock)
    for name in ("l1", "l2"):
        await lives.woke(name, engine="local", epoch=int(name[1]))
        await use(ledger, clock, name, 10, community=f"of-{name}")
        clock.pass_seconds(290)
        await lives.ended(name)
    await lives.share_out()
    assert {(row["life"], row["community"], row["cost"]) for row in await fetch(database, "SELECT * FROM engine_shares")} == {
        ("l1", "of-l1", 120_000),
        ("l2", "of-l2", 120_000),
    }


async def test_what_nobody_used_is_the_operators(make_ledger: MakeLedger, database: Database, clock: Clock) -> None:
    """And what failed or was degraded bears nothing."""
    ledger, lives = await make_ledger(prices=PRICES), make_lives(database, clock)
    await lives.woke("l1", engine="local", epoch=1)
    await use(ledger, clock, "l1", 10, degraded=True)
    reservation = await ledger.reserve(request(), allowed())
    await ledger.settle(reservation, Settlement(Outcome.FAILED, life="l1", engine_from_ms=0, engine_until_ms=2**41))
    clock.pass_seconds(10)
    await lives.ended("l1")
    await lives.share_out()
    assert [(row.community, row.engine_ms, row.cost) for row in await usage(database) if row.engine_ms] == [(OPERATOR, 20_000, 8000)]


async def test_an_idle_tail_past_the_hour_goes_to_who_used_the_life(make_ledger: MakeLedger, database: Database, clock: Clock) -> None:
    """In proportion to what they bear of it already."""
    ledger, lives = await make_ledger(prices=PRICES), make_lives(database, clock)
    clock.pass_seconds(59 * 60)
    await lives.woke("l1", engine="local", epoch=1)
    await use(ledger, clock, "l1", 10, tokens=100, community="a")
    await use(ledger, clock, "l1", 10, tokens=100, community="b")
    clock.pass_seconds(100)
    await lives.ended("l1")
    while await lives.share_out():
        pass
    assert {(row.community, row.engine_ms) for row in await usage(database)} == {("a", 60_000), ("b", 60_000)}
    await assert_adds_up(database)


async def test_who_wakes_an_engine_bears_its_cold_start(make_ledger: MakeLedger, database: Database, clock: Clock) -> None:
    """However the clock's hours and minutes fall: here it begins before midnight and lasts for seven minutes."""
    ledger, lives = await make_ledger(prices=PRICES), make_lives(database, clock)
    clock.pass_seconds(12 * 3600 - 10)
    await lives.woke("l1", engine="local", epoch=1)
    clock.pass_seconds(420)
    await use(ledger, clock, "l1", 10, community="a")
    clock.pass_seconds(900)
    await use(ledger, clock, "l1", 10, community="b")
    clock.pass_seconds(900)
    await lives.ended("l1")
    await lives.share_out()
    borne = {row.community: row.engine_ms for row in await usage(database)}
    assert set(borne) == {"a", "b"}
    assert sum(borne.values()) == 2_240_000
    assert borne["a"] > 430_000 + 800_000


async def test_an_engine_that_nobody_uses_for_an_hour_is_the_operators_until_then(
    make_ledger: MakeLedger, database: Database, clock: Clock
) -> None:
    ledger, lives = await make_ledger(prices=PRICES), make_lives(database, clock)
    await lives.woke("l1", engine="local", epoch=1)
    clock.pass_seconds(3 * 3600)
    await lives.share_out()
    await use(ledger, clock, "l1", 10, community="a")
    await lives.ended("l1")
    await lives.share_out()
    borne = {row.community: row.engine_ms for row in await usage(database)}
    assert (borne[OPERATOR], borne["a"]) == (10_800_000, 10_000)


async def test_a_community_bears_no_idle_time_a_day_after_it_was_there(make_ledger: MakeLedger, database: Database, clock: Clock) -> None:
    """Of an engine that never sleeps: then it is the operator's again."""
    ledger, lives = await make_ledger(prices=PRICES), make_lives(database, clock)
    await lives.woke("l1", engine="local", epoch=1)
    await use(ledger, clock, "l1", 100, community="a")
    clock.pass_seconds(25 * 3600 - 100)
    await lives.ended("l1")
    await lives.share_out()
    borne = {row.community: row.engine_ms for row in await usage(database, by=(By.COMMUNITY,))}
    assert sum(borne.values()) == 25 * 3_600_000
    assert 86_400_000 <= borne["a"] <= 86_400_000 + 600_000


async def test_a_life_whose_gateway_died_ends_when_that_was_last_known_to_live(database: Database, clock: Clock) -> None:
    """And the lives of gateways that live go on."""
    begin = clock.now // 1_000_000
    async with database.noting() as connection:
        for name, beat in (("dead", begin + 5000), ("lives", begin + 290_000)):
            await connection.exec_driver_sql(f"INSERT INTO gateways VALUES ('{name}', '{name}', {begin}, {beat})")  # noqa: S608  # from here
    await make_lives(database, clock, "dead").woke("l1", engine="local", epoch=1)
    await make_lives(database, clock, "lives").woke("l2", engine="local", epoch=1)
    clock.pass_seconds(300)
    assert await make_lives(database, clock).end_orphans() == 1
    ended = {row["id"]: row["ended_ms"] for row in await fetch(database, "SELECT id, ended_ms FROM engine_lives")}
    assert ended == {"l1": begin + 5000, "l2": None}


async def test_a_life_is_shared_out_only_as_far_as_its_gateway_is_known_to_live(database: Database, clock: Clock) -> None:
    """It may have ended since, which its gateway cannot write down at the moment."""
    begin = clock.now // 1_000_000
    async with database.noting() as connection:
        await connection.exec_driver_sql(f"INSERT INTO gateways VALUES ('away', 'away', {begin}, {begin + 7_300_000})")  # noqa: S608
    away = make_lives(database, clock, "away")
    await away.woke("l1", engine="local", epoch=1)
    clock.pass_seconds(5 * 3600)
    await make_lives(database, clock).share_out()
    (row,) = await fetch(database, "SELECT shared_until_ms FROM engine_lives")
    assert begin < row["shared_until_ms"] <= begin + 7_300_000
    await away.ended("l1", at_ms=begin + 8_000_000)
    await make_lives(database, clock).share_out()
    assert sum(row["engine_ms"] for row in await fetch(database, "SELECT engine_ms FROM engine_shares")) == 8_000_000


async def test_engine_time_counts_against_the_months_budget(make_ledger: MakeLedger, database: Database, clock: Clock) -> None:
    """First as if each had been alone, then exactly; `assert_adds_up` compares balances with rows."""
    ledger, lives = await make_ledger(prices=PRICES), make_lives(database, clock)
    await lives.woke("l1", engine="local", epoch=1)
    clock.pass_seconds(5)
    await use(ledger, clock, "l1", 10)
    await assert_adds_up(database)
    clock.pass_seconds(85)
    await lives.ended("l1")
    await lives.share_out()
    assert (await balance(database, "c:zizou"))["month_spent"] == 100 * 400 + 10
    await assert_adds_up(database)
