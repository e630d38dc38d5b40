"""Values that Hypothesis draws, as a list: for tests that send many of them at once, which a `@given` of its own cannot."""

from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

Value = TypeVar("Value")


def drawn(strategy: SearchStrategy[Value], count: int, *, number: int = 0) -> list[Value]:
    """`count` of them at most; the same ones for the same `number`."""
    found: list[Value] = []

    @seed(number)
    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(strategy)
    def collect(value: Value) -> None:
        found.append(value)

    collect()
    return found
