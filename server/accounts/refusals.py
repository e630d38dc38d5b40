"""Why the ledger lets a request not begin.

LedgerError                an AccountsError
├── LedgerUnavailable      it cannot be written: 503, before any work of the engine
├── DuplicateRequest       this request id is in the ledger already
└── Refused                429; `limit`, `owner`, `cap`, `remaining` say which limit and how much of it is left
    ├── RateLimited        requests or tokens per minute; `retry_after_ms` (None: it is larger than the limit itself), `reset_ms`
    ├── ConcurrencyLimited as many run as may; `retry_after_ms` (None: none may ever run)
    └── BudgetSpent        tokens per day or money per month; `resets_at`; `held`: only set aside for requests that run now

Each message is for the caller: it names his own limits and nobody else's, no file and no server.
"""

from datetime import datetime

from server.accounts.errors import AccountsError

_NAMES = {
    "requests_per_minute": "requests per minute",
    "tokens_per_minute": "tokens per minute",
    "concurrent": "requests at a time",
    "tokens_per_day": "tokens per day",
    "money_per_month": "budget of this month",
}


class LedgerError(AccountsError):
    """Base of everything the ledger raises on purpose."""


class LedgerUnavailable(LedgerError):
    pass


class DuplicateRequest(LedgerError):
    pass


class Refused(LedgerError):
    def __init__(self, limit: str, owner: str, message: str, *, cap: int, remaining: int, retry_after_ms: int | None) -> None:
        """`limit`: the field of Limits; `owner`: `community` or `key`; `retry_after_ms`: None if waiting is of no use."""
        super().__init__(message)
        self.limit = str(limit)
        self.owner = owner
        self.cap = cap
        self.remaining = remaining
        self.retry_after_ms = retry_after_ms


class RateLimited(Refused):
    def __init__(self, limit: str, owner: str, *, cap: int, remaining: int, retry_after_ms: int | None, reset_ms: int) -> None:
        advice = f"try again in {retry_after_ms / 1000:.2f} s" if retry_after_ms is not None else "this one request asks for more than that"
        message = f"This {owner} may use {cap} {_NAMES[limit]}, {remaining} are left: {advice}."
        super().__init__(limit, owner, message, cap=cap, remaining=remaining, retry_after_ms=retry_after_ms)
        self.reset_ms = reset_ms


class ConcurrencyLimited(Refused):
    def __init__(self, limit: str, owner: str, *, cap: int, remaining: int, retry_after_ms: int | None) -> None:
        advice = ": have the limit raised" if retry_after_ms is None else ", and they are running: try again when one has ended"
        message = f"This {owner} may run {cap} {_NAMES[limit]}{advice}."
        super().__init__(limit, owner, message, cap=cap, remaining=remaining, retry_after_ms=retry_after_ms)


class BudgetSpent(Refused):
    def __init__(self, limit: str, owner: str, *, cap: int, remaining: int, resets_at: datetime, held: bool, fits: bool) -> None:
        """`fits`: whether the request would be let in if nothing of it were used."""
        what = f"{cap} {_NAMES[limit]}" if limit == "tokens_per_day" else _NAMES[limit]
        begins = f"it begins anew at {resets_at:%Y-%m-%dT%H:%M:%SZ}"
        advice = f": {begins}" if fits else f", and so is all of it when {begins}: ask for less, or have the limit raised"
        if held:
            advice = f": some of it is set aside for requests that run, and {begins}"
        message = f"What is left of this {owner}'s {what} is less than this request may use{advice}."
        super().__init__(limit, owner, message, cap=cap, remaining=remaining, retry_after_ms=1000 if held else None)
        self.resets_at = resets_at
        self.held = held
