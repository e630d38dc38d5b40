"""What tests of the ledger share: requests, a clock, writers, and a look at the tables."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from adapters.registry.database import Database
from server.accounts.batch import Writer
from server.accounts.entries import Allowed, Outcome, Request, Settlement
from server.accounts.limits import UNLIMITED, Limits
from server.accounts.postgres_writer import PostgresWriter
from server.accounts.prices import Prices
from server.accounts.sqlite_writer import SqliteWriter

SECOND = 1_000_000_000
NOON = 1_795_262_400 * SECOND
"""2026-11-21T12:00:00Z."""
PRICES = Prices(prompt=1_000_000, cached=500_000, completion=2_000_000)
"""A token of a prompt costs one millionth, one of an answer two."""
DONE = Settlement(Outcome.COMPLETE, prompt_tokens=10, cached_tokens=4, completion_tokens=5, ttft_ms=120, queue_ms=3, wake_ms=0)


@dataclass
class Clock:
    now: int = NOON

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


def make_writer(database_url: str, *, name: str = "", dead_after: float = 60.0) -> Writer:
    """Of a new gateway, with a name of its own if it is given none."""
    gateway = uuid4().hex
    if database_url.startswith("sqlite"):
        return SqliteWriter(Path(database_url.removeprefix("sqlite:///")), gateway)
    return PostgresWriter(database_url, gateway, name=name or gateway, dead_after=dead_after)


def request(*, community: str = "zizou", key_id: str = "key1", prompt: int = 10, most: int = 20, **more: Any) -> Request:
    return Request(f"req_{uuid4().hex}", key_id, community, f"{community}@7", prompt, most, **more)


def allowed(community: Limits = UNLIMITED, key: Limits = UNLIMITED) -> Allowed:
    return Allowed(community, key)


async def until(done: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + 30
    while not done():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


async def fetch(database: Database, query: str, **values: Any) -> list[dict[str, Any]]:
    async with database.reading() as connection:
        return [dict(row) for row in (await connection.execute(text(query), values)).mappings()]


async def balance(database: Database, account: str) -> dict[str, Any]:
    (row,) = await fetch(database, "SELECT * FROM balances WHERE account = :account", account=account)
    return row


async def assert_adds_up(database: Database) -> None:
    """What balances hold is what the rows say: running, set aside and spent, of each account in its present day and month."""
    rows = await fetch(database, "SELECT * FROM requests")
    for held in await fetch(database, "SELECT * FROM balances"):
        kind, _, name = held["account"].partition(":")
        mine = [row for row in rows if row["community" if kind == "c" else "key_id"] == name]
        today = [row for row in mine if row["day"] == held["day"]]
        month = [row for row in mine if row["day"][:7] == held["month"]]
        assert held["running"] == sum(row["outcome"] is None for row in mine)
        assert held["day_reserved"] == sum(row["tokens_reserved"] for row in today if row["outcome"] is None)
        assert held["month_reserved"] == sum(row["money_reserved"] for row in month if row["outcome"] is None)
        charged = [row for row in today if row["outcome"] is not None and not row["degraded"]]
        used = sum(
            row["prompt_tokens"] + row["completion_tokens"] for row in charged if row["outcome"] != "failed" or row["completion_tokens"]
        )
        assert held["day_spent"] == used
        assert held["month_spent"] == sum(row["token_cost"] + row["engine_cost"] for row in month if row["outcome"] is not None)
