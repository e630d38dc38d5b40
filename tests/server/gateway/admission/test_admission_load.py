"""What admission does for callers, in front of a model of vLLM's scheduler: plain vLLM and the gate under the same load."""

from statistics import fmean

import pytest

from server.gateway.admission.policy import Admission, Bounds
from tests.server.gateway.admission.admission_workloads import hot_and_cold, overload, run, unequal, zipf
from tests.server.gateway.admission.simulate_admission import FLAT, MIXED, Cost, Request, Simulation

SECONDS = 30.0


@pytest.mark.parametrize("cost", [MIXED, FLAT])
def test_adapters_that_are_asked_for_now_and_then_do_not_starve_behind_hot_ones(cost: Cost) -> None:
    """Plain vLLM keeps them out for as long as the hot ones are asked for; here they wait about two seconds, at the same throughput."""
    direct = run(hot_and_cold, gate=False, slots=2, seconds=SECONDS, cost=cost)
    gated = run(hot_and_cold, gate=True, slots=2, seconds=SECONDS, cost=cost)
    assert gated.p95("cold") < 2.5 < direct.p95("cold") / 3
    assert gated.tokens_a_second > 0.93 * direct.tokens_a_second


def test_a_community_with_many_callers_gets_no_more_than_one_with_few() -> None:
    """And one with a single caller hardly waits."""
    direct, gated = run(unequal, gate=False, seconds=SECONDS), run(unequal, gate=True, seconds=SECONDS)
    assert direct.jain("A", "B") < 0.75
    assert gated.jain("A", "B") > 0.99
    assert gated.p95("C") < 0.2 * direct.p95("C")
    assert gated.tokens_a_second > 0.97 * direct.tokens_a_second


@pytest.mark.parametrize(("seats", "slots"), [(8, 2), (8, 4), (16, 4)])
def test_many_adapters_on_few_slots_cost_no_throughput(seats: int, slots: int) -> None:
    """Swaps come only as often as they are worth it, and the adapter that waits longest waits less than before."""
    direct = [run(zipf, gate=False, seats=seats, slots=slots, seconds=60.0, seed=seed) for seed in range(3)]
    gated = [run(zipf, gate=True, seats=seats, slots=slots, seconds=60.0, seed=seed) for seed in range(3)]
    assert fmean(each.tokens_a_second for each in gated) > 0.95 * fmean(each.tokens_a_second for each in direct)
    assert fmean(each.worst_mean() for each in gated) < fmean(each.worst_mean() for each in direct)


def test_overload_is_refused_and_what_is_served_is_served_in_time() -> None:
    """At three times of what the engine can, as many answers begin within a second as at its best."""
    best = max(run(overload(rate, deadline=0.7), gate=True, seconds=SECONDS).goodput() for rate in (15.0, 17.0, 19.0, 21.0))
    assert run(overload(57.0, deadline=0.7), gate=True, seconds=SECONDS).goodput() > 0.9 * best
    assert run(overload(57.0, deadline=0.7), gate=False, seconds=SECONDS).goodput() < 0.3 * best


def test_refusals_of_an_overload_come_at_once() -> None:
    """Most are told when they come, and not when their deadline passes."""
    seen = run(overload(57.0, deadline=0.7), gate=True, seconds=SECONDS)
    why = [each.refused for each in seen.simulation.requests if each.refused]
    assert why.count("DeadlinePassed") < 0.2 * len(why)


def test_nothing_is_left_of_a_load_that_has_passed() -> None:
    """When all callers are gone, no seat, no lane and no weight remains."""
    admission = Admission(Bounds(slots=2, batch=8))
    simulation = Simulation(admission, seats=8, slots=2)
    for number in range(200):
        simulation.at(
            number / 50,
            lambda number=number: simulation.ask(Request(f"c{number % 7}", f"a{number % 9}", 30, 1 + number % 40, simulation.now)),  # type: ignore[misc]
        )
    simulation.run(120.0)
    assert all(each.out == each.tokens for each in simulation.requests)
    assert len(admission.lanes) == 0
    assert admission.lanes.waiting == admission.seats.in_flight == admission.seats.beginning == 0
    assert admission.shares.weight == 0
