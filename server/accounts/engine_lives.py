"""The lives of engines, and their sharing out: an hour later, what one cost goes to the requests that used it, five minutes at a time.

Until then a request that was with an engine bears the time that it was there, as if it had been alone (`Ledger.settle`); here that is
replaced by its exact part of the machine's time, cold start and idle tail included. Request rows are the one place that bills are made
from; `engine_shares` holds the same by community, and what the operator bears because nobody was there: community "".
"""

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import Select, and_, func, insert, or_, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.registry.database import Database
from server.accounts.engine_seconds import Stretch
from server.accounts.entries import Outcome
from server.accounts.limits import day_of
from server.accounts.postgres_writer import LOCK
from server.accounts.prices import Prices
from server.accounts.schema_ledger import gateways, lives, requests, shares
from server.accounts.sharing import Bearer, Life, Parts, by_use, parts, pieces, stretches

DAY_MS = 86_400_000
PAGE = 500
"""Rows that are read or written before others of the event loop come to their turn."""
GRACE_MS = 3_600_000
"""A stretch is shared out so long after it ended: until then requests that were in it may not be settled."""
OPERATOR = ""


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
        row["engine_second"] = self._prices.engine_second
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
        price = func.coalesce(lives.c.engine_second, self._prices.engine_second)
        async with self._database.reading() as connection:
            found = await connection.execute(
                select(lives.c.id, lives.c.woke_ms, lives.c.ended_ms, lives.c.shared_until_ms, price, lives.c.gateway, gateways.c.beat_ms)
                .outerjoin_from(lives, gateways, lives.c.gateway == gateways.c.id)
                .where(or_(lives.c.ended_ms.is_(None), lives.c.ended_ms > lives.c.shared_until_ms))
            )
            waiting = [(Life(*row[:5]), row.gateway, row.beat_ms) for row in found]
        for life, gateway, beat in waiting:
            settled_until = self._now() - self._grace_ms
            if life.ended_ms is None and gateway != self._gateway and beat is not None:
                settled_until = min(settled_until, beat)  # it may have ended since, and nobody could write that down yet
            for stretch in stretches(life, settled_until, await self._first_use(life)):
                inside = await self._inside(life, stretch)
                for piece in pieces(life, stretch, len(inside)):
                    shared += await self._share(life, piece, inside)
        return shared

    async def _first_use(self, life: Life) -> int | None:
        """When about somebody had this life's engine for the first time; looked up only while nothing of it was shared out."""
        if life.shared_until_ms > life.woke_ms:
            return life.woke_ms
        async with self._database.reading() as connection:
            first = _paying(life).order_by(requests.c.engine_until_ms).limit(1)
            found = [Bearer(*row) for row in await connection.execute(first)]
        return found[0].from_ms if found else None

    async def _inside(self, life: Life, stretch: Stretch) -> list[Bearer]:
        """The requests that were with the engine in a stretch."""
        row = requests.c
        # What goes on for longer after it is not settled when it is shared out.
        there = and_(row.engine_from_ms < stretch.until_ms, row.engine_until_ms.between(stretch.from_ms, stretch.until_ms + GRACE_MS))
        inside: list[Bearer] = []
        after = (0, "")
        async with self._database.reading() as connection:
            while True:
                page = _paying(life).where(there, tuple_(row.engine_until_ms, row.id) > after)
                page = page.order_by(row.engine_until_ms, row.id).limit(PAGE)
                found = [Bearer(*each) for each in await connection.execute(page)]
                inside += found
                if len(found) < PAGE:
                    return inside
                after = (found[-1].until_ms, found[-1].id)

    async def _share(self, life: Life, stretch: Stretch, inside: list[Bearer]) -> bool:
        """Only if nobody has done it. What is written is one transaction, and a short one: reservations wait for it.

        `inside`: those that were in it, and maybe others. Those bear it; if there are none, those who used this life in the day before; and
        if nobody did, the operator.
        """
        found = await asyncio.to_thread(by_use, life, stretch, inside) or await self._idle(life, stretch)
        async with self._database.noting() as connection:
            if connection.dialect.name == "postgresql":  # with balances, as ledgers do: see postgres_statements.BEGIN
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            mine = and_(lives.c.id == life.id, lives.c.shared_until_ms == stretch.from_ms)
            if (await connection.execute(update(lives).where(mine).values(shared_until_ms=stretch.until_ms))).rowcount != 1:
                return False
            await self._charge(connection, found)
            await self._book(connection, life, stretch, found.totals)
        return True

    async def _idle(self, life: Life, stretch: Stretch) -> Parts:
        """By the last request of each community of the day before, as much as it bore then."""
        day_before = stretch.from_ms - DAY_MS
        lately = and_(shares.c.life == life.id, shares.c.community != OPERATOR, shares.c.until_ms > day_before)
        before = select(shares.c.community, func.sum(shares.c.engine_ms)).where(lately).group_by(shares.c.community)
        last: list[Bearer] = []
        async with self._database.reading() as connection:
            borne = {row[0]: int(row[1]) for row in await connection.execute(before) if row[1]}
            for community in sorted(borne):
                ended = requests.c.engine_until_ms.between(day_before, stretch.until_ms - 1)
                latest = _paying(life).where(requests.c.community == community, ended)
                latest = latest.order_by(requests.c.engine_until_ms.desc(), requests.c.id).limit(1)
                last += [Bearer(*row) for row in await connection.execute(latest)]
        if not last:
            return Parts([], {}, {OPERATOR: (stretch.ms, stretch.cost(life.woke_ms, life.engine_second))})
        return parts(life, stretch, last, [borne[bearer.community] for bearer in last])

    async def _charge(self, connection: AsyncConnection, found: Parts) -> None:
        """Replace what requests bear of a stretch for the time being by their parts, in their rows and in their months' balances."""
        change = text("UPDATE requests SET engine_ms = engine_ms + :ms, engine_cost = engine_cost + :cost WHERE id = :request")
        rows = [{"request": request, "ms": ms, "cost": cost} for request, ms, cost in found.requests if ms or cost]
        for start in range(0, len(rows), PAGE):  # a page at a time, so that nobody's stream stands still meanwhile
            await connection.execute(change, rows[start : start + PAGE])
        corrections = [{"account": account, "month": month, "cost": cost} for (account, month), cost in found.accounts.items() if cost]
        if corrections:
            correct = text("UPDATE balances SET month_spent = month_spent + :cost WHERE account = :account AND month = :month")
            await connection.execute(correct, corrections)

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


def _paying(life: Life) -> Select[Any]:
    """Requests that bear some of this life, as `Bearer` has them."""
    row = requests.c
    columns = (
        row.id,
        row.community,
        row.key_id,
        row.day,
        row.engine_from_ms,
        row.engine_until_ms,
        row.prompt_tokens + row.completion_tokens,
    )
    made_something = or_(row.outcome != Outcome.FAILED, row.completion_tokens > 0)
    return select(*columns).where(row.life == life.id, row.degraded.is_(False), made_something)
