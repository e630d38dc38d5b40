"""Prices and limits as an operator sets them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from server.accounts.limits import Limits
from server.accounts.money import amount, millionths
from server.accounts.prices import Prices
from server.accounts.terms import AtCap, Terms
from server.gateway.settings import GatewaySettings


def settings(**values: object) -> GatewaySettings:
    return GatewaySettings.model_validate(values)


def test_prices_are_decimals_of_the_currency() -> None:
    """Of a million tokens and of a second of the engine, to the billionth."""
    read = settings(price_prompt="0.15", price_cached="0.075", price_completion=0.6, price_engine_second="0.000055556")
    assert read.prices == Prices(prompt=150_000, cached=75_000, completion=600_000, engine_second=55_556)
    assert settings().prices == Prices()


def test_limits_are_names_and_numbers_in_one_variable() -> None:
    """Or a table of troupe.toml; what is left out is not limited."""
    read = settings(community_limits="concurrent=4, money_per_month=12.50", key_limits={"tokens_per_day": 1000}, at_cap="degrade")
    assert read.community_terms == Terms(Limits(concurrent=4, money_per_month=12_500_000), AtCap.DEGRADE)
    assert read.key_terms == Terms(Limits(tokens_per_day=1000), AtCap.DEGRADE)
    assert settings().community_terms == Terms()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("community_limits", "concurent=4"),
        ("community_limits", "concurrent"),
        ("community_limits", "concurrent=4,concurrent=5"),
        ("community_limits", "concurrent=-1"),
        ("community_limits", '{"concurrent": 4}'),
        ("key_limits", {"money_per_month": "0.0000001"}),
        ("key_limits", {"anything": 1}),
        ("price_prompt", "-1"),
        ("price_prompt", "NaN"),
        ("price_engine_second", "1e-10"),
        ("at_cap", "ignore"),
        ("currency", "two words"),
    ],
)
def test_what_is_no_price_and_no_limit_is_refused(name: str, value: object) -> None:
    """At the start, by the name of the setting."""
    with pytest.raises(ValidationError) as caught:
        settings(**{name: value})
    assert caught.value.errors()[0]["loc"][0] == name


@given(st.integers(0, 2**60))
def test_amounts_are_exact_both_ways(count: int) -> None:
    assert millionths(Decimal(amount(count))) == count


def test_amounts_read_as_prices_do() -> None:
    """Two digits after the point, and more where there are more."""
    assert [amount(each) for each in (0, 12_500_000, 15, -1_000_000, 1_230_000)] == ["0.00", "12.50", "0.000015", "-1.00", "1.23"]
    for wrong in ("-0.01", "0.0000001", "Infinity"):
        with pytest.raises(ValueError, match="amount of money"):
            millionths(Decimal(wrong))
