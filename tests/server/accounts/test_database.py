"""The tables of accounts: on SQLite and on a real PostgreSQL server, alone and beside the registry's."""

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import mean
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from adapters.registry import open_registry
from server.accounts import migrations as migrations_package
from server.accounts.database import default_database, open_accounts
from server.accounts.schema import HEAD, metadata


def differences(connection: Connection) -> Any:
    """Between what migrations made and what the tables' declarations say, whatever else lies in that database."""

    def ours(_object: Any, name: str | None, kind: str, _reflected: bool, _compared: Any) -> bool:
        return kind != "table" or name in metadata.tables

    options = {"version_table": "accounts_version", "include_object": ours}
    return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


async def test_migrations_make_what_the_schema_says(database_url: str, tmp_path: Path) -> None:
    """From nothing, by several processes at once, beside the registry's tables, and only once."""
    opened = asyncio.gather(*(open_accounts(tmp_path, database_url=database_url) for _ in range(3)))
    registry = await open_registry(tmp_path, database_url=database_url)
    databases = await opened
    async with databases[0].reading() as connection:
        assert await connection.run_sync(differences) == []
        assert (await connection.execute(text("SELECT version_num FROM accounts_version"))).scalar() == HEAD
    assert (await registry.snapshot()).communities() == ()
    folder = next(iter(migrations_package.__path__))
    assert ScriptDirectory(folder).get_current_head() == HEAD
    await registry.close()
    for database in databases:
        await database.close()


async def test_a_change_of_keys_is_no_news_of_adapters(database_url: str, tmp_path: Path) -> None:
    """Each has a revision of its own, also in one database; what is merely noted counts up neither."""
    registry = await open_registry(tmp_path, database_url=database_url)
    database = await open_accounts(tmp_path, database_url=database_url)
    before = await registry.snapshot()
    async with database.writing():
        pass
    async with database.noting():
        pass
    async with database.reading() as connection:
        assert (await connection.execute(text("SELECT revision FROM accounts"))).scalar() == 1
    assert await registry.snapshot(before) is before
    await registry.close()
    await database.close()


async def test_two_schemas_come_into_two_databases_at_once(tmp_path: Path) -> None:
    """Alembic has one context in a process, and would mix them up."""
    for at in range(20):
        registry, database = await asyncio.gather(open_registry(tmp_path / str(at)), open_accounts(tmp_path / str(at)))
        async with database.reading() as connection:
            assert await connection.run_sync(differences) == []
        await registry.close()
        await database.close()


async def test_a_home_holds_accounts_in_a_file_of_their_own(tmp_path: Path) -> None:
    """Which nobody else can read."""
    database = await open_accounts(tmp_path)
    file = Path(default_database(tmp_path).removeprefix("sqlite:///"))
    assert file == tmp_path / "accounts" / "accounts.db"
    await database.close()
    assert sorted(os.listdir(file.parent)) == ["accounts.db", "accounts.db.lock"]
    assert os.stat(file.parent).st_mode & 0o777 == 0o700


@contextmanager
def busy(path: Path) -> Iterator[None]:
    """Somebody who writes one transaction after the other, with hardly a pause."""
    stopped = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
            while not stopped.is_set():
                try:
                    connection.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError:
                    stopped.wait(0.0005)
                    continue
                connection.execute("UPDATE accounts SET revision = revision + 0")
                stopped.wait(0.004)
                connection.execute("COMMIT")
                stopped.wait(0.0002)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        stopped.set()
        writer.join()


async def test_a_writer_who_hardly_rests_keeps_nobody_out(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """As the ledger is under load, on a slow disk: a key can still be revoked."""
    database = await open_accounts(tmp_path)
    took = []
    with busy(tmp_path / "accounts" / "accounts.db"):
        for _ in range(7):
            began = time.monotonic()
            async with database.writing():
                took.append(time.monotonic() - began)
    await database.close()
    record_property("turn to write beside a busy ledger, ms", f"{mean(took) * 1000:.0f}")
    assert mean(took) < 0.5
