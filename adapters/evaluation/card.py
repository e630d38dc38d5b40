"""The report card: all that was measured of an adapter, as plain, finite JSON that a registry takes. No member's message is in it."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.conversation import RENDERER
from adapters.curation.dataset import Dataset
from adapters.evaluation.errors import CardTooLarge
from adapters.evaluation.gates import gates
from adapters.evaluation.settings import EvaluationSettings
from adapters.registry.base import Base
from adapters.registry.registry import MAX_DOCUMENT_BYTES
from adapters.registry.validation import ValidAdapter
from adapters.training.record import ADAPTER, versions

SCHEMA = 1
_TRAINING = ("recipe", "best_step", "tokens_per_second", "peak_memory_bytes", "seconds", "machine", "made_at", "canaries", "fit")
"""What of training.json is repeated; the losses are thinned out."""
_LOSSES = 200


def assemble(
    measured: Mapping[str, Any],
    *,
    adapter: tuple[Path, ValidAdapter],
    base: Base,
    dataset: Dataset,
    training: Mapping[str, Any] | None,
    settings: EvaluationSettings,
) -> dict[str, Any]:
    """`measured`: fit, ranking, answering, distance, tax, memorisation, safety and samples. Raises CardTooLarge."""
    directory, valid = adapter
    card: dict[str, Any] = {
        "schema": SCHEMA,
        "community": str((training or {}).get("community") or dataset.card.get("community") or ""),
        "adapter": {"name": _name(directory), "rank": valid.rank, "alpha": valid.alpha, "bytes": valid.weights.stat().st_size},
        "base": {"name": _base_name(training, base), "fingerprint": base.fingerprint, "quantization": base.quantization},
        "dataset": {"hash": dataset.content_hash, "train": len(dataset.train), "held_out": len(dataset.held_out)},
        "training": _short(training),
        "renderer": RENDERER,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "settings": settings.counts(),
        **measured,
    }
    passing = gates(card, settings.limits)
    card["gates"] = [gate.to_json() for gate in passing]
    card["passed"] = all(gate.passed for gate in passing)
    return checked(card)


def checked(card: Mapping[str, Any]) -> dict[str, Any]:
    """The card with every number finite. Raises CardTooLarge."""
    plain: dict[str, Any] = _finite(card)
    size = len(json.dumps(plain, allow_nan=False).encode())
    if size > MAX_DOCUMENT_BYTES:
        raise CardTooLarge(f"The report card has {size} bytes and a registry takes {MAX_DOCUMENT_BYTES}: ask for fewer samples.")
    return plain


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else math.copysign(1e9, value)
    return value


def _name(directory: Path) -> str:
    """Of an adapter in a run, the run's."""
    return directory.resolve().parent.name if directory.name == ADAPTER else directory.name


def _base_name(training: Mapping[str, Any] | None, base: Base) -> str:
    """A hub's name as it is; of a path only the last part, as a card goes to others."""
    name = str(((training or {}).get("base") or {}).get("name") or base.path.name)
    return Path(name).name if Path(name).is_absolute() else name


def _short(training: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if training is None:
        return None
    losses = list(training.get("losses") or [])
    step = max(1, math.ceil(len(losses) / _LOSSES))
    # Every look at the held-out examples is kept: they are few, and what a reader wants to see.
    thinned = [each for place, each in enumerate(losses) if place % step == 0 or each.get("held_out") is not None]
    return {**{key: training[key] for key in _TRAINING if key in training}, "losses": thinned}
