"""Whether the gateway's memory grows with the requests that it has answered: many of them, and its memory now and then."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click
import uvloop

from loadtests.benchmarks.closed_loop import Load, offer, request_bytes
from loadtests.benchmarks.overhead_paths import BATCH, ENGINE_KEY, URL, Served, Started

TOKENS = 8
SECONDS = 2.0
"""Of whole answers, then of streams, then of whole answers again, and so on."""
SETTLED = 10
"""After a share of 1 in so many, what is made once has been made: pools, caches, the allocator's arenas."""
ALLOWED = 0.05


@dataclass(frozen=True)
class Seen:
    """Answers so far, and the gateway's memory then, in MiB."""

    answers: int
    mib: float


def drift(served: Served, requests: int, folder: Path, cores: Sequence[int]) -> str:
    """One sentence. Raises NotStarted, and WrongAnswer for any request that is not answered."""
    with ExitStack() as stack:
        beside, relays = Started(stack, folder, cores[0]), Started(stack, folder, cores[-1])
        _, engine_url = beside.process("engine", ["-m", "loadtests.benchmarks.instant_engine", "--tokens", str(TOKENS)], URL)
        target = relays.troupe(served, engine_url, ENGINE_KEY, batch=BATCH)
        asked = [request_bytes(target.url, target.key, target.model, max_tokens=TOKENS, stream=stream) for stream in (False, True)]
        seen = [Seen(0, target.process.resident_bytes() / 2**20)]
        while seen[-1].answers < requests:
            stream = len(seen) % 2 == 0
            answers = uvloop.run(offer(target.url, asked[stream], Load(32, SECONDS, stream=stream)))
            seen.append(Seen(seen[-1].answers + len(answers), target.process.resident_bytes() / 2**20))
            click.echo(f"{seen[-1].answers} requests: {seen[-1].mib:.1f} MiB", err=True)
    return told(seen)


def told(seen: Sequence[Seen]) -> str:
    """From the first look after a tenth of all requests to the last one. Pure."""
    last = seen[-1]
    settled = next(each for each in seen if each.answers * SETTLED >= last.answers)
    grown = last.mib / settled.mib - 1
    return (
        f"Memory: {settled.mib:.1f} MiB after {settled.answers:,} requests, {last.mib:.1f} MiB after {last.answers:,}:"
        f" {100 * grown:+.1f} %, wanted at most {100 * ALLOWED:+.0f} %: {'met' if grown <= ALLOWED else 'not met'}."
        f" At its start it had {seen[0].mib:.1f} MiB."
    )
