"""What the benchmark of the gateway's cost makes of answers and of rounds, all of them made up here."""

from pathlib import Path

import click
import pytest

from loadtests.benchmarks.closed_loop import Answer, Load
from loadtests.benchmarks.overhead import WORKLOADS, figures, main, read_demo
from loadtests.benchmarks.overhead_drift import Seen, told
from loadtests.benchmarks.overhead_paths import DIRECT, GATEWAY, HTTPX, LITELLM, Served
from loadtests.benchmarks.overhead_report import ADDED, MANY, ONE, ROWS, WANTED, lines

FAST = {
    "answers": 10.0, "rate": 1000.0, "first_p50_ms": 50.0, "first_p99_ms": 60.0, "total_p50_ms": 0.5, "cpu_us": 64.0, "mib": 20.0,
    "pause_ms": 21.0,
}  # fmt: skip
OURS = {**FAST, "rate": 900.0, "first_p50_ms": 51.0, "first_p99_ms": 63.0, "total_p50_ms": 1.5, "cpu_us": 320.0, "mib": 90.0}
SLOW = {**FAST, "rate": 30.0, "first_p50_ms": 150.0, "total_p50_ms": 15.0, "cpu_us": 12_800.0, "mib": 450.0, "pause_ms": 900.0}
ROUND = {DIRECT: FAST, GATEWAY: OURS, HTTPX: SLOW, LITELLM: SLOW}
KEPT = {workload.name: [ROUND] for workload in WORKLOADS}


def test_every_workload_has_its_rows() -> None:
    """No table names a workload that is not measured, and none that is measured is left out."""
    names = {workload.name for workload in WORKLOADS}
    assert {row.workload for row in ROWS} == names
    assert {wanted.workload for wanted in WANTED} == names
    assert {workload for _, _, workload in ADDED} <= names


def test_every_line_fills_its_table() -> None:
    """Each row has as many cells as the head above it."""
    bars = 0
    for line in lines(KEPT, chunks=64):
        bars = bars or line.count("|")
        assert line.count("|") in (0, bars)
        if not line:
            bars = 0


def test_what_is_wanted_is_held_against_what_was_found() -> None:
    """Ratios to LiteLLM, differences to asking directly; met or not."""
    found = "\n".join(lines(KEPT, chunks=64))
    assert "| whole answers, 32 in flight | CPU per request ÷ LiteLLM's | 0.025 (0.025–0.025) | at most 0.05 | yes |" in found
    assert "| whole answers, 32 in flight | answers/s ÷ LiteLLM's | 30.000 (30.000–30.000) | at least 12 | yes |" in found
    assert "| 32 paced streams | added TTFT p50, ms | 1.000 (1.000–1.000) | at most 2.5 | yes |" in found
    slower = {**ROUND, GATEWAY: {**OURS, "total_p50_ms": 2.1, "pause_ms": 201.0}}
    found = "\n".join(lines({**KEPT, ONE: [slower], MANY: [slower]}, chunks=64))
    assert f"| {ONE} | added p50, ms | 1.600 (1.600–1.600) | at most 1.5 | **no** |" in found
    assert f"| {MANY} | longest pause of any stream, ms | 201.000 (201.000–201.000) | at most 200 | **no** |" in found


def test_a_stream_s_cost_is_told_for_each_chunk() -> None:
    """An answer's CPU time, divided by its events."""
    assert "| 64-chunk streams, 32 in flight | CPU µs/chunk | 1.0 (1.0–1.0) | 5.0 (5.0–5.0) |" in "\n".join(lines(KEPT, chunks=64))


def test_litellm_may_be_left_out() -> None:
    """Then what is wanted against it is not told, and the rest is."""
    without = {path: found for path, found in ROUND.items() if path != LITELLM}
    found = "\n".join(lines({workload.name: [without] for workload in WORKLOADS}, chunks=64))
    assert "LiteLLM" not in found
    assert "added TTFT p99" in found


def test_no_round_is_no_table() -> None:
    """On a machine that never holds still."""
    assert [*lines({ONE: []}, chunks=64)] == ["Not one round was counted: the machine does not hold still."]


def test_the_rate_counts_nothing_that_is_still_on_its_way() -> None:
    """Two in flight that take half a second each are four a second, however many of them end after the time is over."""
    answers = [Answer(0.1, 0.5, pause, b"") for pause in (0.0, 0.02, 0.3)]
    found = figures(answers, Load(2, 1.0, stream=True))
    assert found["rate"] == pytest.approx(4.0)
    assert found["pause_ms"] == pytest.approx(300.0)


def test_memory_is_compared_with_what_it_was_once_settled() -> None:
    """What the first tenth of the requests made is made once."""
    seen = [Seen(0, 70.0), Seen(5_000, 90.0), Seen(20_000, 100.0), Seen(200_000, 104.0)]
    assert "100.0 MiB after 20,000 requests, 104.0 MiB after 200,000: +4.0 %" in told(seen)
    assert "not met" in told([*seen[:-1], Seen(200_000, 106.0)])


def test_the_demo_s_own_line_says_what_to_serve() -> None:
    """Its base, and its first adapter."""
    line = '{"base": "/b", "adapters": {"zizou": "/z", "greybeards": "/g"}}'
    assert read_demo(click.Context(main), main.params[0], line) == Served(Path("/b"), Path("/z"))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"base": "/b", "adapters": {}}'])
def test_another_line_is_refused(text: str) -> None:
    """A demo that was not built prints something else."""
    with pytest.raises(click.BadParameter, match="troupe demo"):
        read_demo(click.Context(main), main.params[0], text)
