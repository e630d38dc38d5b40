"""What everybody who may ask an adapter may know of how it was trained. Pure."""

from collections.abc import Mapping
from typing import Any

_LONGEST = 64


def lesson_of(training: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Of a training manifest: `renderer`, how its chats were rendered; `examples`, how many it learnt from; `made_at`, when. Each only if
    it says so in the form that it should; None if it says nothing."""
    if training is None:
        return None
    dataset = training.get("dataset")
    examples = dataset.get("train") if isinstance(dataset, Mapping) else None
    said = {"renderer": _text(training.get("renderer")), "examples": _count(examples), "made_at": _text(training.get("made_at"))}
    return {name: value for name, value in said.items() if value is not None} or None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable() else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None
