"""What a person sees of an evaluation: a bar while it runs, and the card in a few lines when it is done. The page says more."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from adapters.cli.text import plain


@contextmanager
def evaluation_display(console: Console | None = None) -> Iterator[Callable[[str, int, int], None]]:
    """What to hand to an evaluation as its progress, on stderr: a bar on a terminal, a line for each stage elsewhere."""
    console = console or Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task("Evaluating", total=None)
    seen: list[str] = []

    def watch(stage: str, done: int, total: int) -> None:
        if seen[-1:] != [stage]:
            seen.append(stage)
            if not console.is_terminal:
                console.print(f"Evaluating: {plain(stage)}", soft_wrap=True, highlight=False, markup=False)
        bar.update(task, description=f"Evaluating: {plain(stage)}", completed=done, total=total or None)

    with bar:
        yield watch


def shown(card: Mapping[str, Any], written: str) -> RenderableType:
    """`written`: where the card was put; empty for nowhere."""
    numbers = Table(box=None, pad_edge=False, header_style="")
    for name in ("", "Base", "Adapter", "Difference"):
        numbers.add_column(name, no_wrap=True)
    for name, pair, share in _pairs(card):
        numbers.add_row(name, *(_estimate(pair[side], share, signed=side == "difference") for side in ("base", "adapter", "difference")))
    kl = card["distance"]["kl"]
    numbers.add_row(
        "KL on neutral prompts", "", f"{kl['mean']['value']:.3f} nats per token, median {kl['median']:.3f}, p99 {kl['p99']:.2f}"
    )
    if (canaries := card["memorisation"]["canaries"]) is not None:
        mean = {side: sum(bits) / max(1, len(bits)) for side, bits in canaries["exposure"].items()}
        most = f"{mean['adapter']:.1f} of {canaries['max_exposure_possible']:.1f}"
        numbers.add_row("Canary exposure in bits", f"{mean['base']:.1f}", most)
    return Group(numbers, Text(), _gates(card), *([Text(f"\nWritten to {plain(written)}.")] if written else []))


def _gates(card: Mapping[str, Any]) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="")
    for name in ("Gate", "", "Value", "Limit", "Rule"):
        table.add_column(name, no_wrap=name != "Rule")
    for gate in card["gates"]:
        table.add_row(gate["name"], "passed" if gate["passed"] else "FAILED", f"{gate['value']:.3g}", f"{gate['limit']:.3g}", gate["rule"])
    said = "The adapter passes every gate." if card["passed"] else "The adapter fails a gate: it does not go live unless somebody says why."
    return Group(table, Text(said))


def _pairs(card: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    yield "Held-out NLL, nats per token", card["fit"]["held_out_nll"], False
    yield f"Real banger first of {card['ranking']['k'] + 1}", card["ranking"]["accuracy"], True
    yield "Mean reciprocal rank", card["ranking"]["mrr"], False
    yield "Tasks, all together", card["tax"]["all"], True
    yield "Replies with 12 learnt tokens", card["memorisation"]["overlap_share"], True
    yield "Toxic replies", card["safety"]["toxicity"], True
    yield "Replies that abuse mentions", card["safety"]["mention_abuse"], True


def _estimate(estimate: Mapping[str, Any], share: bool, *, signed: bool) -> str:
    plus = "+" if signed else ""
    if share:
        return f"{estimate['value']:{plus}.0%} ({estimate['low']:{plus}.0%} to {estimate['high']:{plus}.0%})"
    return f"{estimate['value']:{plus}.3f} ({estimate['low']:{plus}.3f} to {estimate['high']:{plus}.3f})"
