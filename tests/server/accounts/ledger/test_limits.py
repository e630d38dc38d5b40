"""Limits and prices as arithmetic: no database."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.accounts.limits import MINUTE_NS, Balance, Limits, Want, allowance, day_of, next_day, next_month, refusal, share_of_minute
from server.accounts.prices import Prices

RATES = st.integers(1, 10**9)


@given(rate=st.integers(1, 10**6), asks=st.lists(st.tuples(st.integers(0, 90 * 10**9), st.integers(1, 100)), max_size=60))
def test_a_rate_passes_one_minute_ahead_and_no_more(rate: int, asks: list[tuple[int, int]]) -> None:
    """Whatever is asked for and when: in any time, what passed is at most the rate for that time and one minute's allowance."""
    now, until, passed = 0, 0, []
    for pause, count in asks:
        now += pause
        cost = share_of_minute(count, rate)
        if max(until, now) + cost <= now + MINUTE_NS:
            until = max(until, now) + cost
            passed.append((now, count))
    for first, (begin, _) in enumerate(passed):
        total = 0
        for end, count in passed[first:]:
            total += count
            assert total <= rate + rate * (end - begin) / MINUTE_NS + 1e-6


@given(rate=RATES, filled=st.integers(0, MINUTE_NS))
def test_what_is_told_to_be_left_does_pass(rate: int, filled: int) -> None:
    told = allowance(rate, filled, 0)
    assert told is not None
    assert filled + share_of_minute(told.remaining, rate) <= MINUTE_NS


@given(rate=RATES, until=st.integers(0, MINUTE_NS), tokens=st.integers(1, 10**9))
def test_the_wait_that_a_refusal_names_is_enough(rate: int, until: int, tokens: int) -> None:
    """And where none is named, no wait is."""
    want = Want.of("c:zizou", Limits(tokens_per_minute=rate), tokens=tokens, money=0, budgeted=True)
    refused = refusal(want, Balance(tokens_until=until), 0, "2026-11-21")
    if refused is None:
        assert until + want.token_ns <= MINUTE_NS
    elif refused.retry_after_ms is None:
        assert tokens > rate
    else:
        later = refused.retry_after_ms * 1_000_000
        assert refusal(want, Balance(tokens_until=until), later, "2026-11-21") is None


def test_days_and_months_are_utc() -> None:
    """Over the ends of months and years, leap days included."""
    assert day_of(1_795_305_599 * 10**9 + 999_999_999) == "2026-11-21"
    assert day_of(1_795_305_600 * 10**9) == "2026-11-22"
    assert next_day("2026-12-31") == datetime(2027, 1, 1, tzinfo=UTC)
    assert next_day("2028-02-28") == datetime(2028, 2, 29, tzinfo=UTC)
    assert next_month("2026-12-31") == datetime(2027, 1, 1, tzinfo=UTC)
    assert next_month("2028-01-31") == datetime(2028, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize("limits", [{"concurrent": -1}, {"money_per_month": 2**62}])
def test_nonsense_is_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="a limit is 0 or more"):
        Limits(**limits)
    with pytest.raises(ValueError, match="below zero"):
        Prices(prompt=-1)


PRICES = st.builds(
    Prices, st.integers(0, 10**8), st.none() | st.integers(0, 10**8), st.integers(0, 10**8), engine_second=st.integers(0, 10**9)
)
TOKENS = st.integers(0, 10**6)


@given(prices=PRICES, prompt=TOKENS, cached=TOKENS, most=TOKENS, completion=TOKENS, milliseconds=st.integers(0, 10**7))
def test_nothing_costs_more_than_what_is_set_aside(
    prices: Prices, prompt: int, cached: int, most: int, completion: int, milliseconds: int
) -> None:
    """Within what was reserved; and it is a whole number, never below what was quoted."""
    used = min(completion, most)
    cost = prices.tokens(prompt, min(cached, prompt), used)
    assert isinstance(cost, int)
    assert cost + prices.engine(milliseconds) <= prices.most(prompt, most, milliseconds)
    assert cost * 10**6 >= used * prices.completion


def test_a_million_tokens_cost_what_was_quoted() -> None:
    assert Prices(prompt=150_000, completion=600_000).tokens(10**6, 0, 10**6) == 750_000
    assert Prices(prompt=150_000, cached=75_000).tokens(10**6, 10**6, 0) == 75_000
    assert Prices(prompt=150_000).tokens(1, 0, 0) == 1
