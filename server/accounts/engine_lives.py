"""The lives of engines, and their sharing out: once an hour, and when one has ended, what it cost goes to the requests that used it.

Until then a request that was with an engine bears the time that it was there, as if it had been alone (`Ledger.settle`); here that is
replaced by its exact part of the machine's time, cold start and idle tail included. Request rows are the one place that bills are made
from; `engine_shares` holds the same by community, and what the operator bears because nobody was there: community "".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import Row, and_, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.registry.database import Database
from server.accounts.engine_seconds import Stretch, Use, split, weights
from server.accounts.entries import Outcome
from server.accounts.limits import day_of
from server.accounts.postgres_writer import LOCK
from server.accounts.prices import Prices
from server.accounts.schema_ledger import gateways, lives, requests, shares

HOUR_MS = 3_600_000
GRACE_MS = 3_600_000
"""A stretch is shared out so long after it ended: until then requests that were in it may not be settled."""
OPERATOR = ""

_Row = Row[Any]


@dataclass(frozen=True, slots=True)
class Life:
    id: str
    woke_ms: int
    ended_ms: int | None
    shared_until_ms: int


class EngineLives:
    """Errors leave it as adapters.registry.DatabaseError."""

    def __init__(self, database: Database, prices: Prices, gateway: str, *, clock_ns: Callable[[], int], grace_ms: int = GRACE_MS) -> None:
        """`gateway`: the ledger's. `clock_ns`: Unix nanoseconds."""
        self._database = database
        self._prices = prices
        self._gateway = gateway
        self._clock_ns = clock_ns
        self._grace_ms = grace_ms

    async def woke(self, life: str, *, engine: str, epoch: int, at_ms: int | None = None) -> None:
        """An engine begins to cost. `life`: a new id, which settlements name. `at_ms`: Unix milliseconds, None for now, here and below.

        Each of these may be said again: the first time counts.
        """
        at = self._now() if at_ms is None else at_ms
        row = {"id": life, "engine": engine, "epoch": epoch, "gateway": self._gateway, "woke_ms": at, "shared_until_ms": at}
        async with self._database.noting() as connection:
            if (await connection.execute(select(lives.c.id).where(lives.c.id == life))).first() is None:
                await connection.execute(insert(lives).values(row))

    async def ready(self, life: str, *, at_ms: int | None = None) -> None:
        await self._note(life, "ready_ms", at_ms)

    async def draining(self, life: str, *, at_ms: int | None = None) -> None:
        await self._note(life, "draining_ms", at_ms)

    async def ended(self, life: str, *, at_ms: int | None = None) -> None:
        """It costs nothing any more."""
        await self._note(life, "ended_ms", at_ms)

    async def end_orphans(self, dead_after_ms: int = 120_000) -> int:
        """End the lives of gateways that died, when these were last known to live: an engine dies with its gateway. How many."""
        async with self._database.noting() as connection:
            beats = {row.id: row.beat_ms for row in await connection.execute(select(gateways.c.id, gateways.c.beat_ms))}
            now = beats.pop(self._gateway, self._now())  # by whichever clock the others' are
            silent = {gateway: beat for gateway, beat in beats.items() if beat < now - dead_after_ms}
            running = await connection.execute(select(lives.c.id, lives.c.gateway, lives.c.woke_ms).where(lives.c.ended_ms.is_(None)))
            orphans = [row for row in running if row.gateway in silent]
            for row in orphans:
                ended = max(row.woke_ms, silent[row.gateway])
                await connection.execute(update(lives).where(lives.c.id == row.id).values(ended_ms=ended))
        return len(orphans)

    async def share_out(self) -> int:
        """Everything that is old enough; how many stretches. May be called at any time, by several gateways at once, but not before this
        gateway has written down which of its engines ended."""
        shared = 0
        async with self._database.reading() as connection:
            found = await connection.execute(
                select(lives.c.id, lives.c.woke_ms, lives.c.ended_ms, lives.c.shared_until_ms, lives.c.gateway, gateways.c.beat_ms)
                .outerjoin_from(lives, gateways, lives.c.gateway == gateways.c.id)
                .where(or_(lives.c.ended_ms.is_(None), lives.c.ended_ms > lives.c.shared_until_ms))
            )
            waiting = [(Life(*row[:4]), row.gateway, row.beat_ms) for row in found]
        for life, gateway, beat in waiting:
            settled_until = self._now() - self._grace_ms
            if life.ended_ms is None and gateway != self._gateway and beat is not None:
                settled_until = min(settled_until, beat)  # it may have ended since, and nobody could write that down yet
            for stretch in stretches(life, settled_until):
                shared += await self._share(life, stretch)
        return shared

    async def _share(self, life: Life, stretch: Stretch) -> bool:
        """In one transaction, and only if nobody has done it."""
        async with self._database.noting() as connection:
            if connection.dialect.name == "postgresql":  # with balances, as ledgers do: see postgres_statements.BEGIN
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            mine = and_(lives.c.id == life.id, lives.c.shared_until_ms == stretch.from_ms)
            if (await connection.execute(update(lives).where(mine).values(shared_until_ms=stretch.until_ms))).rowcount != 1:
                return False
            rows, by = await self._bearers(connection, life, stretch)
            cost = stretch.cost(life.woke_ms, self._prices.engine_second)
            if not rows:
                await self._book(connection, life, stretch, {OPERATOR: (stretch.ms, cost)})
                return True
            parts = list(zip(rows, split(stretch.ms, by), split(cost, by), strict=True))
            await self._charge(connection, life, stretch, parts)
            totals: dict[str, tuple[int, int]] = {}
            for row, ms, money in parts:
                held = totals.get(row.community, (0, 0))
                totals[row.community] = (held[0] + ms, held[1] + money)
            await self._book(connection, life, stretch, totals)
        return True

    async def _bearers(self, connection: AsyncConnection, life: Life, stretch: Stretch) -> tuple[list[_Row], list[int]]:
        """The requests that bear a stretch, and in which proportion: those in it; if none were, the last one of each community that
        used this life before, as they did; none at all if nobody ever did."""
        columns = (requests.c.id, requests.c.community, requests.c.key_id, requests.c.day, requests.c.engine_from_ms)
        more = (requests.c.engine_until_ms, (requests.c.prompt_tokens + requests.c.completion_tokens).label("tokens"))
        pays = and_(
            requests.c.life == life.id,
            requests.c.degraded.is_(False),
            or_(requests.c.outcome != Outcome.FAILED, requests.c.completion_tokens > 0),
        )
        inside = and_(requests.c.engine_from_ms < stretch.until_ms, requests.c.engine_until_ms >= stretch.from_ms)
        rows: list[_Row] = list(await connection.execute(select(*columns, *more).where(pays, inside)))
        by = weights(stretch, [Use(row.engine_from_ms, row.engine_until_ms, row.tokens) for row in rows])
        if any(by):
            return rows, by
        before = select(shares.c.community, func.sum(shares.c.engine_ms)).where(shares.c.life == life.id, shares.c.community != OPERATOR)
        borne = {row[0]: int(row[1]) for row in await connection.execute(before.group_by(shares.c.community)) if row[1]}
        last = func.row_number().over(partition_by=requests.c.community, order_by=[requests.c.engine_until_ms.desc(), requests.c.id])
        ranked = select(*columns, *more, last.label("place")).where(pays, requests.c.community.in_(borne)).subquery()
        rows = list(await connection.execute(select(ranked).where(ranked.c.place == 1)))
        return rows, [borne[row.community] for row in rows]

    async def _charge(self, connection: AsyncConnection, life: Life, stretch: Stretch, parts: Sequence[tuple[_Row, int, int]]) -> None:
        """Replace what a request bears of this stretch for the time being by its part, in its row and in its month's balances."""
        corrections: dict[tuple[str, str], int] = {}
        rows = []
        for row, ms, cost in parts:
            alone_ms, alone_cost = self._alone(life, stretch, row)
            rows.append({"request": row.id, "ms": ms - alone_ms, "cost": cost - alone_cost})
            for account in (f"c:{row.community}", f"k:{row.key_id}"):
                at = (account, row.day[:7])
                corrections[at] = corrections.get(at, 0) + cost - alone_cost
        await connection.execute(
            text("UPDATE requests SET engine_ms = engine_ms + :ms, engine_cost = engine_cost + :cost WHERE id = :request"), rows
        )
        await connection.execute(
            text("UPDATE balances SET month_spent = month_spent + :cost WHERE account = :account AND month = :month"),
            [{"account": account, "month": month, "cost": cost} for (account, month), cost in corrections.items()],
        )

    def _alone(self, life: Life, stretch: Stretch, row: _Row) -> tuple[int, int]:
        """What `Ledger.settle` charged this request for the part of its time that lies in this stretch; what lies before the life or
        after it belongs to the first and the last."""
        until = max(row.engine_until_ms, row.engine_from_ms)
        begin = row.engine_from_ms if stretch.from_ms == life.woke_ms else min(until, max(row.engine_from_ms, stretch.from_ms))
        end = until if stretch.until_ms == life.ended_ms else max(begin, min(until, stretch.until_ms))
        return end - begin, self._prices.engine(until - begin) - self._prices.engine(until - end)

    async def _book(self, connection: AsyncConnection, life: Life, stretch: Stretch, totals: dict[str, tuple[int, int]]) -> None:
        common = {
            "life": life.id,
            "from_ms": stretch.from_ms,
            "until_ms": stretch.until_ms,
            "day": day_of(stretch.from_ms * 1_000_000),
            "shared_ms": self._now(),
        }
        await connection.execute(
            insert(shares), [{**common, "community": community, "engine_ms": ms, "cost": cost} for community, (ms, cost) in totals.items()]
        )

    async def _note(self, life: str, column: str, at_ms: int | None) -> None:
        at = self._now() if at_ms is None else at_ms
        async with self._database.noting() as connection:
            await connection.execute(update(lives).where(lives.c.id == life, lives.c[column].is_(None)).values({column: at}))

    def _now(self) -> int:
        return self._clock_ns() // 1_000_000


def stretches(life: Life, settled_until_ms: int) -> list[Stretch]:
    """What can be shared out of a life, given until when all requests are settled: up to each full hour, and to its end. None of them
    lies in two days."""
    end = settled_until_ms if life.ended_ms is None else min(life.ended_ms, settled_until_ms)
    cuts = [life.shared_until_ms, *range((life.shared_until_ms // HOUR_MS + 1) * HOUR_MS, end + 1, HOUR_MS)]
    if life.ended_ms is not None and life.ended_ms <= settled_until_ms and cuts[-1] < life.ended_ms:
        cuts.append(life.ended_ms)
    return [Stretch(begin, until) for begin, until in pairwise(cuts)]
