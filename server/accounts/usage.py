"""What was used: by day, community and key, or by some of these. Rows for a table, JSON or CSV; how they look is somebody else's business.

A request is of the day on which it began, with all of its engine time.
"""

import csv
import io
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import reduce
from typing import Any

from sqlalchemy import Select, case, func, literal, select

from adapters.registry.database import Database
from server.accounts.engine_lives import OPERATOR
from server.accounts.entries import Outcome
from server.accounts.money import amount
from server.accounts.schema_ledger import requests, shares


class By(StrEnum):
    DAY = "day"
    COMMUNITY = "community"
    KEY = "key_id"


DAYS = ("", "9999-12-31")
"""All."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one UTC day, community and key, as far as it was asked by these; else "". Money in millionths.

    Community "" among communities is the operator: engine time in which nobody was there.
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
        """The bill: tokens and engine together."""
        return self.token_cost + self.engine_cost

    def record(self, by: Collection[By]) -> dict[str, Any]:
        """For JSON and CSV: amounts as decimals of the currency, engine time in seconds."""
        named = {each.value: getattr(self, each) or None for each in By if each in by}
        counted = {name: getattr(self, name) for name in _COUNTS}
        money = {name: amount(getattr(self, name)) for name in _MONEY}
        return {**named, **counted, "engine_seconds": self.engine_ms / 1000, **money}


_MONEY = ("token_cost", "engine_cost", "cost")
_COUNTS = tuple(field.name for field in fields(Usage) if field.name not in {*By, "engine_ms", *_MONEY})


def columns(by: Collection[By]) -> list[str]:
    """Of `Usage.record`, in order."""
    return [*(each.value for each in By if each in by), *_COUNTS, "engine_seconds", *_MONEY]


async def usage(
    database: Database,
    days: tuple[str, str] = DAYS,
    *,
    communities: Collection[str] | None = None,
    by: Collection[By] = (By.DAY, By.COMMUNITY),
    limit: int | None = None,
) -> list[Usage]:
    """Both of `days` included. `communities`: only theirs; None for all, and then the operator's part too. `limit`: of about so many rows.

    Raises adapters.registry.DatabaseError.
    """
    async with database.reading() as connection:
        found = await connection.execute(_used(days, communities, by).limit(limit))
        rows = [Usage(*row[:3], *map(int, row[3:])) for row in found]  # sums are Decimals on PostgreSQL
        if communities is None:
            idle = await connection.execute(_idle(days, by))
            rows += [Usage(day, OPERATOR, "", engine_ms=int(ms), engine_cost=int(cost)) for day, ms, cost in idle if ms is not None]
    merged: dict[tuple[str, str, str], Usage] = {}
    for row in rows:
        place = (row.day, row.community, row.key_id)
        merged[place] = _added(merged[place], row) if place in merged else row
    return [merged[place] for place in sorted(merged)]


def to_csv(rows: Iterable[Usage], by: Collection[By]) -> str:
    """With a line of names first, ended as RFC 4180 wants it."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns(by))
    writer.writeheader()
    writer.writerows(row.record(by) for row in rows)
    return text.getvalue()


def total(rows: Iterable[Usage]) -> Usage:
    """Of any rows, the operator's too."""
    return reduce(_added, rows, Usage("", "", ""))


def _added(one: Usage, other: Usage) -> Usage:
    sums = {each.name: getattr(one, each.name) + getattr(other, each.name) for each in fields(Usage)[3:]}
    return Usage(one.day, one.community, one.key_id, **sums)


def _used(days: tuple[str, str], communities: Collection[str] | None, by: Collection[By]) -> Select[Any]:
    row = requests.c
    settled = row.outcome.is_not(None)
    counts = [func.count(), func.count(case((row.outcome.is_(None), 1)))]
    counts += [func.count(case((row.outcome == outcome, 1))) for outcome in Outcome]
    counts.append(func.count(case((row.degraded, 1))))
    summed = (row.prompt_tokens, row.cached_tokens, row.completion_tokens, row.engine_ms, row.token_cost, row.engine_cost)
    sums = [func.coalesce(func.sum(case((settled, column), else_=0)), 0) for column in summed]
    places = [row[each.value] if each in by else literal("").label(each.value) for each in By]
    found = select(*places, *counts, *sums).where(row.day.between(*days))
    if communities is not None:
        found = found.where(row.community.in_(sorted(communities)))
    return found.group_by(*(row[each.value] for each in By if each in by))


def _idle(days: tuple[str, str], by: Collection[By]) -> Select[Any]:
    row = shares.c
    day = row.day if By.DAY in by else literal("").label("day")
    found = select(day, func.sum(row.engine_ms), func.sum(row.cost))
    return found.where(row.community == OPERATOR, row.day.between(*days)).group_by(*([row.day] if By.DAY in by else []))
