"""`make bench-gateway`: what the gateway costs, beside asking the engine directly and beside FastAPI with httpx.

The engine is a stand-in that answers at once, or at a fixed pace. Every round starts fresh processes and measures all paths one after
another, in rotated order; the relay under test has a core of its own where there are two, the client and the stand-in share another.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click

from loadtests.benchmarks.closed_loop import Load, milliseconds, offer, request_bytes
from loadtests.benchmarks.process import TROUPE, Process, end_like_ctrl_c
from loadtests.benchmarks.rounds import Round, added, figure, moved, over, ratio, rotated

KEY, ENGINE_KEY = "bench-key-of-a-caller", "bench-key-of-the-engine"
DIRECT, GATEWAY, HTTPX = "direct", "gateway", "httpx"
PATHS = (DIRECT, GATEWAY, HTTPX)
CHUNKS = 64
"""Tokens of a streamed answer, each in an event of its own."""
URL = r"(http://127\.0\.0\.1:\d+)"
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
    def engine(self) -> Sequence[str]:
        """Options of the stand-in."""
        return ("--tokens", str(CHUNKS), *(PACE if self.paced else ()))

    @property
    def steady(self) -> Sequence[str]:
        """Figures of the direct path that must hold still within a round. The rate of a paced stand-in always does; its tail may not."""
        return ("first_p99_ms",) if self.paced else ("rate", "cpu_us")


WORKLOADS = (
    Workload("whole answers, 1 in flight", Load(1, 2.0, stream=False), max_tokens=8),
    Workload("whole answers, 16 in flight", Load(16, 2.0, stream=False), max_tokens=8),
    Workload("64-chunk streams, 16 in flight", Load(16, 2.0, stream=True), max_tokens=CHUNKS),
    Workload("32 paced streams", Load(32, 4.5, stream=True, stagger_s=ANSWER_S), CHUNKS, paced=True),
    Workload("128 paced streams", Load(128, 4.5, stream=True, stagger_s=ANSWER_S), CHUNKS, paced=True),
)


@dataclass(frozen=True)
class Served:
    """What the gateway serves: a base and, if there is one, an adapter, published as the community `bench`."""

    base: Path
    adapter: Path | None

    @property
    def model(self) -> str:
        return "base" if self.adapter is None else "bench"


@dataclass(frozen=True)
class Target:
    """One path: where to ask, for what, and whose CPU time to read."""

    url: str
    request: bytes
    process: Process


@contextmanager
def running(served: Served, workload: Workload, folder: Path, cores: Sequence[int]) -> Iterator[Mapping[str, Target]]:
    """The stand-in and both relays before it, on free ports; all ended when the block is left."""

    def target(process: Process, url: str, key: str, model: str) -> Target:
        body = request_bytes(url, key, model, max_tokens=workload.max_tokens, stream=workload.load.stream)
        return Target(url, body, process)

    with ExitStack() as stack:

        def start(name: str, arguments: Sequence[str], pattern: str, core: int, **environment: str) -> tuple[Process, str]:
            process = stack.enter_context(Process(arguments, log=folder / f"{name}.log", environment=environment, core=core))
            return process, process.wait_for(pattern, seconds=60.0)

        arguments = ["-m", "loadtests.fake_engine", *workload.engine]
        engine, engine_url = start("engine", arguments, URL, cores[0])
        relay, relay_url = start("httpx", ["-m", "loadtests.benchmarks.httpx_relay", "--engine", engine_url], URL, cores[-1])
        settings = {
            "TROUPE_HOME": str(folder / "home"), "TROUPE_BASE": str(served.base), "TROUPE_PORT": "0", "TROUPE_API_KEY": KEY,
            "TROUPE_ENGINE_URL": engine_url, "TROUPE_ENGINE_API_KEY": ENGINE_KEY,
        }  # fmt: skip
        gateway, gateway_url = start("gateway", [TROUPE, "up"], rf"URL +{URL}", cores[-1], **settings)
        yield {
            DIRECT: target(engine, engine_url, ENGINE_KEY, "base"),
            GATEWAY: target(gateway, gateway_url, KEY, served.model),
            HTTPX: target(relay, relay_url, ENGINE_KEY, "base"),
        }


def measure(target: Target, load: Load) -> dict[str, float]:
    """One path under one load: answers per second, times in milliseconds, the relay's CPU microseconds per answer and its memory."""
    cpu_s = target.process.cpu_s()
    answers = asyncio.run(offer(target.url, target.request, load))
    cpu_s = target.process.cpu_s() - cpu_s
    return {
        "answers": len(answers),
        "rate": len(answers) / load.seconds,
        "first_p50_ms": milliseconds([answer.first_s for answer in answers], 0.50),
        "first_p99_ms": milliseconds([answer.first_s for answer in answers], 0.99),
        "total_p50_ms": milliseconds([answer.total_s for answer in answers], 0.50),
        "cpu_us": 1e6 * cpu_s / len(answers),
        "mib": target.process.resident_bytes() / 2**20,
    }


def one_round(served: Served, workload: Workload, turn: int, cores: Sequence[int]) -> dict[str, dict[str, float]] | None:
    """Every path once, and the direct one again at the end; None if that one shows that the machine did not hold still."""
    with tempfile.TemporaryDirectory(prefix="troupe-bench-") as name:
        folder = Path(name)
        if served.adapter is not None:
            publish(served.base, served.adapter, folder / "home")
        with running(served, workload, folder, cores) as targets:
            for target in targets.values():
                measure(target, replace(workload.load, seconds=WARM_UP_S))
            found = {path: measure(targets[path], workload.load) for path in rotated(PATHS, turn)}
            again = measure(targets[DIRECT], workload.load)
    return None if moved(found[DIRECT], again, workload.steady) else found


def publish(base: Path, adapter: Path, home: Path) -> None:
    """Make `adapter` the live one of the community `bench` in `home`."""
    command = [sys.executable, TROUPE, "publish", str(adapter), "--base", str(base), "--home", str(home)]
    subprocess.run([*command, "--community", "bench", "--promote"], check=True, stdout=subprocess.DEVNULL)


def rows(workload: Workload, rounds: Sequence[Round]) -> Iterator[str]:
    """A Markdown row for each figure of a workload: what it is, each path, and the comparisons round by round."""

    def row(title: str, name: str, cells: Sequence[str], *, scale: float = 1.0, digits: int = 2) -> str:
        scaled = [{path: {name: found[path][name] * scale} for path in PATHS} for found in rounds]
        values = [figure(scaled, path, name).text(digits) for path in PATHS]
        return f"| {' | '.join([workload.name, title, *values, *cells])} |"

    def ratios(name: str) -> list[str]:
        return [ratio(rounds, GATEWAY, DIRECT, name).text(), ratio(rounds, HTTPX, GATEWAY, name).text()]

    def costs() -> list[str]:
        return ["", ratio(rounds, HTTPX, GATEWAY, "cpu_us").text()]

    if workload.paced:
        for title, name in (("TTFT p50, ms", "first_p50_ms"), ("TTFT p99, ms", "first_p99_ms")):
            cells = [added(rounds, path, DIRECT, name).text(1, signed=True) + " ms" for path in (GATEWAY, HTTPX)]
            yield row(title, name, cells, digits=1)
    else:
        yield row("answers/s", "rate", ratios("rate"), digits=0)
    if workload.load.in_flight == 1:
        yield row("latency p50, ms", "total_p50_ms", ratios("total_p50_ms"))
    if workload.load.stream:
        yield row("CPU µs/chunk", "cpu_us", costs(), scale=1 / CHUNKS, digits=1)
    else:
        yield row("CPU ms/request", "cpu_us", costs(), scale=1e-3, digits=3)


HEAD = """
| workload | figure | direct | gateway | FastAPI + httpx | gateway ÷ direct | httpx ÷ gateway |
| --- | --- | --: | --: | --: | --: | --: |"""
NOTES = """
Each cell: median of the rounds (smallest–largest); the two last columns compare within each round, for TTFT they are what the gateway
and what FastAPI + httpx add to direct. CPU in the column "direct" is the stand-in's own."""


def read_demo(context: click.Context, parameter: click.Parameter, text: str | None) -> Served | None:
    """The base and the first adapter of the line that `troupe demo` prints."""
    try:
        demo = {} if text is None else json.loads(text)
        return None if text is None else Served(Path(demo["base"]), Path(next(iter(demo["adapters"].values()))))
    except (ValueError, KeyError, TypeError, StopIteration) as exc:
        raise click.BadParameter("give the line of JSON that `troupe demo` prints") from exc


@click.command()
@click.option("--demo", callback=read_demo, metavar="JSON", help="The line that `troupe demo` prints: its first adapter is asked.")
@click.option("--base", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Ask a base of yours instead.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1), help="Rounds to count, for each workload.")
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write every counted round, as it comes.")
def main(demo: Served | None, base: Path | None, rounds: int, json_path: Path | None) -> None:
    """Measure what the gateway costs, and print a table."""
    served = Served(base, None) if base is not None else demo
    if served is None:
        raise click.UsageError("give --demo or --base")
    end_like_ctrl_c()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    kept: dict[str, list[Round]] = {workload.name: [] for workload in WORKLOADS}
    dropped = 0
    for turn in range(3 * rounds):
        for workload in WORKLOADS:
            if len(kept[workload.name]) == rounds:
                continue
            found = one_round(served, workload, turn, cores)
            click.echo(f"round {turn + 1}: {workload.name}{': not counted, the machine moved' if found is None else ''}", err=True)
            if found is None:
                dropped += 1
                continue
            kept[workload.name].append(found)
            if json_path is not None:
                json_path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    click.echo(HEAD)
    for workload in WORKLOADS:
        for line in rows(workload, kept[workload.name]):
            click.echo(line)
    memory = {path: over([found[path]["mib"] for found in kept[WORKLOADS[-1].name]]).text(0) for path in (GATEWAY, HTTPX)}
    click.echo(f"{NOTES}\n\nMemory after {WORKLOADS[-1].name}, MiB: gateway {memory[GATEWAY]}, FastAPI + httpx {memory[HTTPX]}.")
    click.echo(f"{rounds} rounds of each counted, {dropped} not. {len(cores)} cores.")


if __name__ == "__main__":
    main()
