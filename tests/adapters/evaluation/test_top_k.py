"""Top-k KL: a lower bound of the exact distance, which it is where every token is known."""

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.evaluation.top_k import likeliest, top_k_kl

WEIGHTS = st.lists(st.floats(1e-4, 1.0), min_size=2, max_size=30)
PAIRS = st.integers(2, 24).flatmap(
    lambda size: st.tuples(*[st.lists(st.floats(1e-4, 1.0), min_size=size, max_size=size) for _ in range(2)])
)


def distribution(weights: list[float]) -> dict[int, float]:
    """Token → log-probability."""
    total = math.fsum(weights)
    return {token: math.log(weight / total) for token, weight in enumerate(weights)}


def exact(first: Mapping[int, float], second: Mapping[int, float]) -> float:
    return math.fsum(math.exp(value) * (value - second[token]) for token, value in first.items())


def top(position: Mapping[int, float], k: int, also: int) -> dict[int, float]:
    """What a server tells: the k likeliest, and the token that stands there."""
    kept = sorted(position, key=lambda token: -position[token])[:k]
    return {token: position[token] for token in {*kept, also}}


def logs(**chances: float) -> dict[int, float]:
    return {int(token[1:]): math.log(chance) for token, chance in chances.items()}


@given(pair=PAIRS, k=st.integers(0, 24), also=st.integers(0, 23))
def test_it_is_never_above_the_exact_distance(pair: tuple[list[float], list[float]], k: int, also: int) -> None:
    """Whatever k, and whichever other token each of both tells of."""
    first, second = map(distribution, pair)
    seen = [top(each, k, also % len(each)) for each in (first, second)]
    assert 0 <= top_k_kl(*seen) <= exact(first, second) + 1e-9


@given(pair=PAIRS)
def test_it_is_the_exact_distance_where_k_is_the_vocabulary(pair: tuple[list[float], list[float]]) -> None:
    """Nothing is left for the rest."""
    first, second = map(distribution, pair)
    assert top_k_kl(first, second) == pytest.approx(max(0.0, exact(first, second)), abs=1e-9)


@given(pair=PAIRS, k=st.integers(1, 23))
def test_more_tokens_show_more_of_the_distance(pair: tuple[list[float], list[float]], k: int) -> None:
    """Where both tell of the same tokens, one more never makes it smaller."""
    first, second = map(distribution, pair)
    known = sorted(first)
    less, more = ([{token: each[token] for token in known[:count]} for each in (first, second)] for count in (k, k + 1))
    assert top_k_kl(*less) <= top_k_kl(*more) + 1e-9


@given(weights=WEIGHTS, k=st.integers(0, 30))
def test_a_model_is_at_no_distance_from_itself(weights: list[float], k: int) -> None:
    """Also where most of it is in the rest."""
    seen = top(distribution(weights), k, 0)
    assert top_k_kl(seen, seen) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (logs(t1=0.5), logs(t1=0.25), 0.5 * math.log(2) + 0.5 * math.log(0.5 / 0.75)),
        (logs(t1=0.5, t2=0.5), logs(t1=0.25, t2=0.75), 0.5 * math.log(2) + 0.5 * math.log(0.5 / 0.75)),
        (logs(t1=0.9), logs(t2=0.9), 0.0),
        (logs(t1=0.6, t2=0.3), logs(t1=0.2, t3=0.5), 0.6 * math.log(3) + 0.4 * math.log(0.4 / 0.8)),
        ({}, {}, 0.0),
        ({1: 0.0}, {1: math.log(0.5)}, math.log(2)),
        ({1: math.log(0.5)}, {1: 0.0}, 0.5 * math.log(0.5) + 0.5 * math.log(0.5 / 1e-6)),
        ({1: 0.0, 2: -9999.0}, {1: 0.0, 2: -1.0}, 0.0),
    ],
    ids=["one and the rest", "two, all known", "nothing in common", "one in common", "nothing known", "sure here", "sure there", "never"],
)
def test_cases_made_by_hand(first: dict[int, float], second: dict[int, float], expected: float) -> None:
    """Of one part, of two, of none; a certainty on either side gives a number."""
    assert top_k_kl(first, second) == pytest.approx(expected, abs=1e-9)


def test_rounding_of_the_wire_makes_no_distance() -> None:
    """Float32 sums of a whole vocabulary miss one by a few in ten million: no more than that comes out."""
    first = {token: math.log(1 / 50) + 2e-7 for token in range(50)}
    second = {token: math.log(1 / 50) - 2e-7 for token in range(50)}
    assert top_k_kl(first, second) < 1e-5
    assert top_k_kl(second, first) < 1e-5


def test_the_likeliest_is_the_first_where_two_are() -> None:
    """So that a tie is the same on both sides."""
    assert likeliest({5: -1.0, 3: -1.0, 9: -2.0}) == 3
