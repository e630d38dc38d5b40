"""The figures of `make bench-fairness` as tables of Markdown, each beside what is wanted of it. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from loadtests.benchmarks.fairness_stage import DIRECT, LITELLM, ROUTER, TROUPES
from loadtests.benchmarks.rounds import Round, figure, over

Kept = dict[str, list[Round]]
"""Load → round → path → figure → value."""


@dataclass(frozen=True)
class Target:
    """Wanted of one figure: Troupe's, divided by that of plain vLLM and of the best peer; or as it is."""

    figure: str
    wanted: str
    peers: str = ""
    alone: bool = False


TOKENS = Target("tokens/s", "≥ 0.97")
TARGETS: Mapping[str, Sequence[Target]] = {
    "hot/cold": (Target("cold p95, s", "≤ 0.05", peers="≤ 0.1"), Target("tokens/s", "≥ 0.95")),
    "fair": (Target("Jain", "≥ 0.99", alone=True), Target("light p95, s", "≤ 0.2"), TOKENS),
    "zipf, 2 slots": (Target("worst mean, s", "≤ 0.65"), TOKENS),
    "zipf, 4 slots": (Target("worst mean, s", "≤ 0.65"), TOKENS),
    "overload": (Target("kept", "≥ 0.9", alone=True),),
}


def report(kept: Kept) -> Iterator[str]:
    """First what every way gave, then how Troupe compares."""
    for load, rounds in kept.items():
        paths = [path for path in (DIRECT, LITELLM, ROUTER, TROUPES) if path in rounds[0]]
        yield f"\n| {load} | {' | '.join(paths)} |\n| --- |{' --: |' * len(paths)}"
        for name in rounds[0][DIRECT]:
            yield f"| {name} | {' | '.join(figure(rounds, path, name).text() for path in paths)} |"
    yield "\n| load | figure | Troupe ÷ plain vLLM | wanted | Troupe ÷ the best peer | wanted |\n| --- | --- | --: | --: | --: | --: |"
    for load, rounds in kept.items():
        for target in TARGETS[load]:
            yield f"| {load} | {target.figure} | {' | '.join(_cells(target, rounds))} |"


def _cells(target: Target, rounds: Sequence[Round]) -> Iterator[str]:
    name, peers = target.figure, [path for path in (LITELLM, ROUTER) if path in rounds[0]]
    if target.alone:
        yield f"{figure(rounds, TROUPES, name).text(3)} (Troupe's own)"
    else:
        yield over([found[TROUPES][name] / found[DIRECT][name] for found in rounds]).text(3)
    yield target.wanted
    if target.peers and peers:
        yield over([found[TROUPES][name] / min(found[path][name] for path in peers) for found in rounds]).text(3)
        yield target.peers
    else:
        yield from ("", "")
