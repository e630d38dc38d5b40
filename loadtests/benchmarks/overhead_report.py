"""What the rounds of `overhead.py` say: tables in Markdown, and each figure that is wanted beside what it came to. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from loadtests.benchmarks.overhead_paths import DIRECT, GATEWAY, HTTPX, LITELLM
from loadtests.benchmarks.rounds import Range, Round, added, figure, ratio

TITLES = {DIRECT: "direct", GATEWAY: "Troupe", LITELLM: "LiteLLM", HTTPX: "FastAPI + httpx"}
"""In the order of the columns."""
ONE, WHOLE, STREAMS, FEW, MANY = (
    "whole answers, 1 in flight", "whole answers, 32 in flight", "64-chunk streams, 32 in flight", "32 paced streams", "128 paced streams",
)  # fmt: skip
Kept = Mapping[str, Sequence[Round]]
"""The rounds that count, by workload."""


@dataclass(frozen=True)
class Row:
    """A figure of a workload, in a table: `scale` makes what was measured what the title says."""

    workload: str
    title: str
    figure: str
    digits: int
    scale: float = 1.0
    per_chunk: bool = False

    def cells(self, rounds: Sequence[Round], chunks: int) -> list[str]:
        scale = self.scale / (chunks if self.per_chunk else 1)
        scaled = [{path: {self.figure: found[path][self.figure] * scale} for path in found} for found in rounds]
        values = [figure(scaled, path, self.figure).text(self.digits) for path in paths(rounds)]
        ratios = [ratio(rounds, GATEWAY, path, self.figure).text(3) for path in paths(rounds) if path not in (DIRECT, GATEWAY)]
        return [self.workload, self.title, *values, *ratios]


ROWS = (
    Row(ONE, "latency p50, ms", "total_p50_ms", 2),
    Row(ONE, "CPU ms/request", "cpu_us", 3, scale=1e-3),
    Row(WHOLE, "answers/s", "rate", 0),
    Row(WHOLE, "CPU ms/request", "cpu_us", 3, scale=1e-3),
    Row(STREAMS, "answers/s", "rate", 0),
    Row(STREAMS, "CPU µs/chunk", "cpu_us", 1, per_chunk=True),
    Row(FEW, "CPU µs/chunk", "cpu_us", 1, per_chunk=True),
    Row(FEW, "longest pause, ms", "pause_ms", 0),
    Row(MANY, "CPU µs/chunk", "cpu_us", 1, per_chunk=True),
    Row(MANY, "longest pause, ms", "pause_ms", 0),
    Row(MANY, "memory afterwards, MiB", "mib", 0),
)
ADDED = (
    ("p50", "total_p50_ms", ONE),
    ("TTFT p50", "first_p50_ms", FEW), ("TTFT p99", "first_p99_ms", FEW),
    ("TTFT p50", "first_p50_ms", MANY), ("TTFT p99", "first_p99_ms", MANY),
)  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """What a figure should come to: at most `limit`, or at least."""

    what: str
    workload: str
    read: Callable[[Sequence[Round]], Range]
    limit: float
    at_least: bool = False
    needs: str = LITELLM

    def line(self, rounds: Sequence[Round]) -> str:
        found = self.read(rounds)
        is_met = found.median >= self.limit if self.at_least else found.median <= self.limit
        words = f"{'at least' if self.at_least else 'at most'} {self.limit:g}"
        return f"| {self.workload} | {self.what} | {found.text(3)} | {words} | {'yes' if is_met else '**no**'} |"


def _against_litellm(name: str) -> Callable[[Sequence[Round]], Range]:
    return lambda rounds: ratio(rounds, GATEWAY, LITELLM, name)


def _added(name: str) -> Callable[[Sequence[Round]], Range]:
    return lambda rounds: added(rounds, GATEWAY, DIRECT, name)


WANTED = (
    Wanted("added p50, ms", ONE, _added("total_p50_ms"), 1.5, needs=GATEWAY),
    Wanted("CPU per request ÷ LiteLLM's", WHOLE, _against_litellm("cpu_us"), 1 / 20),
    Wanted("answers/s ÷ LiteLLM's", WHOLE, _against_litellm("rate"), 12.0, at_least=True),
    Wanted("CPU per request ÷ LiteLLM's", STREAMS, _against_litellm("cpu_us"), 1 / 20),
    Wanted("answers/s ÷ LiteLLM's", STREAMS, _against_litellm("rate"), 20.0, at_least=True),
    Wanted("added TTFT p50, ms", FEW, _added("first_p50_ms"), 2.5, needs=GATEWAY),
    Wanted("added TTFT p99, ms", FEW, _added("first_p99_ms"), 10.0, needs=GATEWAY),
    Wanted("longest pause of any stream, ms", MANY, lambda rounds: figure(rounds, GATEWAY, "pause_ms"), 200.0, needs=GATEWAY),
    Wanted("memory ÷ LiteLLM's", MANY, _against_litellm("mib"), 1 / 3),
)
"""A stream whose tokens are due every 20 ms stalls if ten of them are missing."""


def paths(rounds: Sequence[Round]) -> list[str]:
    """Those that were measured, in the order of the columns."""
    return [path for path in TITLES if path in rounds[0]]


def lines(kept: Kept, *, chunks: int) -> Iterator[str]:
    """Three tables: each figure of each path, what each path adds to asking directly, and what is wanted. `chunks`: of a stream."""
    kept = {name: rounds for name, rounds in kept.items() if rounds}
    if not kept:
        yield "Not one round was counted: the machine does not hold still."
        return
    measured = paths(next(iter(kept.values())))
    peers = [path for path in measured if path not in (DIRECT, GATEWAY)]
    heads = [*(TITLES[path] for path in measured), *(f"Troupe ÷ {TITLES[path]}" for path in peers)]
    yield from _table(["workload", "figure", *heads], [row.cells(kept[row.workload], chunks) for row in ROWS if row.workload in kept])
    yield from _table(
        ["added to direct, ms", "", *(TITLES[path] for path in measured if path != DIRECT)],
        [
            [workload, title, *(added(kept[workload], path, DIRECT, name).text(2, signed=True) for path in measured if path != DIRECT)]
            for title, name, workload in ADDED
            if workload in kept
        ],
    )
    yield "| workload | figure | Troupe | wanted | met |"
    yield "| --- | --- | --: | --: | --- |"
    for wanted in WANTED:
        if wanted.workload in kept and wanted.needs in measured:
            yield wanted.line(kept[wanted.workload])
    yield ""
    yield f"Rounds counted: {', '.join(f'{len(rounds)} of {name}' for name, rounds in kept.items())}."


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"| --- | --- |{' --: |' * (len(heads) - 2)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
