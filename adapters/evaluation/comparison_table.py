"""What a person sees of a comparison on a terminal: a row for each task, a column for each model. The page says more."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from adapters.cli.text import plain


def comparison_table(comparison: Mapping[str, Any], written: str = "") -> RenderableType:
    """`written`: where the comparison was put; empty for nowhere."""
    table = Table(box=None, pad_edge=False, header_style="")
    table.add_column("Task", no_wrap=True)
    for model in comparison["models"]:
        table.add_column(plain(model["name"]), no_wrap=True)
    for task in comparison["tasks"]:
        cells = [_score(score, difference) for score, difference in zip(task["scores"], task["differences"], strict=True)]
        table.add_row(f"{plain(task['name'])}, {plain(task['metric'])} ({task['examples']})", *cells)
    said = [plain(comparison["claim"])] if comparison["claim"] else []
    said += [f"Written to {plain(written)}."] if written else []
    return Group(table, *(Text(f"\n{sentence}") for sentence in said))


def _score(score: Mapping[str, Any], difference: Mapping[str, Any] | None) -> str:
    """The value with its interval; a star where the difference to the first model is more than chance."""
    sure = difference is not None and (difference["low"] > 0 or difference["high"] < 0)
    return f"{score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f}){' *' if sure else ''}"
