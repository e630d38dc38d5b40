import itertools
from collections import Counter
from statistics import fmean, pvariance

import pytest

from loadtests.scenarios.table import SCENARIOS, zipf
from loadtests.workload import Workload, parse_weights, schedule

LONG = Workload({"zizou": 3.0, "greybeards": 1.0}, rate_per_s=20.0, duration_s=500.0, max_tokens=8, seed=7)


def test_gaps_are_those_of_a_poisson_process() -> None:
    """Gaps between arrivals have the mean and the variance of an exponential distribution, and so do counts per second."""
    times = [arrival.at_s for arrival in schedule(LONG)]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert fmean(gaps) == pytest.approx(1 / 20, rel=0.03)
    assert pvariance(gaps) == pytest.approx(1 / 20**2, rel=0.06)
    per_second = Counter(int(at_s) for at_s in times)
    counts = [per_second[second] for second in range(500)]
    assert pvariance(counts) == pytest.approx(fmean(counts), rel=0.15)


def test_models_are_asked_by_weight() -> None:
    """A model with three times the weight gets three times the requests."""
    asked = Counter(arrival.model for arrival in schedule(LONG))
    assert asked["zizou"] / asked["greybeards"] == pytest.approx(3.0, rel=0.1)


def test_a_seed_fixes_the_schedule() -> None:
    """The same workload gives the same schedule; another seed gives another one."""
    other = Workload(LONG.weights, LONG.rate_per_s, LONG.duration_s, LONG.max_tokens, seed=8)
    assert schedule(LONG) == schedule(LONG)
    assert schedule(LONG) != schedule(other)


def test_arrivals_are_in_order_and_within_the_duration() -> None:
    """Arrivals ascend and none lies at or beyond the end."""
    times = [arrival.at_s for arrival in schedule(LONG)]
    assert times == sorted(times)
    assert times[0] > 0
    assert times[-1] < LONG.duration_s


def test_weights_are_read_as_written() -> None:
    """A model without a weight counts once, aliases keep their `@`, and a repeated model adds up."""
    assert parse_weights(["zizou=3", "base", "zizou@canary=0.5", "base"]) == {"zizou": 3.0, "base": 2.0, "zizou@canary": 0.5}


@pytest.mark.parametrize("text", ["zizou=0", "zizou=-1", "zizou=x", "zizou=", "=2", "zizou=nan", "zizou=inf"])
def test_nonsense_weights_are_refused(text: str) -> None:
    """A weight that is no positive number is an error that quotes it."""
    with pytest.raises(ValueError, match="MODEL=WEIGHT"):
        parse_weights([text])


def test_a_workload_refuses_nonsense() -> None:
    """A workload without models, time or prompts does not exist."""
    with pytest.raises(ValueError, match="at least one model"):
        Workload({}, 1.0, 1.0, 1)
    with pytest.raises(ValueError, match="above 0"):
        Workload({"base": 1.0}, 1.0, 0.0, 1)
    with pytest.raises(ValueError, match="prompt"):
        Workload({"base": 1.0}, 1.0, 1.0, 1, prompts=())


def test_every_scenario_is_a_workload() -> None:
    """The named scenarios make valid workloads over any models, and `zipf` falls off by rank."""
    for scenario in SCENARIOS.values():
        weights = scenario.share(["a", "b"])
        assert schedule(Workload(weights, scenario.rate_per_s, scenario.duration_s, scenario.max_tokens))
    assert zipf(["a", "b", "c", "d"]) == {"a": 1.0, "b": 0.5, "c": pytest.approx(1 / 3), "d": 0.25}
