"""The table of the gateway's benchmark, from rounds made up here."""

from pathlib import Path

import click
import pytest

from loadtests.benchmarks.gateway import HEAD, PATHS, WORKLOADS, Served, main, read_demo, rows

ANSWER = {"answers": 10.0, "rate": 5.0, "first_p50_ms": 50.0, "first_p99_ms": 60.0, "total_p50_ms": 2.0, "cpu_us": 6400.0, "mib": 1.0}
SLOWER = {**ANSWER, "rate": 2.5, "first_p50_ms": 53.0, "cpu_us": 12800.0}
ROUND = dict(zip(PATHS, (ANSWER, ANSWER, SLOWER), strict=True))


def test_every_row_fills_the_table() -> None:
    """A row has as many cells as the head, for every workload there is."""
    lines = [line for workload in WORKLOADS for line in rows(workload, [ROUND])]
    columns = HEAD.strip().splitlines()[0].count("|")
    assert len(lines) >= 2 * len(WORKLOADS)
    assert {line.count("|") for line in lines} == {columns}


def test_a_paced_stream_tells_what_is_added_and_the_cost_of_a_chunk() -> None:
    """TTFT as a difference to direct; CPU per chunk as the answer's share of its 64 chunks, compared as a ratio."""
    ttft, _, cost = rows(next(workload for workload in WORKLOADS if workload.paced), [ROUND])
    assert "+3.0 (+3.0 … +3.0) ms" in ttft
    assert "| 100.0 (100.0–100.0) | 100.0 (100.0–100.0) | 200.0 (200.0–200.0) |  | 2.00 (2.00–2.00) |" in cost


def test_whole_answers_tell_rates_as_ratios() -> None:
    """The gateway against direct, and FastAPI with httpx against the gateway."""
    rate = next(rows(WORKLOADS[1], [ROUND]))
    assert rate.endswith("| 1.00 (1.00–1.00) | 0.50 (0.50–0.50) |")


def test_a_paced_load_needs_a_paced_engine() -> None:
    """The stand-in is told its pace for exactly those workloads."""
    assert all(("--ttft" in workload.engine) == workload.paced for workload in WORKLOADS)


def test_the_demo_s_own_line_says_what_to_serve() -> None:
    """Its base, and its first adapter, which is then asked by name."""
    served = read_demo(click.Context(main), main.params[0], '{"base": "/b", "adapters": {"zizou": "/z", "greybeards": "/g"}}')
    assert served == Served(Path("/b"), Path("/z"))
    assert served.model == "bench"
    assert Served(Path("/b"), None).model == "base"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"base": "/b", "adapters": {}}'])
def test_another_line_is_refused(text: str) -> None:
    """A demo that was not built prints something else."""
    with pytest.raises(click.BadParameter, match="troupe demo"):
        read_demo(click.Context(main), main.params[0], text)
