"""Decides whether a directory is an adapter that may be served beside everybody else's.

Nothing of the adapter is executed or handed to a library before it has passed. The configuration that is stored is written anew from
the few fields that are allowed, so what a stranger put into the file never reaches PEFT or vLLM.
"""

import json
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.registry.base import Base
from adapters.registry.errors import InvalidAdapter
from adapters.registry.safetensors_header import FILE as WEIGHTS
from adapters.registry.safetensors_header import Tensor, read_tensors

CONFIG = "adapter_config.json"
MAX_CONFIG_BYTES = 64 << 10
LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_TENSOR = re.compile(r"base_model\.model\.(model\.layers\.(0|[1-9][0-9]{0,3})\.(?:self_attn|mlp)\.([a-z_]{1,16}))\.lora_([AB])\.weight")
# PEFT writes dozens of fields. These, when they say anything, change what is computed in a way that is not served.
_MUST_BE_EMPTY = (
    "modules_to_save", "use_dora", "rank_pattern", "alpha_pattern", "layers_to_transform", "layer_replication", "megatron_config",
    "trainable_token_indices", "lora_bias", "use_qalora", "alora_invocation_tokens", "auto_mapping", "target_parameters", "fan_in_fan_out",
)  # fmt: skip


@dataclass(frozen=True)
class ValidAdapter:
    """An adapter that passed: the canonical bytes of its configuration, and where its weights lie."""

    config: bytes
    weights: Path
    rank: int
    alpha: int
    target_modules: tuple[str, ...]
    size_bytes: int


def validate(directory: Path, base: Base, *, max_rank: int) -> ValidAdapter:
    """Check the adapter in `directory` against `base`. Raises InvalidAdapter, naming the field."""
    _check_files(directory)
    config = _read_config(directory / CONFIG)
    rank = _check_config(config, max_rank)
    tensors = read_tensors(directory / WEIGHTS)
    modules = _check_tensors(tensors, rank, base)
    if set(config["target_modules"]) - set(modules):
        extra = ", ".join(sorted(set(config["target_modules"]) - set(modules)))
        raise InvalidAdapter("target_modules", f"{CONFIG} names target_modules without weights: {extra}.")
    canonical = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base.fingerprint,
        "r": rank,
        "lora_alpha": config["lora_alpha"],
        "target_modules": sorted(modules),
        "bias": "none",
        "use_rslora": bool(config.get("use_rslora")),
    }
    return ValidAdapter(
        config=(json.dumps(canonical, indent=1, sort_keys=True) + "\n").encode(),
        weights=directory / WEIGHTS,
        rank=rank,
        alpha=config["lora_alpha"],
        target_modules=tuple(sorted(modules)),
        size_bytes=(directory / WEIGHTS).stat().st_size,
    )


def _check_files(directory: Path) -> None:
    try:
        found = {entry.name: entry.stat(follow_symlinks=False) for entry in os.scandir(directory)}
    except OSError as exc:
        raise InvalidAdapter("directory", f"The adapter directory {directory} cannot be read: {exc.strerror}.") from exc
    extra = sorted(set(found) - {CONFIG, WEIGHTS})
    if extra:
        raise InvalidAdapter(extra[0][:120], f"The adapter holds {extra[0][:120]!r}: exactly {CONFIG} and {WEIGHTS} are accepted.")
    for name in (CONFIG, WEIGHTS):
        if name not in found:
            raise InvalidAdapter(name, f"The adapter at {directory} has no {name}.")
        if not stat.S_ISREG(found[name].st_mode):
            raise InvalidAdapter(name, f"{name} in {directory} is not a plain file.")


def _read_config(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise InvalidAdapter(CONFIG, f"{CONFIG} is larger than {MAX_CONFIG_BYTES} bytes.")
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as exc:
        raise InvalidAdapter(CONFIG, f"{CONFIG} is not JSON.") from exc
    if not isinstance(config, dict):
        raise InvalidAdapter(CONFIG, f"{CONFIG} is not a JSON object.")
    return config


def _check_config(config: dict[str, Any], max_rank: int) -> int:
    if config.get("peft_type") != "LORA":
        raise InvalidAdapter("peft_type", f"peft_type is {str(config.get('peft_type'))[:40]!r}: only LORA adapters are served.")
    for key in _MUST_BE_EMPTY:
        if config.get(key):
            raise InvalidAdapter(key, f"{key} is set in {CONFIG}: adapters that use it are not served; train without it.")
    if config.get("bias", "none") != "none":
        raise InvalidAdapter("bias", "bias is not 'none': biases are not served; train without them.")
    rank, alpha, modules = config.get("r"), config.get("lora_alpha"), config.get("target_modules")
    if type(rank) is not int or not 1 <= rank <= max_rank:
        raise InvalidAdapter("r", f"The rank r is {str(rank)[:40]}: it must be 1 to {max_rank}, the largest rank this engine serves.")
    if type(alpha) is not int or not 1 <= alpha <= 4096:
        raise InvalidAdapter("lora_alpha", f"lora_alpha is {str(alpha)[:40]}: it must be a whole number from 1 to 4096.")
    if not isinstance(modules, list) or not modules or not all(isinstance(module, str) for module in modules):
        raise InvalidAdapter("target_modules", "target_modules must be a list of module names.")
    unknown = sorted(set(modules) - set(LINEARS))
    if unknown:
        raise InvalidAdapter("target_modules", f"target_modules holds {unknown[0][:40]!r}: only {', '.join(LINEARS)} are served.")
    return rank


def _check_tensors(tensors: Sequence[Tensor], rank: int, base: Base) -> set[str]:
    pairs: dict[str, dict[str, Tensor]] = {}
    modules = set()
    for tensor in tensors:
        match = _TENSOR.fullmatch(tensor.name)
        if not match or match[3] not in LINEARS or int(match[2]) >= base.layers:
            raise InvalidAdapter(tensor.name[:120], f"{tensor.name[:120]!r} is no LoRA weight of a linear layer of this base.")
        pairs.setdefault(match[1], {})[match[4]] = tensor
        modules.add(match[3])
    for module, halves in pairs.items():
        if set(halves) != {"A", "B"}:
            raise InvalidAdapter(module, f"{module} has only one half of its LoRA pair.")
        out, into = base.shapes.get(module, (halves["B"].shape[0], halves["A"].shape[-1]))
        if halves["A"].shape != (rank, into) or halves["B"].shape != (out, rank):
            raise InvalidAdapter(
                module,
                f"{module} is {halves['B'].shape} x {halves['A'].shape} in the adapter and {(out, rank)} x {(rank, into)} would fit this"
                " base: the adapter was trained for another one.",
            )
    return modules
