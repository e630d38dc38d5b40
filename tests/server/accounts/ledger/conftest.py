"""Ledgers on every database that there is, and a clock that is set by hand."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import pytest

from adapters.registry.database import Database
from server.accounts.batch import Writer
from server.accounts.database import open_accounts
from server.accounts.ledger import Ledger
from server.accounts.prices import Prices
from tests.postgres import PostgresServer
from tests.server.accounts.ledger.desk import PRICES, Clock, make_writer

MakeLedger = Callable[..., Awaitable[Ledger]]


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the tables: copying it takes less than making them."""
    home = tmp_path_factory.mktemp("ledger-template")
    asyncio.run(make_tables(home, ""))
    return home / "accounts" / "accounts.db"


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    """A database with the tables, emptied for each test."""
    url = postgres.database()
    asyncio.run(make_tables(Path(), url))
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Tables, and nothing in them."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_template")
        asyncio.run(empty(url))
        return url
    path = tmp_path / "accounts" / "accounts.db"
    path.parent.mkdir()
    shutil.copy(request.getfixturevalue("sqlite_template"), path)
    return f"sqlite:///{path}"


async def make_tables(home: Path, database_url: str) -> None:
    database = await open_accounts(home, database_url=database_url)
    await database.close()


async def empty(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("TRUNCATE requests, balances, gateways, engine_lives, engine_shares, terms")
    await connection.close()


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
