"""The connection to a database: SQLite or PostgreSQL by URL, brought to the present schema, its errors translated once.

Knows nothing of adapters: who has tables hands it their `Schema`, and several may share one database. SQLite runs in WAL mode with
synchronous=FULL: what was acknowledged survives a crash of the machine.
"""

import asyncio
import fcntl
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, column, event, inspect, select, table, text, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.util import await_only

from adapters.registry.errors import DatabaseError

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
BUSY_SECONDS = 10
WAIT_SECONDS = 0.001
CONNECT_SECONDS = 10
STATEMENT_SECONDS = 30
_MIGRATION_LOCK = 0x74726F757065  # "troupe": any number that nobody else takes
_ALEMBIC = threading.Lock()
"""Alembic's `op` and `context` are one for the whole process: two schemas in turn, or the tables of one come into the other's database."""


@dataclass(frozen=True)
class Schema:
    """Tables that migrations make, and the one row by which readers learn that there is news in them."""

    head: str
    """The last migration."""
    migrations: Path
    """Alembic's folder. Its env.py finds the version table's name in `config.attributes["version_table"]`."""
    version_table: str
    """Where Alembic notes how far it came: another one for each schema that may lie in the same database."""
    counter: Table
    """One row; its column `revision` is counted up by whoever writes."""


class Database:
    """Cheap to make; connects at its first use. Errors of SQLAlchemy and the drivers leave it as DatabaseError."""

    def __init__(self, url: str, schema: Schema) -> None:
        """`url`: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/NAME`. Raises DatabaseError."""
        self._url = read_url(url)
        self._schema = schema
        self._is_sqlite = self._url.get_backend_name() == "sqlite"
        arguments: dict[str, Any] = {"timeout": BUSY_SECONDS}
        if not self._is_sqlite:
            arguments = {"timeout": CONNECT_SECONDS, "command_timeout": STATEMENT_SECONDS}
        self._engine = create_async_engine(self._url, connect_args=arguments, pool_pre_ping=not self._is_sqlite)
        if self._is_sqlite:
            event.listen(self._engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self._engine.sync_engine, "begin", _begin_sqlite)

    async def migrate(self) -> None:
        """Bring the schema up to date, one process at a time. Raises DatabaseError, also for a schema that is newer than this code."""
        with self._translated():
            async with self._alone():
                async with self._engine.connect() as connection:
                    if await connection.run_sync(_schema_version, self._schema) == self._schema.head:
                        return
                async with _one_alembic(), self._begin_immediate() as connection:
                    if not self._is_sqlite:
                        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
                    held = await connection.run_sync(_schema_version, self._schema)
                    if held is not None and held > self._schema.head:
                        raise DatabaseError(f"The database {self} was made by a newer Troupe (schema {held}): upgrade this one.")
                    await connection.run_sync(_upgrade, self._schema)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """SQLite refuses to change its journal while anybody else looks, and does not wait: so one process after the other."""
        if not self._is_sqlite or not self._url.database:
            yield
            return
        path = Path(self._url.database)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.with_name(f"{path.name}.lock").open("wb") as lock:
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
            await asyncio.to_thread(_write_ahead, path)
            yield

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        with self._translated():
            async with self._engine.connect() as connection, connection.begin():
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that counts the revision up first, which makes all writers take turns; it is rolled back by any exception."""
        counter = self._schema.counter
        async with self.noting() as connection:
            await connection.execute(update(counter).values(revision=counter.c.revision + 1))
            yield connection

    @asynccontextmanager
    async def noting(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes what no reader waits for: the revision stays, and on PostgreSQL other writers go on beside it."""
        with self._translated():
            async with self._begin_immediate() as connection:
                yield connection

    async def close(self) -> None:
        await self._engine.dispose()

    def __str__(self) -> str:
        """For messages: without the password."""
        return str(self._url.database) if self._is_sqlite else f"{self._url.database} at {self._url.host}"

    @asynccontextmanager
    async def _begin_immediate(self) -> AsyncIterator[AsyncConnection]:
        async with self._engine.connect() as connection:
            await connection.execution_options(immediate=True)
            async with connection.begin():
                yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error, OSError, TimeoutError) as exc:
            cause = getattr(exc, "orig", None) or exc
            said = " ".join(str(cause).split())[:200] or type(cause).__name__
            advice = "make room, mend its permissions or put a copy back" if self._is_sqlite else "check it, or TROUPE_DATABASE_URL"
            raise DatabaseError(f"The database {self} cannot be used ({said}): {advice}.") from exc


def read_url(url: str) -> URL:
    """With the driver that is used here, and libpq's `sslmode` as asyncpg spells it. Raises DatabaseError, without the URL's password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as exc:
        raise DatabaseError("TROUPE_DATABASE_URL is no URL: write postgresql://USER:PASSWORD@HOST/NAME, or leave it out.") from exc
    driver = DRIVERS.get(parsed.get_backend_name())
    if driver is None or (driver.startswith("sqlite") and not parsed.database):
        raise DatabaseError("TROUPE_DATABASE_URL must start with postgresql:// or be sqlite:///PATH: mend it, or leave it out.")
    if mode := parsed.query.get("sslmode"):
        parsed = parsed.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return parsed.set(drivername=driver)


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver's own idea of when a transaction begins is not ours: see _begin_sqlite
    cursor = connection.cursor()
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _write_ahead(path: Path) -> None:
    """Readers and a writer no longer wait for each other. The file remembers it."""
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def _begin_sqlite(connection: Connection) -> None:
    if not connection.get_execution_options().get("immediate"):
        connection.exec_driver_sql("BEGIN")
        return
    cursor = connection.connection.cursor()
    try:
        _begin_among_writers(cursor)
    finally:
        cursor.close()


def _begin_among_writers(cursor: DBAPICursor) -> None:
    """SQLite's own waiting asks ever more seldom, and does not come to its turn beside somebody who writes without a pause."""
    deadline = time.monotonic() + BUSY_SECONDS
    cursor.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                cursor.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as exc:
                if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                await_only(asyncio.sleep(WAIT_SECONDS))
            else:
                return
    finally:
        cursor.execute(f"PRAGMA busy_timeout={1000 * BUSY_SECONDS}")


@asynccontextmanager
async def _one_alembic() -> AsyncIterator[None]:
    while not _ALEMBIC.acquire(blocking=False):  # noqa: ASYNC110 -- an event belongs to one loop, and another thread's may hold this
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        _ALEMBIC.release()


def _schema_version(connection: Connection, schema: Schema) -> str | None:
    if not inspect(connection).has_table(schema.version_table):
        return None
    held: str | None = connection.execute(select(column("version_num")).select_from(table(schema.version_table))).scalar()
    return held


def _upgrade(connection: Connection, schema: Schema) -> None:
    # Loaded when there is something to do: it takes as long to import as everything else here.
    command, config = import_module("alembic.command"), import_module("alembic.config").Config()
    config.set_main_option("script_location", str(schema.migrations))
    config.attributes.update(connection=connection, version_table=schema.version_table)
    command.upgrade(config, "head")
