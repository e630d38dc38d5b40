"""The ledger in a SQLite file: raw sqlite3, no SQLAlchemy, because this is on every request's way.

Statements run on the event loop's thread: each takes microseconds and gives up the interpreter's lock, so that on a thread of its own it
would wait for the loop after every one. What waits for the disk, COMMIT, runs on one thread (WAL, synchronous=FULL: what was acknowledged
survives a crash of the machine). BEGIN IMMEDIATE keeps other processes out from the first look to the commit, and never blocks the loop.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from server.accounts import sqlite_statements as sql
from server.accounts.batch import Batch, NotWritten, OpenRow, Wanted
from server.accounts.entries import Charge, Request, Reservation
from server.accounts.gateway_lock import GatewayLock
from server.accounts.limits import AHEAD_NS, Balance, Want, day_of, refusal
from server.accounts.refusals import DuplicateRequest, LedgerError

Connect = Callable[[Path], sqlite3.Connection]
_Job = tuple[sqlite3.Connection, asyncio.AbstractEventLoop, "asyncio.Future[None]"]

_RECOVER_AT_ONCE = 500


def connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=64)
    connection.execute("PRAGMA synchronous=FULL")
    return connection


class SqliteWriter:
    """For a file that `open_accounts` has made. Several processes may write to it; they take turns."""

    def __init__(self, path: Path, gateway: str, *, patience: float = 2.0, connect: Connect = connect) -> None:
        """`gateway`: of this process alone, never used before. `patience`: seconds to wait for another process that writes."""
        self._path = path
        self._gateway = gateway
        self._patience = patience
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._lock = GatewayLock(path.parent / "gateways", gateway)
        self._committer = _Committer()

    async def open(self) -> None:
        try:
            self._lock.hold()
        except OSError as exc:
            raise NotWritten(f"The ledger's folder {self._lock.folder} cannot be written ({exc}): mend its permissions.") from exc
        self._committer.start()
        now = time.time_ns() // 1_000_000
        connection = await self._begin()
        try:
            connection.execute(sql.BEGIN_GATEWAY, (self._gateway, self._gateway, now, now))
            await self._commit(connection)
        except sqlite3.Error as exc:
            raise self._failed(exc) from exc

    async def write(self, batch: Batch) -> list[Reservation | LedgerError]:
        connection = await self._begin()
        try:
            cursor = connection.cursor()
            for charge in batch.charges:
                _settle(cursor, charge)
            if batch.notes:
                cursor.executemany(sql.NOTE, [(note.tokens, note.request_id) for note in batch.notes])
            if batch.beat:
                cursor.execute(sql.BEAT, (time.time_ns() // 1_000_000, self._gateway))
            answers = [self._reserve(cursor, wanted) for wanted in batch.wanted]
            await self._commit(connection)
        except sqlite3.Error as exc:
            raise self._failed(exc) from exc
        return answers

    async def abandoned(self) -> list[OpenRow]:
        connection = await self._begin()
        try:
            known = [row[0] for row in connection.execute(sql.OPEN_GATEWAYS)]
            dead = [gateway for gateway in known if gateway != self._gateway and not self._lock.is_held(gateway)]
            rows: list[OpenRow] = []
            for gateway in dead:
                left = _RECOVER_AT_ONCE - len(rows)
                rows += [_open_row(row) for row in connection.execute(sql.OPEN_ROWS, (gateway, left))]
            connection.rollback()
        except sqlite3.Error as exc:
            raise self._failed(exc) from exc
        self._lock.clear([gateway for gateway in self._lock.left_behind() if gateway not in known])
        return rows

    async def close(self) -> None:
        self._committer.stop()
        self._drop()
        self._lock.release()

    def _reserve(self, cursor: sqlite3.Cursor, wanted: Wanted) -> Reservation | LedgerError:
        day, later = "", day_of(wanted.now_ns)
        while later > day:  # a second time only where another process has seen midnight before this one
            day = later
            community = _take(cursor, wanted.community, wanted.now_ns, day)
            if isinstance(community, LedgerError):
                return community
            later = community.day
            if later > day:
                continue
            key = _take(cursor, wanted.key, wanted.now_ns, day)
            if not isinstance(key, LedgerError) and key.day == day:
                return self._insert(cursor, wanted, day, community.until, key.until)
            _untake(cursor, wanted.community)
            if isinstance(key, LedgerError):
                return key
            later = key.day
        raise AssertionError("days only go on")

    def _insert(
        self, cursor: sqlite3.Cursor, wanted: Wanted, day: str, community: tuple[int, int], key: tuple[int, int]
    ) -> Reservation | LedgerError:
        request, aside = wanted.request, wanted.community
        row = (request.id, request.key_id, request.community, request.adapter, self._gateway, day, wanted.now_ns // 1_000_000)
        cursor.execute(sql.INSERT, (*row, request.degraded, aside.tokens, aside.money, request.prompt_tokens))
        if cursor.rowcount == 1:
            return wanted.granted(day, community, key)
        _untake(cursor, wanted.community)
        _untake(cursor, wanted.key)
        return DuplicateRequest(f"The request {request.id} is in the ledger already.")

    async def _begin(self) -> sqlite3.Connection:
        """A transaction that keeps others out, as soon as they have finished."""
        deadline, pause = time.monotonic() + self._patience, 0.001
        while True:
            try:
                if self._connection is None:
                    self._connection = self._connect(self._path)
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as exc:
                busy = getattr(exc, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    raise self._failed(exc) from exc
                await asyncio.sleep(pause)
                pause = min(2 * pause, 0.05)
            else:
                return self._connection

    async def _commit(self, connection: sqlite3.Connection) -> None:
        future = asyncio.get_running_loop().create_future()
        self._committer.commit((connection, future.get_loop(), future))
        await future

    def _failed(self, error: sqlite3.Error) -> NotWritten:
        """Nothing of the transaction stays, and the next one begins on a new connection."""
        self._drop()
        said = " ".join(str(error).split())[:200]
        return NotWritten(f"The ledger {self._path} cannot be written ({said}): make room, mend its permissions or put a copy back.")

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()  # which rolls back


class _Committer:
    """One thread that waits for the disk."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger-commit", daemon=True)
        self._started = False

    def start(self) -> None:
        self._thread.start()
        self._started = True

    def commit(self, job: _Job) -> None:
        self._jobs.put(job)

    def stop(self) -> None:
        if self._started:
            self._jobs.put(None)
            self._thread.join()
            self._started = False

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            connection, loop, future = job
            error = None
            try:
                connection.commit()
            except sqlite3.Error as exc:
                error = exc
            if not loop.is_closed():
                loop.call_soon_threadsafe(_tell, future, error)


def _tell(future: "asyncio.Future[None]", error: sqlite3.Error | None) -> None:
    if future.done():  # whoever waited was cancelled
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


class _Taken(NamedTuple):
    """Of an account: `requests_until` and `tokens_until`. A `day` after the one that was asked for: nothing was taken."""

    day: str
    until: tuple[int, int] = (0, 0)


def _take(cursor: sqlite3.Cursor, want: Want, now_ns: int, day: str) -> _Taken | LedgerError:
    """The one conditional statement of an account; or what was in its way."""
    concurrent, per_day, per_month = want.caps
    wanted = (want.account, now_ns, want.request_ns, want.token_ns, day, want.tokens, day[:7], want.money)
    values = (*wanted, concurrent, per_day, per_month, now_ns + AHEAD_NS)
    rows = cursor.execute(sql.TAKE, values).fetchall()
    if rows:
        return _Taken(day, rows[0])
    row = cursor.execute(sql.BALANCE, (want.account,)).fetchone()
    if row is None:
        cursor.execute(sql.FIRST, (want.account,))
        return _take(cursor, want, now_ns, day)
    balance = Balance(*row)
    if balance.day > day:
        return _Taken(balance.day)
    return refusal(want, balance, now_ns, day) or LedgerError(f"The balance of {want.account} does not add up.")


def _untake(cursor: sqlite3.Cursor, want: Want) -> None:
    cursor.execute(sql.UNTAKE, (want.account, want.request_ns, want.token_ns, want.tokens, want.money))


def _settle(cursor: sqlite3.Cursor, charge: Charge) -> None:
    settled, reservation = charge.settlement, charge.reservation
    request = reservation.request
    times = (settled.ttft_ms, settled.queue_ms, settled.wake_ms, settled.life, settled.engine_from_ms, settled.engine_until_ms)
    tokens = (settled.prompt_tokens, settled.cached_tokens, settled.completion_tokens)
    cursor.execute(
        sql.SETTLE,
        (settled.outcome, charge.ended_ms, *tokens, *times, charge.engine_ms, charge.token_cost, charge.engine_cost, request.id),
    )
    if cursor.rowcount != 1:
        return
    community_ns, key_ns = charge.given_back
    budgets = (reservation.day, charge.tokens, reservation.tokens, reservation.day[:7], charge.money, reservation.money)
    cursor.execute(sql.SPEND, (f"c:{request.community}", f"k:{request.key_id}", community_ns, key_ns, *budgets))


def _open_row(row: tuple[str, str, str, str, str, int, int, int, int, int]) -> OpenRow:
    request_id, key_id, community, adapter, day, degraded, tokens, money, prompt, noted = row
    request = Request(request_id, key_id, community, adapter, prompt, max_tokens=0, degraded=bool(degraded))
    return OpenRow(request, day, tokens, money, noted)
