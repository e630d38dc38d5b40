"""Ledgers on every database that there is, and a clock that is set by hand."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from adapters.registry.database import Database
from server.accounts.batch import Writer
from server.accounts.database import open_accounts
from server.accounts.ledger import Ledger
from server.accounts.prices import Prices
from tests.server.accounts.ledger.desk import PRICES, Clock, make_writer

MakeLedger = Callable[..., Awaitable[Ledger]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(database_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """With the tables, for looking at what ledgers wrote."""
    database = await open_accounts(tmp_path, database_url=database_url)
    yield database
    await database.close()


@pytest.fixture
async def make_ledger(database: Database, database_url: str, clock: Clock) -> AsyncIterator[MakeLedger]:
    """Gateways' ledgers on one database, closed at the end."""
    made: list[Ledger] = []

    async def make(*, prices: Prices = PRICES, writer: Writer | None = None) -> Ledger:
        ledger = Ledger(writer or make_writer(database_url), prices, clock_ns=clock)
        await ledger.open()
        made.append(ledger)
        return ledger

    yield make
    for ledger in made:
        await ledger.close()


@pytest.fixture
async def ledger(make_ledger: MakeLedger) -> Ledger:
    return await make_ledger()
