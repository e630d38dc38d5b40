"""Usage by day, community and key, and as CSV. And terms, which the same database holds."""

import asyncio
import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.registry.database import Database
from server.accounts.database import open_accounts
from server.accounts.engine_lives import EngineLives
from server.accounts.entries import Outcome, Settlement
from server.accounts.ledger import Ledger
from server.accounts.limits import Limits
from server.accounts.money import millionths
from server.accounts.prices import Prices
from server.accounts.terms import AtCap, Terms, TermsBook, TermsStore, community_account, key_account
from server.accounts.usage import By, Usage, columns, to_csv, usage
from tests.server.accounts.ledger.desk import DONE, Clock, allowed, request

ABORTED = Settlement(Outcome.ABORTED, prompt_tokens=10, completion_tokens=1)


async def three_days(ledger: Ledger, clock: Clock) -> None:
    for day in range(3):
        for community in ("a", "b"):
            for key_id in ("k1", "k2"):
                await ledger.settle(await ledger.reserve(request(community=community, key_id=key_id), allowed()), DONE)
        await ledger.settle(await ledger.reserve(request(community="a", key_id="k1"), allowed()), ABORTED)
        await ledger.reserve(request(community="b", key_id="k1"), allowed())
        if day < 2:
            clock.pass_seconds(86_400)


async def lives_of_nobody(database: Database, clock: Clock) -> None:
    """An engine for ten seconds, for which the operator pays."""
    lives = EngineLives(database, Prices(engine_second=400_000), "g1", clock_ns=clock, grace_ms=0)
    await lives.woke("l1", engine="local", epoch=1)
    clock.pass_seconds(10)
    await lives.ended("l1")
    await lives.share_out()


async def test_usage_is_summed_by_day_and_community(ledger: Ledger, database: Database, clock: Clock) -> None:
    """What runs is counted and not charged."""
    await three_days(ledger, clock)
    rows = await usage(database)
    assert [(row.day, row.community) for row in rows] == [(f"2026-11-2{day}", name) for day in (1, 2, 3) for name in "ab"]
    first = Usage("2026-11-21", "a", "", 3, 0, 2, 1, 0, 0, 0, prompt_tokens=30, cached_tokens=8, completion_tokens=11, token_cost=48)
    assert rows[0] == first
    assert (rows[1].requests, rows[1].running, rows[1].complete, rows[1].cost) == (3, 1, 2, 36)


async def test_usage_of_one_community_by_key(ledger: Ledger, database: Database, clock: Clock) -> None:
    """Of some days, both of them included."""
    await three_days(ledger, clock)
    rows = await usage(database, ("2026-11-22", "2026-11-22"), communities={"a"}, by=tuple(By))
    assert [(row.day, row.community, row.key_id, row.requests) for row in rows] == [
        ("2026-11-22", "a", "k1", 2),
        ("2026-11-22", "a", "k2", 1),
    ]


@pytest.mark.parametrize("by", [(By.DAY,), (By.COMMUNITY,), (By.KEY,), (By.COMMUNITY, By.KEY), ()])
async def test_however_usage_is_summed_it_is_the_same_bill(ledger: Ledger, database: Database, clock: Clock, by: tuple[By, ...]) -> None:
    """With what the operator bears in it, unless it is of some communities."""
    await three_days(ledger, clock)
    await lives_of_nobody(database, clock)
    whole, some = await usage(database), await usage(database, communities={"a"})
    assert {row.community for row in whole} == {"", "a", "b"}
    rows = await usage(database, by=by)
    places = [(row.day, row.community, row.key_id) for row in rows]
    assert len(set(places)) == len(places)
    for name in ("requests", "completion_tokens", "engine_ms", "cost"):
        assert sum(getattr(row, name) for row in rows) == sum(getattr(row, name) for row in whole)
        summed = await usage(database, communities={"a"}, by=by)
        assert sum(getattr(row, name) for row in summed) == sum(getattr(row, name) for row in some)
    assert await usage(database, ("2030-01-01", "2030-01-02"), by=(By.DAY,)) == []


async def test_usage_as_csv_reads_back(ledger: Ledger, database: Database, clock: Clock) -> None:
    """Amounts are decimals of the currency; who is the operator has no name."""
    await three_days(ledger, clock)
    await lives_of_nobody(database, clock)
    by = (By.DAY, By.COMMUNITY)
    rows = await usage(database, by=by)
    read = list(csv.DictReader(to_csv(rows, by).splitlines()))
    assert list(read[0]) == columns(by)
    assert [millionths(Decimal(row["cost"])) for row in read] == [row.cost for row in rows]
    assert [row["community"] for row in read if row["engine_seconds"] == "10.0"] == [""]
    assert [json.loads(json.dumps(row.record(by)))["community"] for row in rows if row.community == ""] == [None]


async def test_terms_are_known_to_every_gateway_after_its_next_look(database: Database, database_url: str, tmp_path: Path) -> None:
    """Set, changed and dropped; whoever has none has the defaults."""
    default, agreed = Terms(Limits(concurrent=8)), Terms(Limits(tokens_per_day=5), AtCap.DEGRADE, weight=3)
    elsewhere = await open_accounts(tmp_path, database_url=database_url)
    book = TermsBook(TermsStore(elsewhere), community=default, key=Terms())
    await book.refresh()
    assert book.allowed("a", "k1") == allowed(Limits(concurrent=8))
    store = TermsStore(database)
    await store.put(community_account("a"), default)
    await store.put(community_account("a"), agreed)
    await store.put(key_account("k1"), Terms(Limits(money_per_month=7)))
    await book.refresh()
    assert book.of_community("a") == agreed
    assert book.allowed("a", "k1") == allowed(Limits(tokens_per_day=5), Limits(money_per_month=7))
    assert await store.all() == {"c:a": agreed, "k:k1": Terms(Limits(money_per_month=7))}
    await store.drop(community_account("a"))
    await book.refresh()
    assert book.of_community("a") == default
    await elsewhere.close()


class SlowStore(TermsStore):
    """The first look takes until `found` is set, and finds what there was when it began."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.looking, self.found = asyncio.Event(), asyncio.Event()

    async def since(self, revision: int | None) -> tuple[int, dict[str, Terms]]:
        is_first, seen = not self.looking.is_set(), await super().since(revision)
        if is_first:
            self.looking.set()
            await self.found.wait()
        return seen


async def test_a_look_that_began_before_a_change_does_not_undo_it(database: Database) -> None:
    """Else a limit that was just agreed would not hold until the next look."""
    store = SlowStore(database)
    book = TermsBook(store, community=Terms(), key=Terms())
    looking = asyncio.create_task(book.refresh())
    await store.looking.wait()
    agreed = Terms(Limits(concurrent=2))
    await store.put(key_account("k1"), agreed)
    changing = asyncio.create_task(book.refresh())
    await asyncio.sleep(0.05)
    store.found.set()
    await asyncio.gather(looking, changing)
    assert book.of_key("k1") == agreed
