"""`troupe load`: reads arguments, runs the driver, prints the report. The work lives in the other files of this package."""

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import click
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from loadtests.driver import Driver, Limits, Target, TargetError, list_models
from loadtests.measure import Sample, figures
from loadtests.report import as_json, as_table
from loadtests.scenarios.table import SCENARIOS, Scenario
from loadtests.settings import LoadSettings, is_loopback
from loadtests.workload import PROMPTS, Arrival, Workload, parse_weights, schedule

POSITIVE = click.FloatRange(min=0, min_open=True)


@dataclass(frozen=True)
class Plan:
    """A workload and the seconds at its beginning that are sent but not measured."""

    workload: Workload
    warmup_s: float


@click.command()
@click.option("--model", "models", multiple=True, metavar="MODEL[=WEIGHT]", help="A model to ask, repeatable. Default: all there are.")
@click.option("--scenario", type=click.Choice(sorted(SCENARIOS)), default="steady", show_default=True, help="A named workload.")
@click.option("--rate", type=POSITIVE, help="Requests per second, on average, over all models.")
@click.option("--duration", type=POSITIVE, help="Seconds to measure.")
@click.option("--warmup", type=click.FloatRange(min=0), help="Seconds to send before measuring.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Tokens to ask for in each answer.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same schedule.")
@click.option("--prompts", type=click.File(encoding="utf-8"), help="A file with one prompt per line.")
@click.option("--in-flight", type=click.IntRange(min=1), default=512, show_default=True, help="Open requests at most; more are dropped.")
@click.option("--timeout", type=POSITIVE, default=120.0, show_default=True, help="Seconds for one request.")
@click.option("--drain", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds to wait for the last answers.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False, allow_dash=True), help="Write the report as JSON; - is stdout.")
@click.option("--yes-this-is-my-server", "is_mine", is_flag=True, help="Allow a target that is not this machine.")
def load(
    models: tuple[str, ...],
    scenario: str,
    rate: float | None,
    duration: float | None,
    warmup: float | None,
    max_tokens: int | None,
    seed: int,
    prompts: TextIO | None,
    in_flight: int,
    timeout: float,
    drain: float,
    json_path: str | None,
    is_mine: bool,
) -> None:
    """Offer a load to a running server and report how it bears it.

    Requests arrive at random (Poisson) and never wait for answers. The target is TROUPE_URL, with TROUPE_API_KEY.
    """
    target = _target(is_mine)
    named = SCENARIOS[scenario]
    warmup_s = named.warmup_s if warmup is None else warmup
    try:
        workload = Workload(
            weights=_weights(models, named, target),
            rate_per_s=rate or named.rate_per_s,
            duration_s=(duration or named.duration_s) + warmup_s,
            max_tokens=max_tokens or named.max_tokens,
            seed=seed,
            prompts=PROMPTS if prompts is None else [line.strip() for line in prompts if line.strip()],
        )
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc
    except TargetError as exc:
        click.echo(f"Error: {exc}", err=True)
        sys.exit(exc.exit_code)
    limits = Limits(in_flight=in_flight, request_s=timeout, drain_s=drain)
    _run_and_report(target, limits, Plan(workload, warmup_s), json_path)


def _weights(models: Sequence[str], named: Scenario, target: Target) -> dict[str, float]:
    """The weights given, or else the scenario's, over the models given, or else all that the server has."""
    if any("=" in model for model in models):
        return parse_weights(models)
    return named.share(models or asyncio.run(list_models(target)))


def _target(is_mine: bool) -> Target:
    try:
        settings = LoadSettings()
    except ValidationError as exc:
        raise click.ClickException(f"TROUPE_URL {exc.errors()[0]['msg'].removeprefix('Value error, ')}.") from exc
    if not is_mine and not is_loopback(settings.url):
        raise click.ClickException(f"{settings.url} is not this machine. If you may load it, add --yes-this-is-my-server.")
    return Target(settings.url, settings.api_key.get_secret_value())


def _run_and_report(target: Target, limits: Limits, plan: Plan, json_path: str | None) -> None:
    """Run, write the report, and exit: 0; 1 if no measured request succeeded; 130 if interrupted (and still reported)."""
    console = Console(stderr=True)
    samples, interrupted = asyncio.run(offer(target, limits, schedule(plan.workload), console))
    measured = figures(samples, warmup_s=plan.warmup_s)
    console.print(as_table(measured))
    if json_path is not None:
        report = as_json(measured, plan.workload, url=target.url, warmup_s=plan.warmup_s, interrupted=interrupted)
        text = json.dumps(report, indent=2) + "\n"
        if json_path == "-":
            click.echo(text, nl=False)
        else:
            Path(json_path).write_text(text, encoding="utf-8")
    if interrupted:
        sys.exit(130)
    if not measured.total.succeeded:
        raise click.ClickException("not one measured request succeeded.")


async def offer(target: Target, limits: Limits, arrivals: Sequence[Arrival], console: Console) -> tuple[list[Sample], bool]:
    """Drive the schedule under a progress bar; Ctrl-C stops it once, and a second one ends the program."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("answers", total=len(arrivals))
        driver = Driver(target, limits, on_end=lambda: progress.advance(bar))
        loop = asyncio.get_running_loop()

        def stop() -> None:
            loop.remove_signal_handler(signal.SIGINT)
            driver.stop()

        loop.add_signal_handler(signal.SIGINT, stop)
        try:
            return await driver.run(arrivals), driver.was_stopped
        finally:
            loop.remove_signal_handler(signal.SIGINT)
