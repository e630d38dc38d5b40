"""A report card in a few lines: its gates, and what they judge. Pure; a card of another shape is shown by its figures."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType

from adapters.cli.tables import pairs, table
from adapters.cli.text import value_text
from adapters.registry.diff import fields
from adapters.registry.gates import failed_gates

_FIGURES = {
    "held-out loss": ("fit", "held_out_nll"),
    "ranking accuracy": ("ranking", "accuracy"),
    "ranking MRR": ("ranking", "mrr"),
    "toxicity": ("safety", "toxicity"),
    "mention abuse": ("safety", "mention_abuse"),
    "12-token overlap": ("memorisation", "overlap_share"),
}
"""Pairs of base and adapter, by the way to them in the card."""


def verdict(card: Mapping[str, Any] | None) -> str:
    """One line."""
    if card is None:
        return "not evaluated"
    gates = card.get("gates")
    if not isinstance(gates, list) or not isinstance(card.get("passed"), bool):
        return "evaluated, without gates"
    failed = [str(gate.get("name")) for gate in failed_gates(card)]
    return f"failed {', '.join(failed) or 'its gates'}" if not card["passed"] else f"passed all {len(gates)} gates"


def card_summary(card: Mapping[str, Any]) -> RenderableType:
    """The verdict, the gates as a table, and the main figures. Of a card that has no gates, every figure."""
    gates = card.get("gates")
    if not isinstance(gates, list) or not gates:
        return pairs({f"  {name}": value_text(value) for name, value in fields(card)})
    shown: list[RenderableType] = [f"  {verdict(card)}", ""]
    columns = ("gate", "value", "limit", "passed", "rule")
    rows = [_row(gate) for gate in gates if isinstance(gate, Mapping)]
    shown.append(table(rows, columns, folded=("rule",)))
    if figures := dict(_figures(card)):
        shown += ["", pairs({f"  {name}": value for name, value in figures.items()})]
    return Group(*shown)


def _row(gate: Mapping[str, Any]) -> dict[str, str]:
    return {
        "gate": f"  {gate.get('name')}",
        "value": value_text(gate.get("value")),
        "limit": value_text(gate.get("limit")),
        "passed": value_text(gate.get("passed")),
        "rule": str(gate.get("rule") or ""),
    }


def _figures(card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, (part, figure) in _FIGURES.items():
        pair = _at(card, part, figure)
        base, adapter = _at(pair, "base", "value"), _at(pair, "adapter", "value")
        if isinstance(base, int | float) and isinstance(adapter, int | float):
            low, high = _at(pair, "difference", "low"), _at(pair, "difference", "high")
            span = f" (difference {low:+.3g} to {high:+.3g})" if isinstance(low, int | float) and isinstance(high, int | float) else ""
            yield name, f"base {base:.3g}, adapter {adapter:.3g}{span}"
    distance = _at(card, "distance", "kl", "mean", "value")
    if isinstance(distance, int | float):
        yield "KL to the base", f"{distance:.3g} nats per token"


def _at(content: Any, *path: str) -> Any:
    for name in path:
        content = content.get(name) if isinstance(content, Mapping) else None
    return content
