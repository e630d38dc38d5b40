"""The bot's one file: a SQLite connection, used by one thread of one process.

Knows how work gets there and back, and nothing of what is in the tables. Whoever asks waits for the disk, the event loop does not; what
was acknowledged is still there after a kill.
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from clients.discord_bot.errors import StateBroken
from clients.discord_bot.store.schema import NewerFile, migrate

Result = TypeVar("Result")
_PAGES = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON;"


class StateFile:
    """`open` before the first use. Methods raise StateBroken."""

    def __init__(self, path: Path) -> None:
        """The file and its folder are made if they are not there, for their owner alone."""
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bot-state")
        self._connection: sqlite3.Connection | None = None
        self._lock: int | None = None

    async def open(self) -> None:
        """Raises StateBroken also where another bot uses the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._open)

    async def close(self) -> None:
        """Lets the work that was asked for be done first."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._shut)
        self._thread.shutdown(wait=False)

    async def do(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """`work` as one transaction: all of it, or nothing when it raises. It is done even if nobody waits for it any more."""
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, self._transaction, work))

    def _open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = _locked(self._path.with_name(f"{self._path.name}.lock"))
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))  # SQLite makes its other files alike
            os.chmod(self._path, 0o600)
            self._connection = connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            connection.executescript(_PAGES)
            migrate(connection)
        except BlockingIOError as exc:
            raise StateBroken("Another bot runs with this TROUPE_HOME: end it, or give this one a home of its own.") from exc
        except NewerFile as exc:
            self._shut()
            raise StateBroken(f"{self._path} was written by a younger Troupe: run that one.") from exc
        except (OSError, sqlite3.Error) as exc:
            self._shut()
            raise StateBroken(f"The bot's file {self._path} cannot be opened ({exc}): mend its permissions, or put a backup back.") from exc

    def _shut(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _transaction(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        connection = self._connection
        if connection is None:
            raise StateBroken("The bot's file is closed.")
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(connection)
                connection.execute("COMMIT")
            except BaseException:  # whatever it was, nothing of it stays
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as exc:
            raise StateBroken(f"The bot's file {self._path} cannot be used ({exc}): is its disk full?") from exc
        return result


def _locked(path: Path) -> int:
    """A lock that ends with the process. Raises BlockingIOError where another one has it, OSError."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
