"""From points in time to phases: every moment of a start belongs to exactly one."""

import json

import pytest

from loadtests.benchmarks.phases import PHASES, Told, milestones, phases, read_points

START = 100.0
SPAWNED = [
    Told("process", 1, 109.0),
    Told("inspected", 1, 109.2),
    Told("inspected", 1, 109.4),
    Told("configured", 1, 109.5),
    Told("process", 2, 116.0),
    Told("inspected", 2, 117.0),
    Told("process", 3, 123.0),
    Told("loading", 3, 124.0),
    Told("weights", 3, 125.0),
    Told("lora", 3, 125.5),
    Told("kv", 2, 126.0),
]


def test_a_start_is_cut_where_its_points_are() -> None:
    """Processes are told apart by their order; only the first one's inspection is one, and its last counts."""
    reached = milestones(SPAWNED, start=START, http=127.0, token=128.0)
    assert list(reached) == list(PHASES)
    spent = phases(reached)
    assert spent == pytest.approx(
        {
            "imported": 9,
            "inspected": 0.4,
            "core": 6.6,
            "worker": 7,
            "loading": 1,
            "weights": 1,
            "lora": 0.5,
            "kv": 0.5,
            "http": 1,
            "token": 1,
        }
    )
    assert sum(spent.values()) == pytest.approx(28.0)


def test_what_a_host_did_before_is_no_part_of_a_start() -> None:
    """Points from before the fork do not count, not even those of an earlier engine."""
    reached = milestones([*SPAWNED, Told("process", 4, 200.3)], start=200.0, http=201.0, token=201.5)
    assert phases(reached) == pytest.approx({**dict.fromkeys(PHASES, 0.0), "imported": 0.3, "http": 0.7, "token": 0.5})


def test_without_points_only_the_client_knows() -> None:
    """Everything up to HTTP is one phase, and nothing is missing from the sum."""
    spent = phases(milestones([], start=START, http=103.0, token=104.0))
    assert {name: seconds for name, seconds in spent.items() if seconds} == {"http": 3.0, "token": 1.0}


def test_lines_of_several_processes_are_put_in_order() -> None:
    """They are written as they come."""
    text = "".join(json.dumps({"point": point, "pid": 1, "at": at}) + "\n" for point, at in (("kv", 2.0), ("process", 1.0)))
    assert read_points(text) == [Told("process", 1, 1.0), Told("kv", 1, 2.0)]
