"""How much a community or a key may ask for, and what is left of it. Pure: rows and times in, sentences and waits out.

The two rates are leaky buckets (GCRA, the generic cell rate algorithm of ITU-T I.371): a row holds one time, `until`, at which the
bucket is full again; a request moves it on by its share of a minute, and is refused where that would lead more than a minute past now.
So a whole minute's allowance may come at once, and then flows back evenly: no edge of a window to wait for or to abuse, the wait that a
refusal names is exact, tokens that were reserved and not used can be given back, and it is one integer in the row that the conditional
update changes anyway, which is why it holds over several gateways and restarts. Within any minute that begins with a full bucket at
most twice the rate can pass, as with fixed windows; over n minutes at most n + 1 times the rate.

The two budgets are of the UTC day and the UTC month, because a bill is: they begin anew at midnight and on the first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from server.accounts.refusals import BudgetSpent, ConcurrencyLimited, RateLimited, Refused

MINUTE_NS = 60_000_000_000
AHEAD_NS = 5 * MINUTE_NS
"""A bucket is full a minute from now at the latest: one that says more than this was filled by a clock that has been set back since, and
counts as empty. Clocks of gateways may differ by a part of it."""
NO_LIMIT = 2**61
"""Larger than any sum, and two of them still fit a column."""


class Kind(StrEnum):
    REQUESTS = "requests_per_minute"
    TOKENS = "tokens_per_minute"
    CONCURRENT = "concurrent"
    DAY = "tokens_per_day"
    MONTH = "money_per_month"


@dataclass(frozen=True, slots=True)
class Limits:
    """None: not limited. Zero: nothing at all. Money in millionths of the currency."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent: int | None = None
    tokens_per_day: int | None = None
    money_per_month: int | None = None

    def __post_init__(self) -> None:
        for kind in Kind:
            cap = getattr(self, kind)
            if cap is not None and not 0 <= cap <= NO_LIMIT:
                raise ValueError(f"{kind} is {cap}: a limit is 0 or more, or left out.")


UNLIMITED = Limits()


@dataclass(frozen=True, slots=True)
class Want:
    """What one request takes of one account (`c:<community>` or `k:<key id>`), against its limits."""

    account: str
    limits: Limits
    request_ns: int
    token_ns: int
    tokens: int
    """Against the budgets; 0 where they are not to be looked at."""
    money: int
    budgeted: bool

    @classmethod
    def of(cls, account: str, limits: Limits, *, tokens: int, money: int, budgeted: bool) -> "Want":
        return cls(
            account,
            limits,
            share_of_minute(1, limits.requests_per_minute),
            share_of_minute(tokens, limits.tokens_per_minute),
            tokens if budgeted else 0,
            money if budgeted else 0,
            budgeted,
        )

    @property
    def caps(self) -> tuple[int, int, int]:
        """Concurrent, tokens per day and money per month."""
        limits = self.limits
        return (
            NO_LIMIT if limits.concurrent is None else limits.concurrent,
            NO_LIMIT if limits.tokens_per_day is None or not self.budgeted else limits.tokens_per_day,
            NO_LIMIT if limits.money_per_month is None or not self.budgeted else limits.money_per_month,
        )


@dataclass(frozen=True, slots=True)
class Balance:
    """The row of an account. What belongs to another day or month than the present counts for nothing: see `on`."""

    requests_until: int = 0
    tokens_until: int = 0
    running: int = 0
    day: str = ""
    day_spent: int = 0
    day_reserved: int = 0
    month: str = ""
    month_spent: int = 0
    month_reserved: int = 0


@dataclass(frozen=True, slots=True)
class Allowance:
    """One rate, as `x-ratelimit-limit`, `-remaining` and `-reset` tell it."""

    limit: int
    remaining: int
    reset_ms: int
    """Until all of it is there again."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left after a request was let in, of the narrower of its two accounts. None: not limited."""

    now_ns: int
    accounts: tuple[tuple[Limits, int, int], ...]
    """Limits, `requests_until`, `tokens_until`. Worked out only when somebody asks."""

    def requests(self) -> Allowance | None:
        return _narrowest([allowance(limits.requests_per_minute, until, self.now_ns) for limits, until, _ in self.accounts])

    def tokens(self) -> Allowance | None:
        return _narrowest([allowance(limits.tokens_per_minute, until, self.now_ns) for limits, _, until in self.accounts])


def share_of_minute(count: int, per_minute: int | None) -> int:
    """In nanoseconds, rounded up; more than a minute if it can never pass."""
    if per_minute is None:
        return 0
    if per_minute == 0:
        return 2 * MINUTE_NS if count else 0
    return min(-(-count * MINUTE_NS // per_minute), 2 * MINUTE_NS)


def allowance(per_minute: int | None, until_ns: int, now_ns: int) -> Allowance | None:
    if per_minute is None:
        return None
    filled = _filled(until_ns, now_ns)
    return Allowance(per_minute, max(0, (MINUTE_NS - filled) * per_minute // MINUTE_NS), -(-filled // 1_000_000))


def _filled(until_ns: int, now_ns: int) -> int:
    """How much of a bucket, in nanoseconds."""
    return max(0, until_ns - now_ns) if until_ns <= now_ns + AHEAD_NS else 0


def _narrowest(allowances: list[Allowance | None]) -> Allowance | None:
    return min((each for each in allowances if each is not None), key=lambda each: each.remaining, default=None)


def day_of(now_ns: int) -> str:
    return datetime.fromtimestamp(now_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d")


def next_day(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)


def next_month(day: str) -> datetime:
    first = datetime.fromisoformat(day[:7] + "-01").replace(tzinfo=UTC)
    return (first + timedelta(days=32)).replace(day=1)


def refusal(want: Want, balance: Balance, now_ns: int, day: str) -> Refused | None:
    """Which limit is in the way: the one that takes longest to go away first, so that nobody waits in vain. None: none is."""
    return _spent(want, balance, day) or _too_fast(want, balance, now_ns) or _too_many(want, balance)


def _too_many(want: Want, balance: Balance) -> ConcurrencyLimited | None:
    cap = want.limits.concurrent
    if cap is None or balance.running < cap:
        return None
    return ConcurrencyLimited(Kind.CONCURRENT, _owner(want), cap=cap, remaining=0, retry_after_ms=1000 if cap else None)


def _spent(want: Want, balance: Balance, day: str) -> BudgetSpent | None:
    limits = want.limits
    of_month = (balance.month_spent, balance.month_reserved) if balance.month == day[:7] else (0, 0)
    of_day = (balance.day_spent, balance.day_reserved) if balance.day == day else (0, 0)
    budgets: Mapping[Kind, tuple[int | None, int, tuple[int, int], datetime]] = {
        Kind.MONTH: (limits.money_per_month, want.money, of_month, next_month(day)),
        Kind.DAY: (limits.tokens_per_day, want.tokens, of_day, next_day(day)),
    }
    for kind, (cap, wanted, (spent, reserved), resets_at) in budgets.items():
        if want.budgeted and cap is not None and spent + reserved + wanted > cap:
            return BudgetSpent(
                kind,
                _owner(want),
                cap=cap,
                remaining=max(0, cap - spent - reserved),
                resets_at=resets_at,
                held=spent + wanted <= cap,
                fits=wanted <= cap,
            )
    return None


def _too_fast(want: Want, balance: Balance, now_ns: int) -> RateLimited | None:
    limits = want.limits
    rates: Mapping[Kind, tuple[int | None, int, int]] = {
        Kind.TOKENS: (limits.tokens_per_minute, want.token_ns, balance.tokens_until),
        Kind.REQUESTS: (limits.requests_per_minute, want.request_ns, balance.requests_until),
    }
    refusals = []
    for kind, (cap, cost_ns, until_ns) in rates.items():
        late_ns = _filled(until_ns, now_ns) + cost_ns - MINUTE_NS
        left = allowance(cap, until_ns, now_ns)
        if left is not None and late_ns > 0:
            never = cost_ns > MINUTE_NS
            wait_ms = None if never else -(-late_ns // 1_000_000)
            refusals.append(
                RateLimited(kind, _owner(want), cap=left.limit, remaining=left.remaining, retry_after_ms=wait_ms, reset_ms=left.reset_ms)
            )
    return max(refusals, key=lambda each: NO_LIMIT if each.retry_after_ms is None else each.retry_after_ms, default=None)


def _owner(want: Want) -> str:
    return "community" if want.account.startswith("c:") else "key"
