"""Where a registry keeps its bytes and its index: each test that asks for one runs on every kind that there is."""

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.adapters.registry.s3 import s3_service, send
from tests.postgres import PostgresServer, postgres_server


@pytest.fixture(scope="session")
def s3() -> Iterator[Mapping[str, str]]:
    """A service that speaks S3, and the `AWS_*` variables that lead to it."""
    with s3_service() as variables:
        yield variables


@pytest.fixture
def s3_url(s3: Mapping[str, str]) -> str:
    """A place in an empty bucket."""
    bucket = f"troupe-{secrets.token_hex(8)}"
    send("PUT", bucket)
    return f"s3://{bucket}/some/prefix"


@pytest.fixture
def folder_url(tmp_path: Path) -> str:
    """A folder that does not exist yet."""
    return str(tmp_path / "store")


@pytest.fixture(params=["folder", "s3"])
def store_url(request: pytest.FixtureRequest) -> str:
    """An empty store: a local folder, then a bucket."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'registry' / 'index.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.database()
