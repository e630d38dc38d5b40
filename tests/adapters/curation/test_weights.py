import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adapters.curation.weights import cap_authors, soft_cutoff

WEIGHTS = st.lists(st.tuples(st.integers(0, 12).map(str), st.floats(0.02, 1)), min_size=1, max_size=120)


def totals(weights: list[tuple[str, float]], factors: dict[str, float]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for author, weight in weights:
        sums[author] = sums.get(author, 0) + weight * factors.get(author, 1.0)
    return sums


def test_the_cutoff_is_soft() -> None:
    """Nobody: nothing. One reaction: a little. At the cutoff: a half. Then it rises with every person and never passes one."""
    weights = [soft_cutoff(people, cutoff=3, sharpness=2) for people in range(60)]
    assert weights[0] == 0
    assert 0.05 < weights[1] < 0.2
    assert weights[3] == pytest.approx(0.5)
    assert weights == sorted(weights)
    assert 0.99 < weights[-1] < 1


@given(st.floats(0, 1e12), st.floats(0.1, 1e4), st.floats(0.1, 50))
def test_weights_stay_between_nothing_and_one(reward: float, cutoff: float, sharpness: float) -> None:
    """Whatever the settings, no overflow and no weight outside 0 to 1."""
    assert 0 <= soft_cutoff(reward, cutoff=cutoff, sharpness=sharpness) <= 1


@given(st.floats(0.01, 1e6), st.floats(0.01, 1e6), st.floats(0.1, 100), st.floats(0.1, 10))
def test_more_reward_never_weighs_less(one: float, other: float, cutoff: float, sharpness: float) -> None:
    """The curve is monotone."""
    less, more = sorted((one, other))
    assert soft_cutoff(less, cutoff=cutoff, sharpness=sharpness) <= soft_cutoff(more, cutoff=cutoff, sharpness=sharpness)


@given(WEIGHTS, st.floats(0.02, 1))
def test_nobody_passes_the_limit(weights: list[tuple[str, float]], share: float) -> None:
    """After the factors no author has more than the limit of the whole; the limit is the share, if there are enough authors."""
    cap = cap_authors(weights, share)
    sums = totals(weights, dict(cap.factors))
    assert max(sums.values()) <= cap.limit * math.fsum(sums.values()) * (1 + 1e-6)
    assert cap.held == (len(sums) * share >= 1 - 1e-9)
    assert cap.limit == share if cap.held else cap.limit > share


@given(WEIGHTS, st.floats(0.02, 1))
def test_the_cap_only_takes(weights: list[tuple[str, float]], share: float) -> None:
    """No weight grows, none vanishes, and who has less is never cut below who had less before."""
    cap = cap_authors(weights, share)
    assert all(0 < factor <= 1 for factor in cap.factors.values())
    before, after = totals(weights, {}), totals(weights, dict(cap.factors))
    order = sorted(before, key=lambda author: before[author])
    assert all(after[one] <= after[other] * (1 + 1e-6) for one, other in pairwise(order))


@given(WEIGHTS, st.floats(0.02, 1))
def test_the_cap_takes_no_more_than_it_must(weights: list[tuple[str, float]], share: float) -> None:
    """Where somebody was cut, somebody is at the limit; where nobody was over it, nothing changes."""
    cap = cap_authors(weights, share)
    sums = totals(weights, {})
    whole = math.fsum(sums.values())
    if max(sums.values()) <= cap.limit * whole * (1 - 1e-6):
        assert set(cap.factors.values()) == {1.0}
    else:
        after = totals(weights, dict(cap.factors))
        assert max(after.values()) == pytest.approx(cap.limit * math.fsum(after.values()), rel=1e-5)


@given(WEIGHTS)
def test_capping_twice_changes_nothing(weights: list[tuple[str, float]]) -> None:
    """What keeps to the cap is left as it is."""
    assume(len({author for author, _ in weights}) >= 5)
    cap = cap_authors(weights, 0.2)
    again = cap_authors([(author, weight * cap.factors[author]) for author, weight in weights], 0.2)
    assert all(factor == pytest.approx(1, rel=1e-6) for factor in again.factors.values())


def test_one_author_with_nearly_everything_is_cut_to_the_share() -> None:
    """95 % of the weight become 20 %: the others keep all of theirs."""
    weights = [("loud", 1.0)] * 950 + [(str(author), 1.0) for author in range(50)]
    cap = cap_authors(weights, 0.2)
    assert cap.factors["loud"] == pytest.approx(12.5 / 950)
    assert all(cap.factors[str(author)] == 1 for author in range(50))


@pytest.mark.parametrize(("authors", "limit"), [(1, 1.0), (2, 1.0), (3, 2 / 3), (4, 0.5), (5, 0.2)])
def test_too_few_authors_loosen_the_cap(authors: int, limit: float) -> None:
    """Fewer than five cannot each have at most a fifth: then nobody may pass twice an equal share."""
    cap = cap_authors([(str(author), 1.0) for author in range(authors)], 0.2)
    assert cap.limit == pytest.approx(limit)
    assert cap.held == (authors >= 5)


def test_nothing_to_cap() -> None:
    """No examples, no factors."""
    assert cap_authors([], 0.2).factors == {}
