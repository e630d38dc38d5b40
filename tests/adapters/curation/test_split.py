from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.curation.split import Side, border, side
from adapters.curation.talks import Talks, micros, moment
from tests.adapters.curation.world import START

MINUTE = 60_000_000


def test_about_the_last_share_is_held_out() -> None:
    """Of a hundred, the last fifteen."""
    assert border(range(100), 0.15) == 85


@pytest.mark.parametrize(
    ("starts", "expected"),
    [([], 85), ([84, 89], 84), ([70, 90], 90), ([69], 85), ([99], 85)],
    ids=["none", "the nearest", "later than twice as many", "too early", "too late"],
)
def test_the_border_is_put_where_a_conversation_starts(starts: list[int], expected: int) -> None:
    """Near enough that between half and twice the share are held out."""
    assert border(range(100), 0.15, lambda low, high: [each for each in starts if low < each <= high]) == expected


@pytest.mark.parametrize(
    ("times", "share", "expected"),
    [([], 0.5, None), ([1], 0.4, None), ([1, 2, 3], 0.0, None), ([5, 5, 5], 0.5, None), ([1, 5, 5, 5], 0.25, 5), ([1, 1, 1, 5], 0.5, 5)],
)
def test_a_moment_is_never_divided(times: list[int], share: float, expected: int | None) -> None:
    """Examples of one time are on one side; with nothing to divide none are held out."""
    assert border(times, share) == expected


@given(st.lists(st.integers(0, 50), min_size=2, max_size=60), st.floats(0, 0.9))
def test_there_is_always_something_to_train_on(times: list[int], share: float) -> None:
    """The border is later than the first example, whatever the share."""
    found = border(times, share)
    assert found is None or min(times) < found <= max(times)


@given(st.tuples(*[st.integers(0, 20)] * 4), st.integers(0, 20))
def test_nothing_lies_on_both_sides(times: tuple[int, int, int, int], line: int) -> None:
    """All of a held-out example is behind the border, all of one to train on before it."""
    at, began, earliest, latest = times
    where = side(at, began=began, earliest=earliest, latest=latest, border=line)
    if where is Side.TRAIN:
        assert max(at, latest) < line
    if where is Side.HELD_OUT:
        assert min(at, began, earliest) >= line


def test_a_conversation_across_the_border_is_learnt_up_to_there() -> None:
    """Its first part is trained on, the rest is on neither side."""
    assert side(9, began=8, earliest=8, latest=9, border=10) is Side.TRAIN
    assert side(11, began=8, earliest=10, latest=11, border=10) is Side.NEITHER
    assert side(11, began=10, earliest=10, latest=11, border=10) is Side.HELD_OUT
    assert side(11, began=10, earliest=8, latest=11, border=None) is Side.TRAIN


def test_silence_ends_a_conversation() -> None:
    """An hour and a minute without a word; another channel's talk does not keep it alive."""
    talks = Talks(gap=timedelta(hours=1), longest=timedelta(hours=6))
    for minute in (0, 30, 60, 121, 125):
        talks.hear("a", minute * MINUTE)
        talks.hear("b", (minute + 1) * MINUTE)
    assert [talks.began("a", minute * MINUTE) // MINUTE for minute in (0, 60, 120, 121, 125)] == [0, 0, 0, 121, 121]
    assert talks.began("b", 122 * MINUTE) // MINUTE == 122


def test_starts_are_those_of_all_channels() -> None:
    """After the first time, up to the second."""
    talks = Talks(gap=timedelta(minutes=1), longest=timedelta(hours=6))
    for minute in (0, 10, 20):
        talks.hear("a", minute * MINUTE)
        talks.hear("b", (minute + 5) * MINUTE)
    assert talks.starts(5 * MINUTE, 20 * MINUTE) == [10 * MINUTE, 15 * MINUTE, 20 * MINUTE]


def test_a_channel_that_never_sleeps_is_cut() -> None:
    """Otherwise years would be one conversation, and nothing could be held out."""
    talks = Talks(gap=timedelta(hours=1), longest=timedelta(hours=6))
    for minute in range(0, 24 * 60, 10):
        talks.hear("a", minute * MINUTE)
    assert len({talks.began("a", minute * MINUTE) for minute in range(0, 24 * 60, 10)}) == 4


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=50))
def test_clocks_that_go_back_break_nothing(minutes: list[int]) -> None:
    """Forged times: a conversation never begins after a message it holds, if any began before."""
    talks = Talks(gap=timedelta(hours=1), longest=timedelta(hours=6))
    for minute in minutes:
        talks.hear("a", minute)
    first = talks.began("a", -1)
    assert all(talks.began("a", minute) <= max(minute, first) for minute in minutes)


def test_a_channel_nobody_was_heard_in() -> None:
    """Begins when it is asked for."""
    assert Talks(gap=timedelta(1), longest=timedelta(1)).began("x", 7) == 7


def test_times_survive_as_numbers() -> None:
    """To the microsecond."""
    late = START + timedelta(days=40_000, microseconds=1)
    assert moment(micros(late)) == late
