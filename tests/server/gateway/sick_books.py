"""Books on a disk that is full, silent or held by somebody else, until it is well again."""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from server.accounts import open_accounts
from server.accounts.books import Books
from server.accounts.engine_lives import EngineLives
from server.accounts.ledger import Ledger
from server.accounts.open_ledger import new_gateway
from server.accounts.prices import Prices
from server.accounts.sqlite_writer import SqliteWriter
from server.accounts.terms import Terms, TermsBook, TermsStore


class _Silent(sqlite3.Connection):
    """Whose commits wait for their disk."""

    answers: threading.Event

    def commit(self) -> None:
        assert self.answers.wait(60)
        super().commit()


class Disk:
    """Well at first. Each fault is told to it before or while it is used, and is over with `heal`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_full = False
        self._answers = threading.Event()
        self._answers.set()
        self._other: sqlite3.Connection | None = None
        self._made: list[sqlite3.Connection] = []

    def connect(self, path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False, factory=_Silent)
        connection.answers = self._answers
        connection.execute("PRAGMA synchronous=FULL")
        self._made.append(connection)
        if self._is_full:
            _leave_no_room(connection)
        return connection

    async def fill(self) -> None:
        self._is_full = True
        for connection in self._made:
            with contextlib.suppress(sqlite3.ProgrammingError):  # the ledger has closed it
                _leave_no_room(connection)

    async def fall_silent(self) -> None:
        """An fsync that does not come back."""
        self._answers.clear()

    async def lock(self) -> None:
        """Another process writes, and does not finish."""
        self._other = sqlite3.connect(self.path, timeout=0, isolation_level=None)
        while not self._other.in_transaction:
            with contextlib.suppress(sqlite3.OperationalError):  # somebody else is writing just now
                self._other.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(0.001)

    def heal(self) -> None:
        self._is_full = False
        for connection in self._made:
            with contextlib.suppress(sqlite3.ProgrammingError):
                connection.execute("PRAGMA max_page_count = 1000000")
        self._answers.set()
        if self._other is not None:
            self._other.execute("ROLLBACK")
            self._other.close()
            self._other = None


def _leave_no_room(connection: sqlite3.Connection) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")


@asynccontextmanager
async def sick_books(home: Path, *, patience: float = 0.3) -> AsyncIterator[tuple[Books, Disk]]:
    """`patience`: seconds that a reservation waits for the disk, and for others who write."""
    database = await open_accounts(home)
    disk = Disk(home / "accounts" / "accounts.db")
    gateway, prices, store = new_gateway(), Prices(), TermsStore(database)
    ledger = Ledger(SqliteWriter(disk.path, gateway, patience=patience, connect=disk.connect), prices, patience=patience)
    await ledger.open()
    try:
        terms = TermsBook(store, community=Terms(), key=Terms())
        yield Books(database, prices, ledger, terms, store, EngineLives(database, prices, gateway, clock_ns=time.time_ns)), disk
    finally:
        disk.heal()
        await ledger.close()
        await database.close()
