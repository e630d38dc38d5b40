import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.evaluation.estimate import Estimate, estimate, pair

Draw = Callable[[np.random.Generator, int], np.ndarray]
DISTRIBUTIONS: dict[str, tuple[Draw, float]] = {
    "normal": (lambda rng, n: rng.normal(3, 2, n), 3.0),
    "skewed": (lambda rng, n: rng.exponential(1, n), 1.0),
    "share": (lambda rng, n: (rng.random(n) < 0.3).astype(float), 0.3),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize(("count", "least"), [(10, 0.84), (30, 0.89), (200, 0.92)])
def test_intervals_hold_the_truth_about_as_often_as_they_say(name: str, count: int, least: float) -> None:
    """Of 300 experiments with a known mean, about 95 % of the intervals hold it; a few less where ten skewed values are all there is."""
    draw, truth = DISTRIBUTIONS[name]
    rng = np.random.default_rng(5)
    found = [estimate(draw(rng, count).tolist()) for _ in range(300)]
    held = sum(each.low <= truth <= each.high for each in found) / len(found)
    assert least <= held <= 0.995


def test_values_of_one_conversation_count_as_one_look() -> None:
    """Twenty conversations of ten equal messages say as much as twenty messages: intervals that ignore it are far too narrow."""
    rng = np.random.default_rng(6)
    held, naive = 0, 0
    for _ in range(200):
        values = np.repeat(rng.normal(0, 1, 20), 10).tolist()
        clusters = [place // 10 for place in range(200)]
        together, apart = estimate(values, clusters=clusters), estimate(values)
        held += together.low <= 0 <= together.high
        naive += apart.low <= 0 <= apart.high
    assert held >= 178
    assert naive <= 120


def test_a_difference_is_paired() -> None:
    """Where everything varies and one is always a little above the other, the difference is certain though both means are not."""
    rng = np.random.default_rng(7)
    base = rng.normal(0, 10, 100)
    found = pair(base.tolist(), (base + rng.normal(0.5, 0.1, 100)).tolist())
    assert found.base.low < 0 < found.base.high
    assert 0.4 < found.difference.low < 0.5 < found.difference.high < 0.6
    assert found.difference.value == pytest.approx(found.adapter.value - found.base.value)


def test_weights_count() -> None:
    """The value is the weighted mean, and what weighs nothing does not matter."""
    assert estimate([1.0, 4.0], weights=[3.0, 1.0]).value == pytest.approx(1.75)
    assert estimate([1.0, 2.0, 900.0], weights=[1.0, 1.0, 0.0]).high <= 2.0


def test_the_same_values_have_the_same_interval() -> None:
    """Seeded: a card made twice says the same."""
    values = [0.1, 0.9, 0.4, 0.3]
    assert estimate(values) == estimate(values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], Estimate(0.0, 0.0, 1.0, 0)),
        ([1.0], Estimate(1.0, 0.0, 1.0, 1)),
        ([0.0] * 100, Estimate(0.0, 0.0, 0.03, 100)),
        ([1.0] * 60, Estimate(1.0, 0.95, 1.0, 60)),
    ],
)
def test_what_was_never_seen_is_not_ruled_out(values: list[float], expected: Estimate) -> None:
    """Without variation the rule of three holds, and one look says nothing of the rest."""
    assert estimate(values, within=(0.0, 1.0)) == expected


def test_one_conversation_proves_nothing_about_others() -> None:
    """However many values it has, the interval of a single cluster reaches as far as it may."""
    found = pair([0.0, 1.0] * 50, [1.0, 1.0] * 50, clusters=["same"] * 100, within=(0.0, 1.0))
    assert (found.difference.low, found.difference.high) == (-1.0, 1.0)


def test_unequal_numbers_cannot_be_paired() -> None:
    """That would compare answers to different questions."""
    with pytest.raises(ValueError, match="cannot be paired"):
        pair([1.0], [1.0, 2.0])


@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1e3), st.integers(0, 5)), max_size=30),
)
def test_estimates_are_finite_and_in_order(rows: list[tuple[float, float, int]]) -> None:
    """low ≤ value ≤ high, for whatever values, weights and clusters."""
    values, weights, clusters = ([row[place] for row in rows] for place in range(3))
    found = estimate(values, weights=weights, clusters=clusters)
    assert all(map(math.isfinite, (found.value, found.low, found.high)))
    assert found.low <= found.value <= found.high
