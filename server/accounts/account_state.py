"""What an account has used of its limits, and what is left of them. Pure, but for the one look at the balances.

Money in millionths, times as in limits.py.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import select

from adapters.registry.database import Database
from server.accounts.limits import Allowance, Balance, Limits, allowance, day_of, next_day, next_month
from server.accounts.schema_ledger import balances

_NAMES = tuple(field.name for field in fields(Balance))


@dataclass(frozen=True, slots=True)
class Budget:
    limit: int | None
    used: int
    reserved: int
    """For requests that run."""
    resets_at: datetime

    @property
    def remaining(self) -> int | None:
        """None: not limited."""
        return None if self.limit is None else max(0, self.limit - self.used - self.reserved)


@dataclass(frozen=True, slots=True)
class AccountState:
    """At one time. None: not limited."""

    requests: Allowance | None
    tokens: Allowance | None
    """Per minute, both."""
    concurrent: int | None
    running: int
    day: Budget
    """Tokens."""
    month: Budget
    """Money."""


async def read_balances(database: Database, accounts: Collection[str]) -> dict[str, Balance]:
    """Of those accounts that were ever used. Raises adapters.registry.DatabaseError."""
    async with database.reading() as connection:
        found = await connection.execute(select(balances).where(balances.c.account.in_(sorted(accounts))))
        return {row["account"]: Balance(**{name: row[name] for name in _NAMES}) for row in found.mappings()}


def state_of(limits: Limits, balance: Balance, now_ns: int) -> AccountState:
    day = day_of(now_ns)
    of_day = (balance.day_spent, balance.day_reserved) if balance.day == day else (0, 0)
    of_month = (balance.month_spent, balance.month_reserved) if balance.month == day[:7] else (0, 0)
    return AccountState(
        allowance(limits.requests_per_minute, balance.requests_until, now_ns),
        allowance(limits.tokens_per_minute, balance.tokens_until, now_ns),
        limits.concurrent,
        balance.running,
        Budget(limits.tokens_per_day, *of_day, next_day(day)),
        Budget(limits.money_per_month, *of_month, next_month(day)),
    )
