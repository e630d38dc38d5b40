"""Adapters that must be refused: what is wrong with each, and the field that the refusal has to name.

Each is one deliberate fault in an adapter that would otherwise pass, so a check that is missing lets its fault through. For use wherever
adapters come in: `hostile_adapters(base)[name].make(folder)`. None of them may run anything: what would run leaves a file beside the folder
whose name ends in `CANARY`, or imports the module `MODULE_CANARY`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.registry import read_base
from tests.adapters.registry.tiny import adapter_config, adapter_tensors, header_of, safetensors_file

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
MAX_RANK = 8
CANARY = ".canary"
MODULE_CANARY = "this"
"""A module of the standard library that nobody imports by accident."""

LAYER = "model.layers.0."
PREFIX = f"base_model.model.{LAYER}"
A, B = f"{PREFIX}mlp.up_proj.lora_A.weight", f"{PREFIX}mlp.up_proj.lora_B.weight"


@dataclass(frozen=True)
class Good:
    """An adapter that fits: each case changes one thing of it. `linears`: (out, in) features by name in the layer."""

    linears: Mapping[str, tuple[int, int]]

    def config(self, **changes: Any) -> dict[str, Any]:
        return adapter_config(**changes)

    def tensors(self) -> dict[str, tuple[int, ...]]:
        return adapter_tensors(linears=self.linears)

    def header(self, dtype: str = "F32") -> dict[str, Any]:
        return header_of(self.tensors(), dtype)[0]

    def body(self) -> bytes:
        return b"\x01" * header_of(self.tensors())[1]

    def write(self, folder: Path) -> None:
        (folder / CONFIG).write_text(json.dumps(self.config()))
        (folder / WEIGHTS).write_bytes(safetensors_file(self.header(), self.body()))


Write = Callable[[Path, Good], None]
"""Spoils the good adapter that lies in the folder."""


@dataclass(frozen=True)
class Case:
    field: str
    spoil: Write


@dataclass(frozen=True)
class Hostile:
    """One of them, for one base."""

    field: str
    good: Good
    spoil: Write

    def make(self, folder: Path) -> Path:
        """Write it into `folder`, which is made; return the folder."""
        folder.mkdir(parents=True)
        self.good.write(folder)
        self.spoil(folder, self.good)
        return folder


def good_adapter(base: Path) -> Good:
    """One that fits the base in this directory, which is not quantized."""
    shapes = read_base(base, "none").shapes
    return Good({linear: shapes[LAYER + linear] for linear in ("self_attn.q_proj", "mlp.up_proj")})


def bind(cases: Mapping[str, Case], base: Path) -> dict[str, Hostile]:
    good = good_adapter(base)
    return {name: Hostile(case.field, good, case.spoil) for name, case in cases.items()}
