"""What an account has used of its limits, as the ledger's own refusals would count it."""

import pytest

from adapters.registry.database import Database
from server.accounts.account_state import read_balances, state_of
from server.accounts.ledger import Ledger
from server.accounts.limits import UNLIMITED, Balance, Limits
from server.accounts.refusals import BudgetSpent, ConcurrencyLimited, RateLimited
from tests.server.accounts.ledger.desk import DONE, Clock, allowed, request

LIMITS = Limits(requests_per_minute=3, tokens_per_minute=90, concurrent=2, tokens_per_day=100, money_per_month=200)


async def test_what_is_left_is_what_can_still_be_had(ledger: Ledger, database: Database, clock: Clock) -> None:
    """Set aside while a request runs, used when it has ended; and anew the next day and the next month."""
    ended = await ledger.reserve(request(), allowed(LIMITS))
    await ledger.settle(ended, DONE)
    await ledger.reserve(request(), allowed(LIMITS))
    held = await read_balances(database, ["c:zizou", "c:nobody"])
    assert set(held) == {"c:zizou"}
    state = state_of(LIMITS, held["c:zizou"], clock.now)
    assert (state.running, state.concurrent) == (1, 2)
    assert (state.day.used, state.day.reserved, state.day.remaining) == (15, 30, 55)
    assert (state.month.used, state.month.reserved, state.month.remaining) == (18, 50, 132)
    assert state.requests is not None
    assert (state.requests.remaining, state.requests.reset_ms) == (1, 40_000)
    assert state.tokens is not None
    assert state.tokens.remaining == 45
    for limits, most, refusal in (
        (Limits(tokens_per_day=100), state.day.remaining or 0, BudgetSpent),
        (Limits(tokens_per_minute=90), state.tokens.remaining, RateLimited),
    ):
        with pytest.raises(refusal):
            await ledger.reserve(request(prompt=0, most=most + 1), allowed(limits))
    with pytest.raises(ConcurrencyLimited):
        await ledger.reserve(request(), allowed(Limits(concurrent=1)))
    tomorrow = state_of(LIMITS, held["c:zizou"], clock.now + 86_400 * 10**9)
    assert (tomorrow.day.used, tomorrow.day.reserved, tomorrow.month.used) == (0, 0, 18)
    assert state_of(LIMITS, held["c:zizou"], clock.now + 30 * 86_400 * 10**9).month.remaining == 200


def test_who_never_asked_has_everything_left() -> None:
    state = state_of(UNLIMITED, Balance(), 0)
    assert (state.requests, state.tokens, state.concurrent, state.day.remaining, state.month.remaining) == (None,) * 5
    assert state_of(LIMITS, Balance(), 0).day.remaining == 100
