"""What the benchmark of refusals makes of samples and of rounds, all of them made up here."""

import pytest

from loadtests.benchmarks.shed import ALONE, CAPACITY, GOOD_S, HOG, OTHER, OVERLOAD, PEAK, PHASES, Seen, lines
from loadtests.measure import Sample


def sample(scheduled_s: float, ended_s: float, error: str | None = None, first_s: float | None = None) -> Sample:
    pieces = () if first_s is None else (first_s,)
    return Sample("base", scheduled_s, ended_s, sent_s=scheduled_s, pieces_s=pieces, error=error)


def test_a_refusal_counts_from_when_it_was_meant_to_be_asked_for() -> None:
    """And an answer that begins too late is not a good one; what is neither is counted apart."""
    hog = [
        sample(0.0, 0.5, first_s=0.2),
        sample(1.0, 4.0, first_s=1.0 + GOOD_S + 0.1),
        sample(1.0, 1.02, "http 429"),
        sample(1.0, 1.04, "http 503"),
        sample(1.0, 2.0, "cut short"),
    ]
    found = Seen({HOG: hog, OTHER: [sample(0.0, 1.0, first_s=0.3)]}, seconds=2.0).figures()
    assert (found["asked"], found["good"], found["refused"], found["odd"]) == (3.0, 1.0, 1.0, 1.0)
    assert found["told_p50_ms"] == pytest.approx(30.0)
    assert found["told_max_ms"] == pytest.approx(40.0)
    assert found["first_p95_ms"] == pytest.approx(300.0)
    assert found["others_refused"] == 0


def test_ten_times_what_can_be_answered_is_asked_for() -> None:
    """Nearly all of it by one community."""
    assert sum(PHASES[OVERLOAD].values()) == 10.0
    assert PHASES[OVERLOAD][OTHER] * CAPACITY > 1
    assert PHASES[ALONE] == {OTHER: PHASES[OVERLOAD][OTHER]}


def test_every_line_fills_its_table() -> None:
    """Each row has as many cells as the head above it."""
    found = Seen({HOG: [sample(0.0, 0.1, first_s=0.05)], OTHER: [sample(0.0, 0.1, first_s=0.05)]}, seconds=1.0).figures()
    table = list(lines([{PEAK: found, ALONE: found, OVERLOAD: found}]))[2:]
    assert {line.count("|") for line in table} == {4}
