"""Which communities' canaries are decided by reactions, and the comparisons so far, in SQL. Knows the tables, and decides nothing.

A comparison is of two versions and begins when both are seen at their aliases; one at a time in a community. Several gateways may look
at one: whoever `take`s it carries out its decision, and if he dies another one may after a while.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update

from adapters.registry.database import Database
from server.accounts.schema_feedback import policies, trials
from server.feedback.canary import Policy

MOVED = "moved"
"""The outcome of a comparison that ended because somebody moved an alias."""
TAKEN_MS = 900_000
"""How long whoever carries out a decision may take: an engine may have to wake for it."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """A policy, and who set it."""

    policy: Policy
    by: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Trial:
    """One comparison of a community, numbered from 1. `ended_ms`, `outcome`, `why`: None while it goes on."""

    community: str
    number: int
    canary: int
    live: int
    began_ms: int
    ended_ms: int | None = None
    outcome: str | None = None
    why: str | None = None


class TrialStore:
    """Errors leave it as adapters.registry.DatabaseError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def agree(self, community: str, policy: Policy | None, *, by: str, now_ms: int) -> None:
        """None: canaries there are decided by people."""
        async with self._database.writing() as connection:
            await connection.execute(delete(policies).where(policies.c.community == community))
            if policy is not None:
                row = {"community": community, **asdict(policy), "set_by": by[:100], "set_ms": now_ms}
                await connection.execute(insert(policies).values(row))

    async def agreed(self) -> dict[str, Agreed]:
        """By community."""
        async with self._database.reading() as connection:
            return {row.community: _agreed(row) for row in await connection.execute(select(policies))}

    async def of(self, community: str) -> Agreed | None:
        async with self._database.reading() as connection:
            row = (await connection.execute(select(policies).where(policies.c.community == community))).first()
        return None if row is None else _agreed(row)

    async def latest(self, community: str, *, limit: int = 10) -> list[Trial]:
        """The last one first."""
        mine = select(trials).where(trials.c.community == community).order_by(trials.c.number.desc()).limit(limit)
        async with self._database.reading() as connection:
            return [_trial(row) for row in await connection.execute(mine)]

    async def open(self) -> Sequence[Trial]:
        """Those that go on."""
        async with self._database.reading() as connection:
            return [_trial(row) for row in await connection.execute(select(trials).where(trials.c.ended_ms.is_(None)))]

    async def begin(self, community: str, *, canary: int, live: int, now_ms: int) -> Trial:
        """The comparison of these two that goes on, or a new one in place of any other."""
        async with self._database.writing() as connection:
            row = (await connection.execute(select(trials).where(trials.c.community == community, trials.c.ended_ms.is_(None)))).first()
            if row is not None and (row.canary, row.live) == (canary, live):
                return _trial(row)
            if row is not None:
                ended = {"ended_ms": now_ms, "outcome": MOVED, "why": "An alias was moved."}
                await connection.execute(update(trials).where(*_is(_trial(row))).values(ended))
            last = (await connection.execute(select(func.max(trials.c.number)).where(trials.c.community == community))).scalar()
            made = Trial(community, (last or 0) + 1, canary, live, now_ms)
            await connection.execute(insert(trials).values(asdict(made)))
            return made

    async def take(self, trial: Trial, *, now_ms: int) -> bool:
        """Whether the caller is to carry out its decision: nobody else is."""
        async with self._database.writing() as connection:
            taken = (
                update(trials)
                .where(*_is(trial), trials.c.ended_ms.is_(None), trials.c.taken_until_ms <= now_ms)
                .values(taken_until_ms=now_ms + TAKEN_MS)
            )
            return (await connection.execute(taken)).rowcount == 1

    async def end(self, trial: Trial, outcome: str, why: str, *, now_ms: int) -> None:
        async with self._database.writing() as connection:
            ended = {"ended_ms": now_ms, "outcome": outcome, "why": why[:300]}
            await connection.execute(update(trials).where(*_is(trial), trials.c.ended_ms.is_(None)).values(ended))


def _is(trial: Trial) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return trials.c.community == trial.community, trials.c.number == trial.number


def _agreed(row: Row[tuple[object, ...]]) -> Agreed:
    return Agreed(Policy(row.confidence, row.minimum, row.threshold, row.days), row.set_by, row.set_ms)


def _trial(row: Row[tuple[object, ...]]) -> Trial:
    return Trial(row.community, row.number, row.canary, row.live, row.began_ms, row.ended_ms, row.outcome, row.why)
