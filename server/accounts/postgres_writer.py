"""The ledger on PostgreSQL, for several gateways: asyncpg, one connection, each batch one transaction whose statements are pipelined.

Who is dead: a gateway holds an advisory lock for as long as its connection lives, and says by the database's clock that it lives. It is
dead when the lock is free, and it has been silent for `dead_after`: a connection may be lost and made again while its streams go on. One
of the same name began after it: then it needs no more than the free lock, so that a gateway that is started anew clears up at once.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from server.accounts import postgres_statements as sql
from server.accounts.batch import Batch, NotWritten, OpenRow, Wanted
from server.accounts.entries import Charge, Request, Reservation
from server.accounts.limits import AHEAD_NS, Balance, Want, day_of, refusal
from server.accounts.refusals import DuplicateRequest, LedgerError

LOCK = 0x6C65646765  # "ledge": any number that nobody else takes
DEAD_AFTER_SECONDS = 30.0
_RECOVER_AT_ONCE = 500
_CONNECT_SECONDS = 5.0
_DAYS_TRIED = 3
_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""The third is what asyncpg raises where a connection ends in the middle of a pipeline."""

_Row = tuple[Any, ...]


class PostgresWriter:
    """For a database that `open_accounts` has brought up to date."""

    def __init__(self, url: str, gateway: str, *, name: str, patience: float = 4.0, dead_after: float = DEAD_AFTER_SECONDS) -> None:
        """`url`: as asyncpg takes it. `gateway`: of this process alone, never used before. `name`: of the place that it runs in, which
        only one gateway at a time has. `patience`: seconds that a statement may take, and that a gateway may hold up others."""
        self._url = url
        self._gateway = gateway
        self._name = name
        self._patience = patience
        self._dead_after_ms = int(dead_after * 1000)
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._known: set[str] = set()

    async def open(self) -> None:
        try:
            await self._connected()
        except _ERRORS as exc:
            raise self._failed(exc, uncertain=False) from exc

    async def write(self, batch: Batch) -> list[Reservation | LedgerError]:
        begun = False
        try:
            async with asyncio.timeout(self._patience):
                connection = await self._connected()
                begun = True
                return await self._transact(connection, batch)
        except _ERRORS as exc:
            raise self._failed(exc, uncertain=begun) from exc
        except BaseException:  # cancelled, or a bug: what the connection is in the middle of is not known, so nobody may go on with it
            self._drop()
            raise

    async def _transact(self, connection: "asyncpg.Connection[asyncpg.Record]", batch: Batch) -> list[Reservation | LedgerError]:
        await connection.execute(sql.BEGIN.format(lock=LOCK))
        if batch.charges:
            await connection.executemany(sql.SETTLE, [_settled(charge) for charge in batch.charges])
        if batch.notes:
            await connection.executemany(sql.NOTE, [(note.tokens, note.request_id) for note in batch.notes])
        if batch.beat:
            await connection.execute(sql.BEAT, self._gateway)
        answers = await self._reserve_all(connection, batch.wanted) if batch.wanted else []
        await connection.execute("COMMIT")
        return answers

    async def abandoned(self) -> list[OpenRow]:
        try:
            connection = await self._connected()
            async with connection.transaction():
                rows = await connection.fetch(sql.OPEN_ROWS, self._gateway, self._name, self._dead_after_ms, _RECOVER_AT_ONCE)
        except _ERRORS as exc:
            raise self._failed(exc, uncertain=False) from exc
        return [_open_row(tuple(row)) for row in rows]

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*_ERRORS):
                await connection.close(timeout=self._patience)

    async def _connected(self) -> "asyncpg.Connection[asyncpg.Record]":
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        milliseconds = str(int(self._patience * 1000))
        settings = {"lock_timeout": milliseconds, "idle_in_transaction_session_timeout": milliseconds, "application_name": "troupe ledger"}
        connection = await asyncpg.connect(self._url, timeout=_CONNECT_SECONDS, command_timeout=self._patience, server_settings=settings)
        self._connection = connection
        await connection.fetchval(sql.HOLD, self._gateway)
        await connection.execute(sql.BEGIN_GATEWAY, self._gateway, self._name)
        return connection

    async def _reserve_all(
        self, connection: "asyncpg.Connection[asyncpg.Record]", batch: Sequence[Wanted]
    ) -> list[Reservation | LedgerError]:
        accounts = {want.account for wanted in batch for want in (wanted.community, wanted.key)}
        if new := accounts - self._known:
            await connection.execute(sql.FIRST, list(new))
        self._known |= accounts
        days = [day_of(wanted.now_ns) for wanted in batch]
        answers: list[Reservation | LedgerError | None] = [None] * len(batch)
        for _ in range(_DAYS_TRIED):  # more than once only where another gateway has seen midnight before this one
            left = [at for at, answer in enumerate(answers) if answer is None]
            if not left:
                break
            rows = await connection.fetchmany(sql.RESERVE, [_wanted(batch[at], self._gateway, days[at]) for at in left])
            taken = {(row["id"], row["account"]): (row["requests_until"], row["tokens_until"]) for row in rows}
            refused = []
            for at in left:
                wanted = batch[at]
                community = taken.pop((wanted.request.id, wanted.community.account), None)
                key = taken.pop((wanted.request.id, wanted.key.account), None)
                if community is None or key is None:
                    refused.append(at)
                else:
                    answers[at] = wanted.granted(days[at], community, key)
            if refused:
                await self._explain(connection, batch, refused, days, answers)
        return [LedgerError("The gateways' clocks are days apart.") if answer is None else answer for answer in answers]

    async def _explain(
        self,
        connection: "asyncpg.Connection[asyncpg.Record]",
        batch: Sequence[Wanted],
        refused: Sequence[int],
        days: list[str],
        answers: list[Reservation | LedgerError | None],
    ) -> None:
        """Say why; or set the day on and leave the answer open, where the row is in a later one."""
        accounts = [want.account for at in refused for want in (batch[at].community, batch[at].key)]
        balances = {row["account"]: Balance(*tuple(row)[1:]) for row in await connection.fetch(sql.BALANCES, accounts)}
        known = {row["id"] for row in await connection.fetch(sql.KNOWN, [batch[at].request.id for at in refused])}
        for at in refused:
            wanted = batch[at]
            later = max(balances[want.account].day for want in (wanted.community, wanted.key))
            if wanted.request.id in known:
                answers[at] = DuplicateRequest(f"The request {wanted.request.id} is in the ledger already.")
            elif later > days[at]:
                days[at] = later
            else:
                answers[at] = _refusal(wanted, balances, days[at])

    def _failed(self, error: Exception, *, uncertain: bool) -> NotWritten:
        """The next batch begins on a new connection."""
        self._drop()
        said = " ".join(str(error).split())[:200] or type(error).__name__
        return NotWritten(f"The ledger's database cannot be written ({said}): check it, or TROUPE_DATABASE_URL.", uncertain=uncertain)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._known.clear()
        if connection is not None:
            connection.terminate()


def _refusal(wanted: Wanted, balances: Mapping[str, Balance], day: str) -> LedgerError | None:
    """None: nothing is in the way any more."""
    for want in (wanted.community, wanted.key):
        refused = refusal(want, balances[want.account], wanted.now_ns, day)
        if refused is not None:
            return refused
    return None


def _wanted(wanted: Wanted, gateway: str, day: str) -> _Row:
    request, aside = wanted.request, wanted.community
    row = (request.id, request.key_id, request.community, request.adapter, gateway, day, wanted.now_ns // 1_000_000, request.degraded)
    caps = (*_caps(wanted.community), *_caps(wanted.key))
    return (*row, aside.tokens, aside.money, request.prompt_tokens, wanted.now_ns, *caps, wanted.now_ns + AHEAD_NS)


def _caps(want: Want) -> _Row:
    return (want.account, want.request_ns, want.token_ns, *want.caps)


def _settled(charge: Charge) -> _Row:
    settled = charge.settlement
    tokens = (settled.prompt_tokens, settled.cached_tokens, settled.completion_tokens)
    times = (settled.ttft_ms, settled.queue_ms, settled.wake_ms, settled.life, settled.engine_from_ms, settled.engine_until_ms)
    cost = (charge.engine_ms, charge.token_cost, charge.engine_cost)
    row = (charge.reservation.request.id, settled.outcome.value, charge.ended_ms, *tokens, *times, *cost)
    return (*row, *charge.given_back, charge.tokens, charge.money)


def _open_row(row: _Row) -> OpenRow:
    request_id, key_id, community, adapter, day, degraded, tokens, money, prompt, noted = row
    request = Request(request_id, key_id, community, adapter, prompt, max_tokens=0, degraded=bool(degraded))
    return OpenRow(request, day, tokens, money, noted)
