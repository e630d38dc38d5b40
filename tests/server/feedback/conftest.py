"""Where feedback is kept: each test that asks for a database runs on SQLite, then on a real PostgreSQL server."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.registry.database import Database
from server.accounts import open_accounts
from tests.postgres import PostgresServer, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty one."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres").database()
    opened = await open_accounts(tmp_path, database_url=url)
    try:
        yield opened
    finally:
        await opened.close()
