"""What a training needs to go on after a kill as if nothing had happened. One file, whole or not there.

A checkpoint names what it belongs to; one of another dataset, recipe, base or library is not used.
"""

from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from adapters.training.model import Weights
from adapters.workspace.durable import new_file

FOLDER = "checkpoint"
_FILE = "state.pt"


@dataclass(frozen=True)
class Loss:
    """In nats per token, weighted: of one step, and of the held-out examples after it where that was looked at."""

    step: int
    train: float
    held_out: float | None = None

    def to_json(self) -> dict[str, float | int | None]:
        return {"step": self.step, "train": self.train, "held_out": self.held_out}


@dataclass
class State:
    """Where a training stands after `len(losses)` steps. `seconds` and `tokens` are those of steps, not of looks."""

    losses: list[Loss] = field(default_factory=list)
    held_out_before: float | None = None
    best: Weights | None = None
    seconds: float = 0.0
    tokens: int = 0

    @property
    def step(self) -> int:
        return len(self.losses)


def write_checkpoint(out: Path, identity: str, state: State, weights: Weights, optimizer: dict[str, Any]) -> None:
    """Replace the checkpoint in `out`. A kill at any time leaves the old one or the new one. Raises DiskFull."""
    content = {
        "identity": identity,
        "losses": [(each.step, each.train, each.held_out) for each in state.losses],
        "held_out_before": state.held_out_before,
        "best": state.best,
        "seconds": state.seconds,
        "tokens": state.tokens,
        "weights": weights,
        "optimizer": optimizer,
        "random": torch.get_rng_state(),
        "cuda_random": torch.cuda.get_rng_state_all(),
    }
    with new_file(out / FOLDER / _FILE) as path, path.open("wb") as file:
        torch.save(content, file)


def read_checkpoint(out: Path, identity: str) -> tuple[State, Weights, dict[str, Any]] | None:
    """The state, the LoRA's weights and the optimizer's state; the random numbers go on where they were. None: start anew."""
    try:
        # weights_only: tensors, numbers and names; no code is run from the file.
        content = torch.load(out / FOLDER / _FILE, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError):  # not there, or damaged after it was written
        return None
    if content["identity"] != identity:
        return None
    torch.set_rng_state(content["random"])
    if content["cuda_random"]:
        torch.cuda.set_rng_state_all(content["cuda_random"])
    state = State(
        losses=[Loss(*each) for each in content["losses"]],
        held_out_before=content["held_out_before"],
        best=content["best"],
        seconds=content["seconds"],
        tokens=content["tokens"],
    )
    return state, content["weights"], content["optimizer"]
