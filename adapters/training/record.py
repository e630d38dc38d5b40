"""What is written beside an adapter: how it came to be. `training.json` comes last, so where it is, the training is complete."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Any

from adapters.conversation import RENDERER
from adapters.registry.base import Base
from adapters.training.checkpoint import State
from adapters.training.loop import best_step
from adapters.training.machine import Machine
from adapters.training.recipe import TrainingRecipe

RECORD, LOSSES, ADAPTER = "training.json", "losses.jsonl", "adapter"
SCHEMA = 1
_LIBRARIES = ("torch", "transformers", "peft", "bitsandbytes", "tokenizers", "safetensors")


@dataclass(frozen=True)
class Origin:
    """Everything that the numbers of an adapter depend on. Two trainings of one origin, on machines of one kind, give the same adapter."""

    community: str
    dataset_hash: str
    train: int
    held_out: int
    base_name: str
    base: Base
    template_hash: str
    recipe: TrainingRecipe
    canary_seed: str
    machine: Machine

    @property
    def identity(self) -> str:
        kind = [self.machine.device.type, str(self.machine.dtype)]
        parts = [self.dataset_hash, self.base.fingerprint, self.template_hash, RENDERER, self.recipe.to_json(), versions(), kind]
        return "sha256:" + sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def versions() -> dict[str, str]:
    found = {"python": python_version()}
    for name in ("troupe", *_LIBRARIES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def record(origin: Origin, state: State, *, peak_memory: int, fit: str, warnings: Sequence[str]) -> dict[str, Any]:
    """The content of training.json."""
    return {
        "schema": SCHEMA,
        "identity": origin.identity,
        "community": origin.community,
        "dataset": {"hash": origin.dataset_hash, "train": origin.train, "held_out": origin.held_out},
        "base": {"name": origin.base_name, "fingerprint": origin.base.fingerprint, "quantization": origin.base.quantization},
        "renderer": RENDERER,
        "template_hash": origin.template_hash,
        "recipe": origin.recipe.to_json(),
        "versions": versions(),
        "losses": [each.to_json() for each in state.losses],
        "held_out_before": state.held_out_before,
        "best_step": best_step(state.losses),
        "canaries": {"seed": origin.canary_seed, "count": origin.recipe.canaries},
        "tokens_per_second": round(state.tokens / state.seconds, 1) if state.seconds else 0.0,
        "peak_memory_bytes": peak_memory,
        "tokens": state.tokens,
        "seconds": round(state.seconds, 1),
        "machine": {"device": origin.machine.name, "cores": origin.machine.cores},
        "fit": fit,
        "warnings": list(warnings),
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def read_record(out: Path) -> Mapping[str, Any] | None:
    """None where the training in `out` is not complete."""
    try:
        content = json.loads((out / RECORD).read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and (out / ADAPTER).is_dir() else None
