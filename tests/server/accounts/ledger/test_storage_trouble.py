"""A ledger whose disk or server is in trouble: nothing begins, nothing that was settled is forgotten."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import asyncpg  # type: ignore[import-untyped]
import pytest

from adapters.registry.database import Database
from server.accounts.entries import Outcome, Reservation, Settlement
from server.accounts.ledger import Ledger
from server.accounts.refusals import LedgerUnavailable
from server.accounts.sqlite_writer import SqliteWriter, connect
from tests.server.accounts.ledger.conftest import MakeLedger
from tests.server.accounts.ledger.desk import DONE, PRICES, allowed, assert_adds_up, fetch, request

PATIENCE = 30.0
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
only_postgres = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def path_of(database_url: str) -> Path:
    return Path(database_url.removeprefix("sqlite:///"))


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not await done():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


async def reserve_when_it_works(ledger: Ledger) -> Reservation:
    made: list[Reservation] = []

    async def works() -> bool:
        try:
            made.append(await ledger.reserve(request(), allowed()))
        except LedgerUnavailable:
            return False
        return True

    await until(works)
    return made[0]


async def reserve_until_it_fails(ledger: Ledger) -> list[Reservation]:
    made: list[Reservation] = []
    while len(made) < 5000:
        try:
            made.append(await ledger.reserve(request(), allowed()))
        except LedgerUnavailable:
            return made
    raise AssertionError("it never failed")


@only_sqlite
async def test_a_locked_database_refuses_and_forgets_nothing(database_url: str, database: Database, make_ledger: MakeLedger) -> None:
    """While somebody else writes for long: reserving fails in bounded time, settling waits, and all is well again afterwards."""
    ledger = await make_ledger(writer=SqliteWriter(path_of(database_url), uuid4().hex, patience=0.1))
    open_one = await ledger.reserve(request(), allowed())
    other = sqlite3.connect(path_of(database_url), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    settled = ledger.settle(open_one, DONE)
    with pytest.raises(LedgerUnavailable):
        await asyncio.wait_for(ledger.reserve(request(), allowed()), PATIENCE)
    assert ledger.failure is not None
    assert "locked" in ledger.failure
    assert ledger.unsettled == 1
    other.execute("ROLLBACK")
    other.close()
    await asyncio.wait_for(settled, PATIENCE)
    await ledger.settle(await reserve_when_it_works(ledger), DONE)
    assert not ledger.failure
    await assert_adds_up(database)


@only_sqlite
async def test_a_full_disk_refuses_and_forgets_nothing(database_url: str, database: Database, make_ledger: MakeLedger) -> None:
    """Room is made, and everything that was settled meanwhile is written."""
    is_full = True

    def small(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        if is_full:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages + 3}")
        return connection

    ledger = await make_ledger(writer=SqliteWriter(path_of(database_url), uuid4().hex, connect=small))
    reservations = await reserve_until_it_fails(ledger)
    assert ledger.failure is not None
    assert "full" in ledger.failure
    is_full = False
    await asyncio.wait_for(asyncio.gather(*(ledger.settle(each, DONE) for each in reservations)), PATIENCE)
    assert {row["outcome"] for row in await fetch(database, "SELECT outcome FROM requests")} == {"complete"}
    assert len(await fetch(database, "SELECT id FROM requests")) == len(reservations)
    assert await fetch(database, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    await assert_adds_up(database)


class SlowDisk(sqlite3.Connection):
    """Whose commits wait for `go`."""

    go = threading.Event()

    def commit(self) -> None:
        assert self.go.wait(PATIENCE)
        super().commit()


@only_sqlite
async def test_a_disk_that_does_not_answer_keeps_nobody_waiting(database_url: str, database: Database) -> None:
    """Who waits is told, who comes is told at once, and what was written after all is released."""

    def slow(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False, factory=SlowDisk)
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    SlowDisk.go.set()
    ledger = Ledger(SqliteWriter(path_of(database_url), uuid4().hex, connect=slow), PRICES, patience=0.05)
    await ledger.open()
    SlowDisk.go.clear()
    waiting = asyncio.gather(*(ledger.reserve(request(), allowed()) for _ in range(5)), return_exceptions=True)
    answers = await asyncio.wait_for(waiting, PATIENCE)
    assert all(isinstance(answer, LedgerUnavailable) for answer in answers)
    with pytest.raises(LedgerUnavailable):
        await ledger.reserve(request(), allowed())
    SlowDisk.go.set()
    await ledger.settle(await reserve_when_it_works(ledger), DONE)
    await ledger.close()
    outcomes = [row["outcome"] for row in await fetch(database, "SELECT outcome FROM requests")]
    assert sorted(outcomes) == ["complete", *["failed"] * 5]
    await assert_adds_up(database)


@only_postgres
async def test_a_connection_that_is_lost_is_made_again(database_url: str, database: Database, make_ledger: MakeLedger) -> None:
    """Again and again, under load: what was settled is settled once, and nothing stays open that nobody knows of."""
    ledger = await make_ledger()
    admin = await asyncpg.connect(database_url)
    settled = 0

    async def call() -> None:
        nonlocal settled
        for _ in range(20):
            await ledger.settle(await reserve_when_it_works(ledger), Settlement(Outcome.COMPLETE, prompt_tokens=1, completion_tokens=1))
            settled += 1

    calls = asyncio.gather(*(call() for _ in range(10)))
    while not calls.done():
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'troupe ledger'")
        await asyncio.sleep(0.1)
    await calls
    await admin.close()
    await ledger.close()
    assert (settled, ledger.unsettled) == (200, 0)
    rows = await fetch(database, "SELECT outcome, count(*) AS many FROM requests GROUP BY outcome")
    assert {row["outcome"] for row in rows} <= {"complete", "failed"}
    assert next(row["many"] for row in rows if row["outcome"] == "complete") == 200
    await assert_adds_up(database)
