"""Where accounts are kept: each test that asks for a database runs on SQLite, then on a real PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import PostgresServer, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'accounts' / 'accounts.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.database()
