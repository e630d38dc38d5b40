"""Figures as a table for people and as JSON for machines. Pure: returns renderables and dictionaries, writes nothing."""

from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from loadtests.measure import LAG_LIMIT_S, Figures, Spread, Summary
from loadtests.workload import Workload

SCHEMA = 1
"""Version of the JSON's shape: fields may be added to a version, and never change their meaning."""


def as_json(figures: Figures, workload: Workload, *, url: str, warmup_s: float, interrupted: bool) -> dict[str, Any]:
    """The report as a JSON object. All times are seconds; the schedule can be rebuilt from `workload`, except for the prompts."""
    return {
        "schema": SCHEMA,
        "url": url,
        "interrupted": interrupted,
        "workload": {
            "weights": dict(workload.weights),
            "rate_per_s": workload.rate_per_s,
            "duration_s": workload.duration_s,
            "warmup_s": warmup_s,
            "max_tokens": workload.max_tokens,
            "seed": workload.seed,
            "prompts": len(workload.prompts),
        },
        "window_s": figures.window_s,
        "warmup_requests": figures.warmup_requests,
        "client": {"lag": asdict(figures.lag), "was_bottleneck": figures.client_was_slow},
        "total": asdict(figures.total),
        "models": {summary.model: asdict(summary) for summary in figures.models},
    }


def as_table(figures: Figures) -> RenderableType:
    """One row per model and one for all, then a line for everything that a reader must not miss."""
    title = f"{figures.total.scheduled} requests in {figures.window_s:.1f} s; times in ms"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    table.add_column("model", no_wrap=True)
    for heading in ("due", "ok", "TTFT p50", "p95", "p99", "ITL p50", "p99", "TPOT p50", "tokens", "tok/s"):
        table.add_column(heading, justify="right")
    for summary in figures.models:
        table.add_row(*_cells(summary))
    table.add_section()
    table.add_row(*_cells(figures.total), style="bold")
    return Group(table, *(Text(note) for note in notes(figures)))


def notes(figures: Figures) -> list[str]:
    """What qualifies the figures: errors, waits that were cut off, a client that was too slow."""
    total = figures.total
    lines = [f"{count} failed: {name}" for name, count in total.errors.items()]
    if total.censored:
        lines.append(f"{total.censored} had no first token at the end; TTFT counts their wait so far, so it is a lower bound.")
    if figures.client_was_slow:
        lines.append(
            f"This client sent late (p99 {_ms(figures.lag.p99)}, limit {_ms(LAG_LIMIT_S)}): it was the bottleneck,"
            " and part of the latencies above is its own."
        )
    else:
        lines.append(f"Client lag p99 {_ms(figures.lag.p99)}. Latencies count from the scheduled arrival.")
    return lines


def _cells(summary: Summary) -> list[str]:
    return [
        summary.model,
        str(summary.scheduled),
        str(summary.succeeded),
        *(_time(summary.ttft, name) for name in ("p50", "p95", "p99")),
        *(_time(summary.itl, name) for name in ("p50", "p99")),
        _time(summary.tpot, "p50"),
        str(summary.completion_tokens),
        f"{summary.tokens_per_s:.1f}",
    ]


def _time(values: Spread, name: str) -> str:
    return f"{getattr(values, name) * 1000:.0f}" if values.count else "-"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
