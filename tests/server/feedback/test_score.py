"""Rates and which of two is better, held against what the formulas stand for."""

import math

import pytest

from server.feedback.answer import Answer, reward
from server.feedback.score import Rate, probability_better


@pytest.mark.parametrize(
    ("reactions", "people", "worth"),
    [
        ({}, 0, 0),
        ({"👍": 3}, 3, 3),
        ({"👍": 3, "🔥": 3}, 4, 4),
        ({"👎": 3}, 3, 0),
        ({"👎🏿": 2, "👍": 1}, 3, 1),
        ({"❌": 1, "zidane:123456": 2}, 3, 2),
        ({"👍": 5}, 2, 2),
        ({"👍": 1, "😂": 1, "👎": 1}, 2, 1),
        ({"👍": 1, "😂": 1, "👎": 1}, 3, 2),
        ({"👍": 1, "👎": 1, "🤮": 1}, 2, 1),
        ({"👍": 2, "👎": 1}, 2, 2),
    ],
)
def test_an_answer_is_worth_the_people_who_liked_it(reactions: dict[str, int], people: int, worth: int) -> None:
    """Not the reactions; and nobody who only disliked it."""
    assert reward(reactions, people) == worth
    assert Answer("1", "zizou@1", "", 0, 0, reactions, people).reward == worth


def test_an_interval_has_the_truth_in_it_as_often_as_it_says() -> None:
    """On average over the rates, exactly, for few answers and rates near 0, where the usual interval fails."""
    for count in (10, 40, 150):
        intervals = [Rate(count, hits).interval or (1.0, 0.0) for hits in range(count + 1)]
        covered = []
        for step in range(1, 200):
            truth = step / 200
            covered.append(sum(_binomial(count, hits, truth) for hits, (low, high) in enumerate(intervals) if low <= truth <= high))
        assert 0.94 < sum(covered) / len(covered) < 0.97
        assert min(covered) > 0.82
    assert Rate(0, 0).interval is None
    assert Rate(0, 0).rate is None
    assert (Rate(20, 0).interval or (1,))[0] == 0
    assert (Rate(20, 20).interval or (0, 0))[1] == 1


def _binomial(count: int, hits: int, rate: float) -> float:
    return math.comb(count, hits) * rate**hits * (1 - rate) ** (count - hits)


@pytest.mark.parametrize(
    ("one", "other"), [((10, 3), (20, 2)), ((4, 4), (7, 0)), ((100, 50), (90, 40)), ((300, 9), (50, 3)), ((0, 0), (5, 1))]
)
def test_which_is_better_is_the_integral(one: tuple[int, int], other: tuple[int, int]) -> None:
    """Of one posterior's density times the other's distribution, here on a fine grid; both ways it adds up to 1."""
    ours, theirs = Rate(*one), Rate(*other)
    steps = 20_000
    below = expected = 0.0
    for step in range(steps):
        x = (step + 0.5) / steps
        density = _density(theirs, x) / steps
        expected += _density(ours, x) / steps * (below + density / 2)
        below += density
    assert probability_better(ours, theirs) == pytest.approx(expected, abs=1e-4)
    assert probability_better(ours, theirs) + probability_better(theirs, ours) == pytest.approx(1)


def _density(rate: Rate, x: float) -> float:
    a, b = rate.bangers + 1, rate.counted - rate.bangers + 1
    log = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + (a - 1) * math.log(x) + (b - 1) * math.log(1 - x)
    return math.exp(log)


def test_many_answers_are_no_trouble() -> None:
    """A year of a large server, at once and within what a probability can be."""
    assert 0.999 < probability_better(Rate(50_000, 5_500), Rate(400_000, 40_000)) <= 1
    assert probability_better(Rate(200_000, 0), Rate(200_000, 200_000)) == 0
    assert probability_better(Rate(0, 0), Rate(0, 0)) == pytest.approx(0.5)
