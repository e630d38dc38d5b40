"""Usage by day, community and key; as CSV; as CloudEvents. And terms, which the same database holds."""

import csv
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from adapters.registry.database import Database
from server.accounts.cloud_events import cloud_events
from server.accounts.database import open_accounts
from server.accounts.entries import Outcome, Settlement
from server.accounts.ledger import Ledger
from server.accounts.limits import Limits
from server.accounts.terms import AtCap, Terms, TermsBook, TermsStore, community_account, key_account
from server.accounts.usage import COLUMNS, Usage, to_csv, usage
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
    rows = await usage(database, since="2026-11-22", until="2026-11-22", community="a", by_key=True)
    assert [(row.day, row.community, row.key_id, row.requests) for row in rows] == [
        ("2026-11-22", "a", "k1", 2),
        ("2026-11-22", "a", "k2", 1),
    ]


async def test_usage_as_csv_reads_back(ledger: Ledger, database: Database, clock: Clock) -> None:
    await three_days(ledger, clock)
    rows = await usage(database)
    read = list(csv.DictReader(to_csv(rows).splitlines()))
    assert list(read[0]) == list(COLUMNS)
    assert [int(row["cost"]) for row in read] == [row.cost for row in rows]
    assert json.loads(json.dumps(rows[0].record()))["cost"] == rows[0].cost


async def test_settled_requests_are_cloud_events(ledger: Ledger, database: Database, clock: Clock) -> None:
    """With the attributes that CloudEvents 1.0 asks for, in order, each once, and none of what runs or may still change."""
    await three_days(ledger, clock)
    with_engine = Settlement(Outcome.COMPLETE, prompt_tokens=1, completion_tokens=1, life="l1", engine_from_ms=1, engine_until_ms=2)
    await ledger.settle(await ledger.reserve(request(), allowed()), with_engine)
    events: list[dict[str, Any]] = [event async for event in cloud_events(database, "https://troupe.example/accounts")]
    assert len(events) == 15
    assert len({event["id"] for event in events}) == 15
    for event in events:
        assert (event["specversion"], event["type"]) == ("1.0", "troupe.request.settled.v1")
        assert event["source"] == "https://troupe.example/accounts"
        assert event["subject"] == event["data"]["community"]
        assert datetime.fromisoformat(event["time"]).tzinfo is not None
        assert json.loads(json.dumps(event)) == event
    assert len([event async for event in cloud_events(database, "x", provisional=True)]) == 16
    assert len([event async for event in cloud_events(database, "x", community="b", since="2026-11-22")]) == 4


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
