"""Limits, prices and usage as the APIs' documents, and how they are made. Amounts of money are decimals of the currency, as texts."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from server.accounts.account_state import AccountState, Budget
from server.accounts.limits import NO_LIMIT, Allowance, Limits
from server.accounts.money import amount, millionths
from server.accounts.prices import Prices
from server.accounts.terms import AtCap, Terms
from server.gateway.admin.schemas import Document

MAX_MONEY = 10**9

Count = Annotated[int, Field(ge=0, le=NO_LIMIT, strict=True)]
Amount = Annotated[str, Field(description="A decimal of the currency.")]


class NewTerms(Document):
    """What is agreed from now on, in place of what was: each limit by name, null for none."""

    requests_per_minute: Count | None
    tokens_per_minute: Count | None
    concurrent: Count | None
    tokens_per_day: Count | None
    money_per_month: Annotated[Decimal, Field(ge=0, le=MAX_MONEY, decimal_places=6)] | None
    at_cap: Literal["refuse", "degrade"] = Field(default="refuse", description="When a budget is spent: nothing more, or a little.")
    weight: int = Field(default=1, ge=1, le=1000, strict=True, description="Of a community: its part while others wait too.")

    def terms(self) -> Terms:
        money = None if self.money_per_month is None else millionths(self.money_per_month)
        limits = Limits(self.requests_per_minute, self.tokens_per_minute, self.concurrent, self.tokens_per_day, money)
        return Terms(limits, AtCap(self.at_cap), self.weight)


class AgreedTerms(Document):
    requests_per_minute: int | None = Field(description="null: not limited, here and below.")
    tokens_per_minute: int | None
    concurrent: int | None
    tokens_per_day: int | None
    money_per_month: Amount | None
    at_cap: Literal["refuse", "degrade"]
    weight: int


class Rate(Document):
    limit: int | None
    remaining: int | None
    reset_seconds: float | None = Field(description="Until all of it is there again.")


class Seats(Document):
    limit: int | None
    running: int
    remaining: int | None


class TokenBudget(Document):
    limit: int | None
    used: int
    reserved: int = Field(description="For requests that run.")
    remaining: int | None
    resets_at: str = Field(description="UTC, ISO 8601.")


class MoneyBudget(Document):
    limit: Amount | None
    used: Amount
    reserved: Amount
    remaining: Amount | None
    resets_at: str


class State(Document):
    """What is left of each limit."""

    requests_per_minute: Rate
    tokens_per_minute: Rate
    concurrent: Seats
    tokens_per_day: TokenBudget
    money_per_month: MoneyBudget


class Account(Document):
    terms: AgreedTerms
    is_default: bool = Field(description="Nothing else was agreed.")
    state: State


class TokenPrices(Document):
    prompt: Amount
    cached: Amount = Field(description="Of prompt tokens that were in the prefix cache.")
    completion: Amount


class PriceList(Document):
    currency: str
    million_tokens: TokenPrices
    engine_second: Amount


class Defaults(Document):
    community: AgreedTerms
    key: AgreedTerms


class AllTerms(Document):
    prices: PriceList
    defaults: Defaults
    communities: dict[str, AgreedTerms] = Field(description="With whom something else was agreed.")
    keys: dict[str, AgreedTerms]


class UsageReport(Document):
    currency: str
    from_: str = Field(alias="from")
    to: str
    by: list[str]
    usage: list[dict[str, Any]] = Field(
        description="A row for each day, community and key, as far as asked by; community null: the operator."
    )
    total: dict[str, Any]


def terms_document(terms: Terms) -> dict[str, Any]:
    limits = terms.limits
    return {
        "requests_per_minute": limits.requests_per_minute,
        "tokens_per_minute": limits.tokens_per_minute,
        "concurrent": limits.concurrent,
        "tokens_per_day": limits.tokens_per_day,
        "money_per_month": _amount(limits.money_per_month),
        "at_cap": terms.at_cap.value,
        "weight": terms.weight,
    }


def state_document(state: AccountState) -> dict[str, Any]:
    seats = None if state.concurrent is None else max(0, state.concurrent - state.running)
    day, month = state.day, state.month
    of_day = {"limit": day.limit, "used": day.used, "reserved": day.reserved, "remaining": day.remaining}
    of_month = {"limit": month.limit, "used": month.used, "reserved": month.reserved, "remaining": month.remaining}
    return {
        "requests_per_minute": _rate(state.requests),
        "tokens_per_minute": _rate(state.tokens),
        "concurrent": {"limit": state.concurrent, "running": state.running, "remaining": seats},
        "tokens_per_day": {**of_day, "resets_at": _time(day)},
        "money_per_month": {**{name: _amount(value) for name, value in of_month.items()}, "resets_at": _time(month)},
    }


def price_document(prices: Prices, currency: str) -> dict[str, Any]:
    cached = prices.prompt if prices.cached is None else prices.cached
    tokens = {"prompt": amount(prices.prompt), "cached": amount(cached), "completion": amount(prices.completion)}
    return {"currency": currency, "million_tokens": tokens, "engine_second": f"{Decimal(prices.engine_second).scaleb(-9).normalize():f}"}


def _rate(allowance: Allowance | None) -> dict[str, Any]:
    if allowance is None:
        return {"limit": None, "remaining": None, "reset_seconds": None}
    return {"limit": allowance.limit, "remaining": allowance.remaining, "reset_seconds": allowance.reset_ms / 1000}


def _amount(of_millionths: int | None) -> str | None:
    return None if of_millionths is None else amount(of_millionths)


def _time(budget: Budget) -> str:
    at: datetime = budget.resets_at
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
