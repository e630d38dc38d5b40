"""Decides whether a directory is an adapter that may be served beside everybody else's.

Nothing of the adapter is executed or handed to a library before it has passed. The cheap checks come first, and the numbers are read
only once the file is known to be as large as an adapter of this base.
"""

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from adapters.registry.base import Base
from adapters.registry.errors import InvalidAdapter
from adapters.registry.lora_config import FILE as CONFIG
from adapters.registry.lora_config import LINEARS, MAX_BYTES, LoraConfig, read_config
from adapters.registry.plain_file import open_plain
from adapters.registry.safetensors_header import FILE as WEIGHTS
from adapters.registry.safetensors_header import Header, Tensor, read_header
from adapters.registry.serving_copy import rounded
from adapters.registry.strict_json import shown

__all__ = ["CONFIG", "LINEARS", "WEIGHTS", "ValidAdapter", "check_tensors", "validate"]

LARGEST = 1e6
"""Of any number, and of what a pair can add per unit of its input. Trained adapters stay far below 100. What overflows on the engine
leaves NaN in its KV cache, and memory that others are given next: their answers would be damaged too."""
_MOST_ENTRIES = 10_000
_PREFIX = "base_model.model."
_HALVES = {"lora_A.weight": "A", "lora_B.weight": "B"}
_NOT_SERVED = {
    "lora_magnitude_vector": "DoRA",
    "modules_to_save": "a whole module",
    "lora_embedding": "a LoRA of the embedding",
    "embed_tokens": "a change of the embedding",
    "lm_head": "a change of the head",
    ".bias": "a bias",
}
"""What PEFT also writes, by a part of the name of its tensors."""


@dataclass(frozen=True)
class ValidAdapter:
    """An adapter that passed: the canonical bytes of its configuration, and where its weights lie and what they hold."""

    config: bytes
    weights: Path
    tensors: tuple[Tensor, ...]
    rank: int
    alpha: int
    target_modules: tuple[str, ...]


def validate(directory: Path, base: Base, *, max_rank: int) -> ValidAdapter:
    """Check the adapter in `directory` against `base`, in constant memory. Raises InvalidAdapter, naming the field."""
    _check_files(directory)
    with open_plain(directory / CONFIG) as file:
        config = read_config(file.read(MAX_BYTES + 1), base_fingerprint=base.fingerprint, max_rank=max_rank)
    with open_plain(directory / WEIGHTS) as file:
        header = read_header(file)
        check_tensors(header.tensors, config, base)
        _check_numbers(file, header, config)
    return ValidAdapter(
        config=config.canonical(base.fingerprint),
        weights=directory / WEIGHTS,
        tensors=header.tensors,
        rank=config.rank,
        alpha=config.alpha,
        target_modules=config.target_modules,
    )


def _check_files(directory: Path) -> None:
    try:
        with os.scandir(directory) as entries:
            found = {entry.name for entry in islice(entries, _MOST_ENTRIES)}
    except OSError as exc:
        raise InvalidAdapter("directory", f"The adapter's directory cannot be read ({exc.strerror}): give one that holds it.") from exc
    extra = sorted(found - {CONFIG, WEIGHTS})
    if extra:
        raise InvalidAdapter(extra[0], f"The adapter holds {shown(extra[0])}: exactly {CONFIG} and {WEIGHTS} are accepted, take it out.")


def check_tensors(tensors: Sequence[Tensor], config: LoraConfig, base: Base) -> None:
    """Whether these are pairs of the configured rank that fit linear layers of `base`, in each target module. Raises InvalidAdapter."""
    pairs: dict[str, dict[str, Tensor]] = {}
    for tensor in tensors:
        module, half = _place(tensor.name, base)
        pairs.setdefault(module, {})[half] = tensor
    for module, halves in pairs.items():
        if set(halves) != {"A", "B"}:
            raise InvalidAdapter(module, f"{module} has only one half of its LoRA pair: save the adapter again.")
        _check_shapes(module, halves["A"].shape, halves["B"].shape, config.rank, base)
    adapted = {_linear(module) for module in pairs}
    for linear in sorted(adapted ^ set(config.target_modules)):
        where = "in the weights and not in target_modules" if linear in adapted else "in target_modules and has no weights"
        raise InvalidAdapter("target_modules", f"{linear} is {where}: save the adapter again.")


def _place(name: str, base: Base) -> tuple[str, str]:
    """Which linear module of the base a tensor belongs to, and which half of the pair it is."""
    module, _, half = name.removeprefix(_PREFIX).partition(".lora_")
    half = _HALVES.get(f"lora_{half}", "")
    if name.startswith(_PREFIX) and half and module in base.shapes and _linear(module) in LINEARS:
        return module, half
    for part, kind in _NOT_SERVED.items():
        if part in name:
            raise InvalidAdapter(name, f"The weights hold {shown(name)}: {kind} is not served, train without it.")
    raise InvalidAdapter(
        name, f"The weights hold {shown(name)}, which is no LoRA weight of a linear layer of this base: train it on this one."
    )


def _linear(module: str) -> str:
    return module.rpartition(".")[2]


def _check_shapes(module: str, a: tuple[int, ...], b: tuple[int, ...], rank: int, base: Base) -> None:
    out, into = base.shapes[module]
    if len(a) == len(b) == 2 and a[1] == into and b[0] == out and a[0] == b[1] != rank:
        raise InvalidAdapter("r", f"The rank r is {rank} in {CONFIG} and {a[0]} in the weights of {module}: save the adapter again.")
    if a != (rank, into) or b != (out, rank):
        raise InvalidAdapter(
            module,
            f"{module} is {b} x {a} in the adapter and {(out, rank)} x {(rank, into)} would fit: it was trained for another base,"
            " train it on this one.",
        )


def _check_numbers(file: BinaryIO, header: Header, config: LoraConfig) -> None:
    """Every number is finite as it is served, no product of a pair is beyond all measure, and some pair changes something: neither of
    its halves is all zero."""
    largest: dict[str, list[float]] = {}
    for tensor in header.tensors:
        # Without the sign, so that a negative zero is zero. As an integer, the bits of a bfloat16 are in the order of the numbers.
        bits = max(int((numbers & 0x7FFF).max()) for numbers in rounded(file, header.start, tensor))
        largest.setdefault(tensor.name.partition(".lora_")[0], []).append(_number(bits))
    for module, (one, other) in largest.items():
        if max(one, other, config.scale * one * other) > LARGEST:
            name = module.removeprefix(_PREFIX)
            raise InvalidAdapter(name, f"The numbers of {name} are too large ({config.scale * one * other:.0e}): train the adapter again.")
    if not any(one and other for one, other in largest.values()):
        raise InvalidAdapter(WEIGHTS, "The adapter changes nothing, its weights are all zero: train it before you publish it.")


def _number(bits: int) -> float:
    """The number that these bits are in bfloat16: the upper half of a float32."""
    number: float = struct.unpack("<f", struct.pack("<I", bits << 16))[0]
    return number
