"""`troupe bench`: benchmarks of real engines. Reads arguments; the work lives in the other files of this package."""

import contextlib
import importlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import click

from loadtests.benchmarks.cold_start import NoToken, programs, rounds
from loadtests.benchmarks.cold_start_report import as_json, middle, table, verdicts
from loadtests.benchmarks.phases import PHASES
from loadtests.benchmarks.process import NotStarted, end_like_ctrl_c
from loadtests.settings import BenchSettings

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def bench() -> None:
    """Measure this machine with real engines."""


@bench.command("cold-start")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="Where the demo is, or is built.  [default: TROUPE_HOME]")
@click.option("--base", type=FOLDER, help="A base of yours in place of the demo's; needs --adapter.")
@click.option("--adapter", type=FOLDER, help="An adapter for that base.")
@click.option("--runs", default=7, show_default=True, type=click.IntRange(min=1), help="Rounds to count, after one to warm up.")
@click.option("--json", "json_path", type=FILE, help="Write every counted round.")
@click.option("--chart", "chart_path", type=FILE, help="Draw bars by phase: .svg, .png or .pdf.")
@click.option("--without-phases", is_flag=True, help="Change nothing in vLLM to measure: only HTTP and first token.")
def cold_start(
    home: Path | None,
    base: Path | None,
    adapter: Path | None,
    runs: int,
    json_path: Path | None,
    chart_path: Path | None,
    without_phases: bool,
) -> None:
    """How long plain vLLM, our cold mode and our standby mode take to a first token."""
    if (base is None) != (adapter is None):
        raise click.UsageError("give --base and --adapter, or neither")
    if chart_path and without_phases:
        raise click.UsageError("there is nothing to draw --without-phases")
    chart = _chart() if chart_path else None
    end_like_ctrl_c()
    if base is None or adapter is None:
        base, adapter = _demo(home or BenchSettings().home.expanduser())
    counted = []
    with tempfile.TemporaryDirectory(prefix="troupe-bench-") as name:
        folder = Path(name)
        try:
            given = programs(base, adapter, folder, tell_phases=not without_phases)
            with contextlib.closing(rounds(given, folder, runs, lambda line: click.echo(line, err=True))) as found:
                for one in found:
                    counted.append(one)
                    if json_path:
                        json_path.write_text(json.dumps(as_json(counted), indent=1) + "\n", encoding="utf-8")
        except (NotStarted, NoToken, OSError, subprocess.CalledProcessError) as exc:
            raise click.ClickException(str(exc)) from exc
    for line in [*table(counted, with_phases=not without_phases), "", *verdicts(counted)]:
        click.echo(line)
    if chart and chart_path:
        chart.draw(middle(counted), PHASES, chart_path)


def _chart() -> ModuleType:
    """Imported by its name: matplotlib is another extra's."""
    try:
        return importlib.import_module("loadtests.benchmarks.chart")
    except ModuleNotFoundError as exc:
        raise click.ClickException(
            f"A chart needs {exc.name}, which is not installed: leave --chart out, or install the extra `train`."
        ) from exc


def _demo(home: Path) -> tuple[Path, Path]:
    """Base and first adapter of the demo, which is built first if it is not there."""
    command = [sys.executable, "-m", "adapters.demo", "--home", str(home)]
    made = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if made.returncode != 0:
        raise click.ClickException("The demo could not be built: give a --base and an --adapter of yours.")
    demo = json.loads(made.stdout.splitlines()[-1])
    return Path(demo["base"]), Path(next(iter(demo["adapters"].values())))
