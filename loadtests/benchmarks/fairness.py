"""`make bench-fairness`: who waits how long for one real engine: asked directly, through litellm's proxy, vllm-router and Troupe.

Every round offers one load to each way in turn, in rotated order, and asks the engine itself before and after: a round in which that moved
by more than a fifth is not counted. Two engines come one after the other, with two slots for adapters and with four.
"""

import asyncio
import json
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import click

from loadtests.benchmarks.fairness_load import Callers, Seen, callers
from loadtests.benchmarks.fairness_report import Kept, report
from loadtests.benchmarks.fairness_stage import DIRECT, TROUPES, Published, Way, publish, quiet, stage
from loadtests.benchmarks.fairness_workloads import (
    OVERLOAD,
    PATIENCE,
    ZIPF_ADAPTERS,
    Figures,
    Workload,
    even,
    flood,
    full,
    read_even,
    read_flood,
    read_full,
    workloads,
)
from loadtests.benchmarks.process import end_like_ctrl_c
from loadtests.benchmarks.rounds import MOVED_LIMIT, moved, rotated

OVERLOAD_SLOTS = 4
PROBE_S, PEAK_S, FLOOD_S, AFTER_S = 3.0, 8.0, 24.0, 8.0
TRIES = 2
"""Rounds that are run at most for each that is to be counted."""

Ways = Mapping[str, Way]
Found = Mapping[str, Figures]
NOTHING: Mapping[str, str] = {}
FOLDER = click.Path(path_type=Path, file_okay=False)


class Bench:
    """One engine and the ways to it, under one load after another."""

    def __init__(self, published: Published, ways: Ways, scale: float) -> None:
        self._never, self._ways, self.scale = published.never, ways, scale

    def round(self, workload: Workload, turn: int) -> Found | None:
        """Every way under one load; None if the machine did not hold still."""
        return self._held_still(
            turn, lambda: {path: self._read(path, workload, turn) for path in rotated(workload.paths, turn) if path in self._ways}
        )

    def overload(self, turn: int) -> Found | None:
        """The most that each way answers, and then how much of it is left under three times what the engine can do."""
        return self._held_still(turn, lambda: self._flooded(turn))

    def _flooded(self, turn: int) -> Found:
        paths, peak_s, flood_s, after_s = rotated((DIRECT, TROUPES), turn), *(self.scale * each for each in (PEAK_S, FLOOD_S, AFTER_S))
        peaks = {path: read_full(self._offer(path, full, peak_s, turn)) for path in paths}
        load = flood(peaks[DIRECT]["rate"], flood_s, after_s)
        found = {path: read_flood(self._offer(path, load, flood_s + after_s, turn, PATIENCE), flood_s) for path in paths}
        for path in paths:
            peak, good = peaks[path]["good"], found[path]["good"]
            found[path] = self._told(path, {**found[path], "peak": peak, "kept": good / peak if peak else 0.0})
        return found

    def _held_still(self, turn: int, measured: Callable[[], Found]) -> Found | None:
        before, found, after = self._probe(turn), measured(), self._probe(turn)
        return None if moved(before, after, list(before), MOVED_LIMIT) else found

    def _read(self, path: str, workload: Workload, turn: int) -> Figures:
        return self._told(path, workload.read(self._offer(path, workload.load, workload.seconds, turn)))

    def _told(self, path: str, figures: Figures) -> Figures:
        click.echo(f"    {path}: {', '.join(f'{name} {value:.3g}' for name, value in figures.items())}", err=True)
        return figures

    def _probe(self, turn: int) -> Figures:
        return read_even(self._offer(DIRECT, even, PROBE_S, turn))

    def _offer(self, path: str, load: Callable[[Callers], None], seconds: float, seed: int, headers: Mapping[str, str] = NOTHING) -> Seen:
        return asyncio.run(self._see(self._ways[path], load, seconds, seed, headers))

    async def _see(self, way: Way, load: Callable[[Callers], None], seconds: float, seed: int, headers: Mapping[str, str]) -> Seen:
        """What callers saw. The engine is idle before and after."""
        async with callers(way, self._never, seed, headers) as group:
            load(group)
            seen = await group.during(seconds)
        await quiet(self._ways[DIRECT])
        return seen


def measure(bench: Bench, slots: int, rounds: int, only: str, note: Callable[[str, Found], None]) -> int:
    """All loads for an engine with so many slots, `rounds` times. Returns how many rounds were not counted."""
    loads: dict[str, Callable[[int], Found | None]] = {
        each.name: partial(bench.round, each) for each in workloads(bench.scale) if each.slots == slots
    }
    if slots == OVERLOAD_SLOTS:
        loads[OVERLOAD] = bench.overload
    counted, dropped = dict.fromkeys([name for name in loads if only in name], 0), 0
    for turn in range(TRIES * rounds):
        for name in counted:
            if counted[name] == rounds:
                continue
            click.echo(f"round {turn + 1}: {name}", err=True)
            found = loads[name](turn)
            if found is None:
                dropped += 1
                click.echo("    not counted, the machine moved", err=True)
                continue
            counted[name] += 1
            note(name, found)
    return dropped


def read_demo(context: click.Context, parameter: click.Parameter, text: str) -> Path:
    """The base of the line that `troupe demo` prints."""
    try:
        return Path(json.loads(text)["base"])
    except (ValueError, KeyError, TypeError) as exc:
        raise click.BadParameter("give the line of JSON that `troupe demo` prints") from exc


@click.command()
@click.option(
    "--demo", "base", required=True, callback=read_demo, metavar="JSON", help="The line that `troupe demo` prints: its base is used."
)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1), help="Rounds to count, of each load.")
@click.option("--scale", default=1.0, show_default=True, type=click.FloatRange(min=0.05), help="Of each load's usual length.")
@click.option("--only", default="", metavar="TEXT", help="Loads whose name has this in it.")
@click.option("--peers", type=FOLDER, default=".venv-peers", show_default=True, help="Where litellm and vllm-router are installed.")
@click.option("--without-peers", is_flag=True, help="Measure plain vLLM and Troupe alone.")
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write every counted round, as it comes.")
def main(base: Path, rounds: int, scale: float, only: str, peers: Path, without_peers: bool, json_path: Path | None) -> None:
    """Measure, and print tables: median (smallest–largest) of the rounds, and of what they compare within each."""
    if not without_peers and not peers.is_dir():
        raise click.UsageError(f"{peers} is not there: run `make bench-fairness`, which installs the peers, or --without-peers.")
    end_like_ctrl_c()
    kept: Kept = {}
    dropped = 0

    def note(name: str, found: Found) -> None:
        kept.setdefault(name, []).append(found)
        if json_path is not None:
            json_path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")

    with tempfile.TemporaryDirectory(prefix="troupe-bench-") as name:
        published = publish(base, Path(name) / "home", ZIPF_ADAPTERS)
        for slots in (2, OVERLOAD_SLOTS):
            folder = Path(name) / f"{slots}-slots"
            folder.mkdir()
            with stage(published, slots, folder, None if without_peers or slots > 2 else peers) as ways:
                dropped += measure(Bench(published, ways, scale), slots, rounds, only, note)
    for line in report(kept):
        click.echo(line)
    click.echo(f"\n{rounds} rounds of each counted, {dropped} not.")


if __name__ == "__main__":
    main()
