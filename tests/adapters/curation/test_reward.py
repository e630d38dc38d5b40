import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.curation.reward import LEAST_BOUND, Cell, Norm, reactors, reward
from adapters.sources.message import Message, Reaction
from tests.adapters.curation.world import said


def message(*reactions: Reaction) -> Message:
    return Message(1, "c", "ann", "ann", "x", datetime(2026, 1, 1, tzinfo=UTC), reactions=reactions)


def cell(rewards: list[int], people: int) -> Cell:
    made = Cell(people=set(range(people)))
    for each in rewards:
        made.count(each)
    return made


@pytest.mark.parametrize(
    ("reactions", "expected"),
    [
        ((), 0),
        ((Reaction(1, frozenset({"ann"})),), 0),
        ((Reaction(1, frozenset(), frozenset({"bot"})),), 0),
        ((Reaction(3, frozenset({"ann", "bo"}), frozenset({"bot"})), Reaction(2, frozenset({"bo", "cy"}))), 2),
        ((Reaction(5), Reaction(3)), 5),
        ((Reaction(5, frozenset({"bo"})), Reaction(3, frozenset({"cy"}))), 6),
        ((Reaction(-4), Reaction(0)), 0),
        ((Reaction(1, frozenset({"bo", "cy"})),), 2),
    ],
)
def test_reward_is_distinct_people(reactions: tuple[Reaction, ...], expected: int) -> None:
    """People count once, the author and bots never; where names are missing the largest rest is believed."""
    assert reward(message(*reactions)) == expected


def test_reactors_are_those_with_a_name() -> None:
    """Only ids that the source gave, without the author's."""
    assert reactors(message(Reaction(9, frozenset({"ann", "bo"}), frozenset({"bot"})))) == {"bo"}
    assert reactors(said(1)) == frozenset()


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40), st.integers(0, 500))
def test_one_homogeneous_channel_keeps_the_plain_count(rewards: list[int], people: int) -> None:
    """With nothing to compare with, the factor is 1."""
    only = cell(rewards, people)
    assert Norm([only], people).factor(only) == 1


def test_equal_channels_keep_the_plain_count() -> None:
    """Two channels of the same size and habits: both 1."""
    one, other = cell([0, 0, 1, 4] * 50, 30), cell([0, 0, 1, 4] * 50, 30)
    norm = Norm([one, other], 60)
    assert norm.factor(one) == norm.factor(other) == pytest.approx(1)


def test_a_quiet_channel_counts_more() -> None:
    """One reaction where they are rare is worth more than one where everything gets ten."""
    loud, quiet = cell([8, 10, 12, 0] * 100, 300), cell([0, 0, 0, 1] * 100, 5)
    norm = Norm([loud, quiet], 300)
    assert norm.factor(quiet) > 1.5 > 1 > norm.factor(loud)


def test_the_same_habit_before_more_people_counts_less() -> None:
    """Of two months with too few messages to judge by, the one with the larger audience expects more."""
    crowd, many, few = cell([0, 1, 3] * 300, 50), cell([2], 400), cell([2], 4)
    norm = Norm([crowd, many, few], 500)
    assert norm.factor(many) < norm.factor(few)


def test_few_messages_say_little() -> None:
    """A channel of one loved message is near the common mean, not three times above it."""
    usual, single = cell([0, 1, 2] * 300, 40), cell([40], 40)
    assert Norm([usual, single], 80).factor(single) > 0.85


def test_a_forged_count_is_everybodys_applause_and_no_more() -> None:
    """A billion reactions are cut to the people there are, and do not make the rest of the month worthless."""
    honest, forged = cell([0, 1, 2, 3] * 50, 40), cell([0, 1, 2, 3] * 50 + [10**9], 40)
    norm = Norm([honest, forged], 45)
    assert norm.bounded(10**9) == 45
    assert norm.factor(forged) > 0.9 * norm.factor(honest)


def test_scores_of_a_few_writers_still_differ() -> None:
    """Readers who never write are many: two writers do not bound every score to two."""
    assert Norm([cell([1], 2)], 2).bounded(10**6) == LEAST_BOUND > 2


@given(st.lists(st.tuples(st.lists(st.integers(0, 10**9), max_size=20), st.integers(0, 1000)), min_size=1, max_size=8))
def test_factors_are_sane_whatever_comes(cells: list[tuple[list[int], int]]) -> None:
    """Finite, positive, and never more than three times either way."""
    made = [cell(rewards, people) for rewards, people in cells]
    norm = Norm(made, 10)
    assert all(math.isfinite(norm.factor(each)) and 1 / 3 - 1e-6 <= norm.factor(each) <= 3 for each in made)
