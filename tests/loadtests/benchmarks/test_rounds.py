"""What many rounds say together, computed from rounds made up here."""

import pytest

from loadtests.benchmarks.rounds import Range, added, figure, moved, over, ratio, rotated

ROUNDS = [
    {"direct": {"ms": 1.0}, "relay": {"ms": 2.0}},
    {"direct": {"ms": 10.0}, "relay": {"ms": 30.0}},
    {"direct": {"ms": 2.0}, "relay": {"ms": 5.0}},
]


def test_every_path_is_at_each_place_once() -> None:
    """After as many rounds as paths, none was favoured by its place in the order."""
    orders = [rotated(["a", "b", "c"], turn) for turn in range(3)]
    assert orders == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"]]
    assert all(set(place) == {"a", "b", "c"} for place in zip(*orders, strict=True))


def test_the_rotation_goes_on_after_the_last_path() -> None:
    """A fourth round of three paths is ordered like the first."""
    assert rotated(["a", "b", "c"], 3) == ["a", "b", "c"]


def test_a_ratio_is_the_median_of_the_ratios_and_not_the_ratio_of_medians() -> None:
    """The medians, 5 and 2, would give 2.5 only by chance; a slow round must weigh no more than a quick one."""
    assert ratio(ROUNDS, "relay", "direct", "ms") == Range(median=2.5, low=2.0, high=3.0, rounds=3)
    slow = [*ROUNDS, {"direct": {"ms": 100.0}, "relay": {"ms": 100.0}}, {"direct": {"ms": 100.0}, "relay": {"ms": 110.0}}]
    assert ratio(slow, "relay", "direct", "ms").median == 2.0


def test_what_a_path_adds_is_compared_within_each_round() -> None:
    """Differences are taken before the median."""
    assert added(ROUNDS, "relay", "direct", "ms") == Range(median=3.0, low=1.0, high=20.0, rounds=3)


def test_a_figure_of_one_path_has_its_spread() -> None:
    """Median, smallest and largest of the rounds."""
    assert figure(ROUNDS, "direct", "ms") == Range(median=2.0, low=1.0, high=10.0, rounds=3)


def test_nothing_is_said_of_no_rounds() -> None:
    """Every round may have been dropped; a figure must not be made up then."""
    with pytest.raises(ValueError, match="not one round"):
        over([])


@pytest.mark.parametrize(("after", "expected"), [(119.0, False), (121.0, True), (84.0, False), (83.0, True)])
def test_a_round_in_which_the_machine_moved_is_noticed(after: float, expected: bool) -> None:
    """The limit is a factor of 1.2, in either direction."""
    assert moved({"rate": 100.0}, {"rate": after}, ["rate"]) is expected


def test_only_the_figures_named_must_hold_still() -> None:
    """The tail of a latency may move without the round being lost."""
    assert not moved({"rate": 100.0, "p99": 1.0}, {"rate": 100.0, "p99": 9.0}, ["rate"])


def test_a_range_is_written_with_its_spread() -> None:
    """As the tables show it; differences carry their sign."""
    assert over([1.0, 3.0, 2.0]).text(1) == "2.0 (1.0–3.0)"
    assert over([-1.0, 3.0, 2.0]).text(1, signed=True) == "+2.0 (-1.0 … +3.0)"
