"""What was used: by day and community, and by key. Rows for a table, JSON or CSV; how they look is somebody else's business."""

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlalchemy import Select, case, func, literal, select

from adapters.registry.database import Database
from server.accounts.engine_lives import OPERATOR
from server.accounts.entries import Outcome
from server.accounts.schema_ledger import requests, shares


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one UTC day and community, and key where asked for. Money in millionths; `cost` is the bill, tokens and engine together.

    Community "" is the operator: engine time in which nobody was there.
    """

    day: str
    community: str
    key_id: str
    requests: int = 0
    running: int = 0
    """Not settled yet: they count nowhere else here but in `requests`."""
    complete: int = 0
    aborted: int = 0
    failed: int = 0
    lost: int = 0
    degraded: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    engine_ms: int = 0
    token_cost: int = 0
    engine_cost: int = 0

    @property
    def cost(self) -> int:
        return self.token_cost + self.engine_cost

    def record(self) -> dict[str, Any]:
        """For JSON and CSV."""
        return {**asdict(self), "cost": self.cost}


COLUMNS = (*(field.name for field in fields(Usage)), "cost")
"""Of `Usage.record`, in order."""


async def usage(
    database: Database, *, since: str = "", until: str = "9999-12-31", community: str | None = None, by_key: bool = False
) -> list[Usage]:
    """From day `since` to day `until`, both included, by day and community; the operator's part only where no community is asked for.

    Raises adapters.registry.DatabaseError.
    """
    async with database.reading() as connection:
        found = await connection.execute(_used(since, until, community, by_key=by_key))
        rows = [Usage(*row[:3], *map(int, row[3:])) for row in found]  # sums are Decimals on PostgreSQL
        if community is None:
            idle = (
                select(shares.c.day, func.sum(shares.c.engine_ms), func.sum(shares.c.cost))
                .where(shares.c.community == OPERATOR, shares.c.day.between(since, until))
                .group_by(shares.c.day)
            )
            rows += [Usage(day, OPERATOR, "", engine_ms=int(ms), engine_cost=int(cost)) for day, ms, cost in await connection.execute(idle)]
    return sorted(rows, key=lambda row: (row.day, row.community, row.key_id))


def to_csv(rows: Iterable[Usage]) -> str:
    """With a line of names first, ended as RFC 4180 wants it."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(row.record() for row in rows)
    return text.getvalue()


def _used(since: str, until: str, community: str | None, *, by_key: bool) -> Select[Any]:
    row = requests.c
    key = row.key_id if by_key else literal("")
    settled = row.outcome.is_not(None)
    counts = [func.count(), func.count(case((row.outcome.is_(None), 1)))]
    counts += [func.count(case((row.outcome == outcome, 1))) for outcome in Outcome]
    counts.append(func.count(case((row.degraded, 1))))
    summed = (row.prompt_tokens, row.cached_tokens, row.completion_tokens, row.engine_ms, row.token_cost, row.engine_cost)
    sums = [func.coalesce(func.sum(case((settled, column), else_=0)), 0) for column in summed]
    found = select(row.day, row.community, key.label("key_id"), *counts, *sums).where(row.day.between(since, until))
    if community is not None:
        found = found.where(row.community == community)
    grouped = (row.day, row.community, row.key_id) if by_key else (row.day, row.community)
    return found.group_by(*grouped)
