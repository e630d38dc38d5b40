"""What a stretch of an engine's life is charged to: to which requests, and with them to which accounts. Pure.

Until then a request bears the time that it was with the engine as if it had been alone (`Ledger.settle`); so what is charged here is the
difference, and may be below zero.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from server.accounts.engine_seconds import Stretch, Use, split, weights
from server.accounts.prices import Prices

STRETCH_MS = 300_000
MINUTE_MS = 60_000
MANY = 2000
"""Requests are written stretch by stretch, each in one transaction, for which reservations wait."""


PATIENCE_MS = 3_600_000
"""Whoever wakes an engine uses it within that time."""


@dataclass(frozen=True, slots=True)
class Life:
    id: str
    woke_ms: int
    ended_ms: int | None
    shared_until_ms: int
    engine_second: int
    """Its price, in billionths: of its own time, whatever a second costs today."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """A request that was with the engine."""

    id: str
    community: str
    key_id: str
    day: str
    from_ms: int
    until_ms: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Parts:
    """Of one stretch: `totals` add up to it exactly."""

    requests: list[tuple[str, int, int]]
    """Id, milliseconds and millionths to be added."""
    accounts: dict[tuple[str, str], int]
    """By account and month, millionths to be added."""
    totals: dict[str, tuple[int, int]]
    """By community, milliseconds and millionths that it bears."""


def stretches(life: Life, settled_until_ms: int, first_use_ms: int | None) -> list[Stretch]:
    """What can be shared out of a life, given until when all requests are settled: every five minutes by the clock, and its end.

    The first stretch goes on until somebody used the engine, so that who woke it bears its cold start; within the first hour nobody did,
    and it ends there. `first_use_ms`: of the whole life, None if there was none until `settled_until_ms`.
    """
    begin, ended = life.shared_until_ms, life.ended_ms
    end = settled_until_ms if ended is None else min(ended, settled_until_ms)
    if begin == life.woke_ms:
        awaited = begin + PATIENCE_MS
        begin = min(awaited, awaited if first_use_ms is None else max(begin, first_use_ms))
    cuts = [life.shared_until_ms, *range((begin // STRETCH_MS + 1) * STRETCH_MS, end + 1, STRETCH_MS)]
    if ended is not None and ended <= settled_until_ms and cuts[-1] < ended:
        cuts.append(ended)
    return [Stretch(begin, until) for begin, until in pairwise(cuts)]


def pieces(life: Life, stretch: Stretch, requests: int) -> list[Stretch]:
    """A stretch with very many requests a minute at a time, but for the first of a life, which reaches to its first use."""
    if requests <= MANY or stretch.from_ms == life.woke_ms:
        return [stretch]
    cuts = [stretch.from_ms, *range((stretch.from_ms // MINUTE_MS + 1) * MINUTE_MS, stretch.until_ms, MINUTE_MS), stretch.until_ms]
    return [Stretch(begin, until) for begin, until in pairwise(cuts)]


def by_use(life: Life, stretch: Stretch, bearers: Sequence[Bearer]) -> Parts | None:
    """Among those that were in a stretch; None if none was."""
    inside = [each for each in bearers if each.from_ms < stretch.until_ms and each.until_ms >= stretch.from_ms]
    by = weights(stretch, [Use(each.from_ms, each.until_ms, each.tokens) for each in inside])
    return parts(life, stretch, inside, by) if any(by) else None


def parts(life: Life, stretch: Stretch, bearers: Sequence[Bearer], by: Sequence[int]) -> Parts:
    """`by`: the proportions, not all zero."""
    prices = Prices(engine_second=life.engine_second)
    cost = stretch.cost(life.woke_ms, life.engine_second)
    requests: list[tuple[str, int, int]] = []
    accounts: Counter[tuple[str, str]] = Counter()
    milliseconds: Counter[str] = Counter()
    money: Counter[str] = Counter()
    for bearer, part_ms, part_cost in zip(bearers, split(stretch.ms, by), split(cost, by), strict=True):
        alone_ms, alone_cost = _alone(life, stretch, prices, bearer)
        requests.append((bearer.id, part_ms - alone_ms, part_cost - alone_cost))
        for account in (f"c:{bearer.community}", f"k:{bearer.key_id}"):
            accounts[account, bearer.day[:7]] += part_cost - alone_cost
        milliseconds[bearer.community] += part_ms
        money[bearer.community] += part_cost
    return Parts(requests, dict(accounts), {name: (milliseconds[name], money[name]) for name in milliseconds})


def _alone(life: Life, stretch: Stretch, prices: Prices, bearer: Bearer) -> tuple[int, int]:
    """What a request was charged for the part of its time that lies in this stretch; what lies before the life or after it belongs to the
    first and the last."""
    until = max(bearer.until_ms, bearer.from_ms)
    begin = bearer.from_ms if stretch.from_ms == life.woke_ms else min(until, max(bearer.from_ms, stretch.from_ms))
    end = until if stretch.until_ms == life.ended_ms else max(begin, min(until, stretch.until_ms))
    return end - begin, prices.engine(until - begin) - prices.engine(until - end)
