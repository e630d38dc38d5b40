"""What a training says while it runs and when it is done. Light: who watches need not import torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TrainingProgress:
    """`stage` is "loading", "training" or "saving". Numbers that are not known yet are None; `note` is a sentence to keep."""

    stage: str
    step: int = 0
    steps: int = 0
    tokens_per_second: float | None = None
    train_loss: float | None = None
    held_out_loss: float | None = None
    eta_seconds: float | None = None
    note: str = ""


Progress = Callable[[TrainingProgress], None]


@dataclass(frozen=True)
class TrainingResult:
    """Where the two files are, and what training.json says."""

    adapter: Path
    record: Mapping[str, Any]
