"""Rounds of cold starts → a table, ratios, and what a machine reads. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from loadtests.benchmarks.cold_start import COLD, MODES, PLAIN, STANDBY, Start
from loadtests.benchmarks.phases import PHASES
from loadtests.benchmarks.rounds import over, ratio

TARGETS = {STANDBY: 0.15, COLD: 0.45}
"""Mode → the largest ratio to plain vLLM, of the time to the first token, that we are content with."""

Rounds = Sequence[Mapping[str, Start]]


def table(rounds: Rounds, *, with_phases: bool = True) -> list[str]:
    """Markdown: a row for each phase, one for HTTP and one for the first token, in seconds: median (smallest–largest)."""
    lines = [f"| seconds | {' | '.join(MODES)} |", f"| --- |{' --: |' * len(MODES)}"]
    for phase, name in PHASES.items() if with_phases else ():
        lines.append(_row(name, [over([one[mode].phases[phase] for one in rounds]).text() for mode in MODES]))
    for milestone, name in (("http", "start to HTTP up"), ("token", "start to first token")):
        lines.append(_row(f"**{name}**", [over([one[mode].reached[milestone] for one in rounds]).text() for mode in MODES]))
    return lines


def verdicts(rounds: Rounds) -> list[str]:
    """A sentence for each mode of ours, beside plain vLLM within the same round; and what the standby host costs."""
    figures = [{mode: {"token": one[mode].first_token_s} for mode in MODES} for one in rounds]
    lines = []
    for mode, target in TARGETS.items():
        found = ratio(figures, mode, PLAIN, "token")
        lines.append(f"{mode} ÷ {PLAIN}, first token: {found.text(3)}; wanted: at most {target}.")
    host = [one[STANDBY] for one in rounds]
    pss, rss = (over([getattr(each.asleep, name) / 2**20 for each in host]).text(0) for name in ("pss", "rss"))
    lines.append(f"The standby host's own start, once: {over([each.host_start_s for each in host]).text(1)} s.")
    lines.append(f"Host memory while asleep, MiB: {STANDBY} {pss} (PSS), {rss} (RSS); {COLD} 0.")
    return lines


def middle(rounds: Rounds) -> dict[str, Mapping[str, float]]:
    """Mode → the phases of its round whose first token came at the median, so that they sum up to it."""
    found = {}
    for mode in MODES:
        starts = sorted((one[mode] for one in rounds), key=lambda start: start.first_token_s)
        found[mode] = starts[(len(starts) - 1) // 2].phases
    return found


def as_json(rounds: Rounds) -> dict[str, Any]:
    """Every counted round, times in seconds and memory in bytes."""
    return {"phases": dict(PHASES), "rounds": [{mode: asdict(start) for mode, start in one.items()} for one in rounds]}


def _row(title: str, cells: Sequence[str]) -> str:
    return f"| {title} | {' | '.join(cells)} |"
