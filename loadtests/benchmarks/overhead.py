"""`make bench-overhead`: what the gateway costs, beside LiteLLM's proxy, FastAPI with httpx, and asking the engine directly.

The engine is a stand-in that answers at once, or at a fixed pace. Every round starts fresh processes and measures all paths one after
another, in rotated order; the relays have a core of their own where there are two, the client and the stand-in share another.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from statistics import mean

import click
import uvloop

from loadtests.benchmarks.closed_loop import Answer, Load, milliseconds, offer, request_bytes
from loadtests.benchmarks.overhead_drift import drift
from loadtests.benchmarks.overhead_paths import DIRECT, Served, Target, running
from loadtests.benchmarks.overhead_report import FEW, MANY, ONE, STREAMS, WHOLE, lines
from loadtests.benchmarks.process import end_like_ctrl_c
from loadtests.benchmarks.rounds import Round, moved, rotated

CHUNKS = 64
"""Tokens of a streamed answer, each in an event of its own."""
WARM_UP_S = 0.5
PACE = ("--ttft", "0.05", "--inter-token", "0.02")
ANSWER_S = 0.05 + 0.02 * (CHUNKS - 1)


@dataclass(frozen=True)
class Workload:
    """What is asked, and whether the stand-in answers at once or at a pace."""

    name: str
    load: Load
    max_tokens: int
    paced: bool = False

    @property
    def steady(self) -> Sequence[str]:
        """Figures of the direct path that must hold still within a round. The rate of a paced stand-in always does; its tail may not."""
        return ("first_p99_ms",) if self.paced else ("rate", "cpu_us")


WORKLOADS = (
    Workload(ONE, Load(1, 2.0, stream=False), max_tokens=8),
    Workload(WHOLE, Load(32, 3.0, stream=False), max_tokens=8),
    Workload(STREAMS, Load(32, 4.0, stream=True), max_tokens=CHUNKS),
    Workload(FEW, Load(32, 4.5, stream=True, stagger_s=ANSWER_S), CHUNKS, paced=True),
    Workload(MANY, Load(128, 4.5, stream=True, stagger_s=ANSWER_S), CHUNKS, paced=True),
)


def measure(target: Target, workload: Workload, seconds: float | None = None) -> dict[str, float]:
    """One path under one load, and what the relay used for it."""
    load = workload.load if seconds is None else replace(workload.load, seconds=seconds, stagger_s=0.0)
    request = request_bytes(target.url, target.key, target.model, max_tokens=workload.max_tokens, stream=load.stream)
    cpu_s = target.process.cpu_s()
    answers = uvloop.run(offer(target.url, request, load))
    cpu_s = target.process.cpu_s() - cpu_s
    return {**figures(answers, load), "cpu_us": 1e6 * cpu_s / len(answers), "mib": target.process.resident_bytes() / 2**20}


def figures(answers: Sequence[Answer], load: Load) -> dict[str, float]:
    """Answers per second, and times in milliseconds.

    The rate is that of a closed loop, in flight ÷ time of an answer: whoever is slow still has as many answers on their way when the time
    is over as it had at its beginning, and would gain by having them counted.
    """
    return {
        "answers": len(answers),
        "rate": load.in_flight / mean(answer.total_s for answer in answers),
        "first_p50_ms": milliseconds([answer.first_s for answer in answers], 0.50),
        "first_p99_ms": milliseconds([answer.first_s for answer in answers], 0.99),
        "total_p50_ms": milliseconds([answer.total_s for answer in answers], 0.50),
        "pause_ms": milliseconds([answer.pause_s for answer in answers], 1.0),
    }


def one_round(
    served: Served, peers: Path | None, workloads: Sequence[Workload], turn: int, cores: Sequence[int]
) -> Iterator[tuple[Workload, Round | None]]:
    """Every path once for each workload, all of one pace; None for one in which the direct path, measured again at its end, shows that the
    machine did not hold still."""
    engine = ("--tokens", str(CHUNKS), *(PACE if workloads[0].paced else ()))
    with tempfile.TemporaryDirectory(prefix="troupe-bench-") as name, running(served, peers, engine, Path(name), cores) as targets:
        order = rotated(list(targets), turn)
        for workload in workloads:
            for target in targets.values():
                measure(target, workload, WARM_UP_S)
            found = {path: measure(targets[path], workload) for path in order}
            again = measure(targets[DIRECT], workload)
            yield workload, None if moved(found[DIRECT], again, workload.steady) else found


def all_rounds(
    served: Served, peers: Path | None, workloads: Sequence[Workload], rounds: int, cores: Sequence[int]
) -> Iterator[Mapping[str, Sequence[Round]]]:
    """What counts so far, by workload, after each of them; until there are `rounds` of each, or three times as many were tried."""
    kept: dict[str, list[Round]] = {workload.name: [] for workload in workloads}
    for turn in range(3 * rounds):
        for _, group in groupby(workloads, key=lambda workload: workload.paced):
            wanted = [workload for workload in group if len(kept[workload.name]) < rounds]
            if not wanted:
                continue
            for workload, found in one_round(served, peers, wanted, turn, cores):
                if found is not None:
                    kept[workload.name].append(found)
                click.echo(f"round {turn + 1}: {workload.name}{'' if found else ': not counted, the machine moved'}", err=True)
                yield kept


def read_demo(context: click.Context, parameter: click.Parameter, text: str) -> Served:
    """The base and the first adapter of the line that `troupe demo` prints."""
    try:
        demo = json.loads(text)
        return Served(Path(demo["base"]), Path(next(iter(demo["adapters"].values()))))
    except (ValueError, KeyError, TypeError, StopIteration) as exc:
        raise click.BadParameter("give the line of JSON that `troupe demo` prints") from exc


def usable(names: Sequence[str]) -> Sequence[Workload]:
    return [workload for workload in WORKLOADS if not names or workload.name in names]


@click.command()
@click.option("--demo", "served", required=True, callback=read_demo, metavar="JSON", help="The line that `troupe demo` prints.")
@click.option("--peers", type=click.Path(path_type=Path, exists=True, file_okay=False), help="The environment that holds LiteLLM.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1), help="Rounds to count, for each workload.")
@click.option("--requests", default=200_000, show_default=True, type=click.IntRange(min=0), help="So many, to see memory drift.")
@click.option("--only", multiple=True, type=click.Choice([workload.name for workload in WORKLOADS]), help="This workload, not all.")
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write every counted round, as it comes.")
def main(served: Served, peers: Path | None, rounds: int, requests: int, only: Sequence[str], json_path: Path | None) -> None:
    """Measure what the gateway costs, and print tables."""
    end_like_ctrl_c()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    kept: Mapping[str, Sequence[Round]] = {}
    for kept in all_rounds(served, peers, usable(only), rounds, cores):
        if json_path is not None:
            json_path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    for line in lines(kept, chunks=CHUNKS):
        click.echo(line)
    if requests:
        with tempfile.TemporaryDirectory(prefix="troupe-bench-") as name:
            click.echo(drift(served, requests, Path(name), cores))


if __name__ == "__main__":
    main()
