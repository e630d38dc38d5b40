"""`make bench-shed`: how quickly those are told who cannot be served, and what that costs the others.

Ten times as much is asked as an engine can answer, nearly all of it by one community: a stand-in for an engine that answers at a fixed
pace, so many requests at a time. Beside it another community asks now and then. The gateway has a core of its own where there are two.
"""

import asyncio
import os
import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click
import httpx
import uvloop

from loadtests.benchmarks.overhead import read_demo
from loadtests.benchmarks.overhead_paths import ADMIN_KEY, ENGINE_KEY, LIMITS, PRICES, URL, Served, Started
from loadtests.benchmarks.process import TROUPE, end_like_ctrl_c
from loadtests.benchmarks.rounds import Round, figure, ratio
from loadtests.driver import Driver, Limits, Target
from loadtests.measure import Sample, percentile, ttft_s
from loadtests.workload import Workload, schedule

SEATS, WAITING = 32, 16
TTFT_S, INTER_TOKEN_S, TOKENS = 0.2, 0.02, 32
LONGEST = 2 * TOKENS - 1
"""Answers are from one token to so many long, `TOKENS` on average: were all alike, they would all end in the same moment."""
CAPACITY = SEATS / (TTFT_S + INTER_TOKEN_S * (TOKENS - 1))
"""Answers per second that the stand-in gives, with as many at a time as it may be asked for."""
TIMES, QUIET = 10.0, 0.25
"""How much is asked for, and how much of it by who asks now and then: multiples of the capacity."""
GOOD_S = 1.0
"""An answer whose first token comes later is of no use any more."""
REFUSALS = ("http 429", "http 503")
HOG, OTHER = "hog", "quiet"
PEAK, ALONE, OVERLOAD = "peak", "alone", "overload"
PHASES: Mapping[str, Mapping[str, float]] = {
    PEAK: {HOG: 1.2},
    ALONE: {OTHER: QUIET},
    OVERLOAD: {HOG: TIMES - QUIET, OTHER: QUIET},
}
"""Community → how much it asks for."""


@dataclass(frozen=True)
class Seen:
    """What came back of one phase, by community."""

    samples: Mapping[str, Sequence[Sample]]
    seconds: float

    def figures(self) -> dict[str, float]:
        """Answers in time per second; milliseconds until a refusal; of who asks now and then, milliseconds until the first token."""
        everyone = [sample for samples in self.samples.values() for sample in samples]
        told = sorted(1000 * (each.ended_s - each.scheduled_s) for each in everyone if each.error in REFUSALS)
        first = sorted(1000 * wait for each in self.samples.get(OTHER, ()) if (wait := ttft_s(each)) is not None)
        lag = sorted(1000 * (each.sent_s - each.scheduled_s) for each in everyone if each.sent_s is not None)
        errors = Counter(each.error for each in everyone)
        return {
            "asked": len(everyone) / self.seconds,
            "good": sum(each.error is None and (ttft_s(each) or 0.0) < GOOD_S for each in everyone) / self.seconds,
            "refused": len(told) / self.seconds,
            "others_refused": float(sum(each.error is not None for each in self.samples.get(OTHER, ()))),
            "odd": float(sum(count for error, count in errors.items() if error is not None and error not in REFUSALS)),
            "told_p50_ms": percentile(told, 0.50),
            "told_p99_ms": percentile(told, 0.99),
            "told_max_ms": told[-1] if told else 0.0,
            "first_p95_ms": percentile(first, 0.95),
            "lag_p99_ms": percentile(lag, 0.99),
        }


@contextmanager
def running(served: Served, folder: Path, cores: Sequence[int]) -> Iterator[Mapping[str, Target]]:
    """The gateway and the stand-in behind it; a target for each community. Raises NotStarted."""
    with ExitStack() as stack:
        pace = ("--ttft", str(TTFT_S), "--inter-token", str(INTER_TOKEN_S), "--tokens", str(LONGEST))
        _, engine_url = Started(stack, folder, cores[0]).process("engine", ["-m", "loadtests.benchmarks.instant_engine", *pace], URL)
        settings = {
            "TROUPE_HOME": str(folder / "home"), "TROUPE_BASE": str(served.base), "TROUPE_PORT": "0", "TROUPE_ADMIN_KEY": ADMIN_KEY,
            "TROUPE_ENGINE_URL": engine_url, "TROUPE_ENGINE_API_KEY": ENGINE_KEY, "TROUPE_ENGINE_MAX_NUM_SEQS": str(SEATS),
            "TROUPE_MAX_WAITING": str(WAITING), "TROUPE_COMMUNITY_LIMITS": LIMITS, "TROUPE_KEY_LIMITS": LIMITS, **PRICES,
        }  # fmt: skip
        _, url = Started(stack, folder, cores[-1]).process("troupe", [TROUPE, "up"], rf"URL +{URL}", **settings)
        yield {community: Target(url, make_key(url, community)) for community in (HOG, OTHER)}


def make_key(url: str, community: str) -> str:
    """For the base, whose use is then charged to the community."""
    wanted = {"name": community, "scopes": ["chat"], "communities": [community]}
    answer = httpx.post(f"{url}/admin/v1/keys", json=wanted, headers={"authorization": f"Bearer {ADMIN_KEY}"}, timeout=30.0)
    answer.raise_for_status()
    return str(answer.json()["key"])


async def offer(targets: Mapping[str, Target], loads: Mapping[str, float], seconds: float, seed: int) -> Seen:
    """Everybody's requests, at times that nobody's answers move."""
    limits = Limits(in_flight=10_000)
    draw, arrivals = random.Random(seed), {}
    for who, load in loads.items():
        asked = schedule(Workload({"base": 1.0}, load * CAPACITY, seconds, TOKENS, seed))
        arrivals[who] = [replace(each, max_tokens=draw.randint(1, LONGEST)) for each in asked]
    async with asyncio.TaskGroup() as group:
        runs = {who: group.create_task(Driver(targets[who], limits).run(arrivals[who])) for who in loads}
    return Seen({who: run.result() for who, run in runs.items()}, seconds)


def one_round(served: Served, turn: int, seconds: float, cores: Sequence[int]) -> Round:
    with tempfile.TemporaryDirectory(prefix="troupe-bench-") as name, running(served, Path(name), cores) as targets:
        uvloop.run(offer(targets, PHASES[PEAK], 2.0, turn))  # until the bounds have found themselves
        return {phase: uvloop.run(offer(targets, loads, seconds, turn)).figures() for phase, loads in PHASES.items()}


def lines(rounds: Sequence[Round]) -> Iterator[str]:
    """A table in Markdown: medians of the rounds, with the smallest and the largest."""

    def told(name: str, digits: int = 1) -> str:
        return figure(rounds, OVERLOAD, name).text(digits)

    yield f"asked for: {told('asked', 0)} a second, of which {CAPACITY:.1f} can be answered; refused: {told('refused', 0)} a second"
    yield ""
    yield "| figure | median (least–most) | wanted |"
    yield "|---|---|---|"
    yield f"| told of a refusal after, p50, ms | {told('told_p50_ms')} | |"
    yield f"| told of a refusal after, p99, ms | {told('told_p99_ms')} | at most 50 |"
    yield f"| told of a refusal after, longest, ms | {told('told_max_ms')} | |"
    yield f"| answers in time ÷ at its peak | {ratio(rounds, OVERLOAD, PEAK, 'good').text()} | at least 0.9 |"
    yield f"| who asks now and then: TTFT p95 ÷ alone | {ratio(rounds, OVERLOAD, ALONE, 'first_p95_ms').text()} | at most 1.5 |"
    yield f"| who asks now and then: not answered | {told('others_refused', 0)} | 0 |"
    yield f"| neither answered nor refused | {told('odd', 0)} | 0 |"
    yield f"| the client's own lateness, p99, ms | {told('lag_p99_ms')} | |"


@click.command()
@click.option("--demo", "served", required=True, callback=read_demo, metavar="JSON", help="The line that `troupe demo` prints.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1), help="Rounds, each with a gateway of its own.")
@click.option("--seconds", default=20.0, show_default=True, type=click.FloatRange(min=1.0), help="Of each phase of a round.")
def main(served: Served, rounds: int, seconds: float) -> None:
    """Measure how quickly those are told who cannot be served, and print a table."""
    end_like_ctrl_c()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    found = []
    for turn in range(rounds):
        found.append(one_round(served, turn, seconds, cores))
        click.echo(f"round {turn + 1} of {rounds}", err=True)
    for line in lines(found):
        click.echo(line)


if __name__ == "__main__":
    main()
