"""What an adapter's configuration may say, and how ours is written.

The configuration that is stored is written anew from the few fields that are served, so what a stranger put into the file never
reaches PEFT or vLLM. A field that would change what is computed is refused by name; so is one that nobody here knows, if it says
anything. Pure.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.registry import strict_json
from adapters.registry.errors import InvalidAdapter
from adapters.registry.strict_json import shown

FILE = "adapter_config.json"
MAX_BYTES = 64 << 10
LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
MAX_ALPHA = 4096
_DEPTH, _BRACKETS = 16, 4096
_FINGERPRINT = "sha256:"

_READ = {"peft_type", "task_type", "base_model_name_or_path", "r", "lora_alpha", "target_modules", "bias", "use_rslora"}

_SAYS_NOTHING = {
    "corda_config", "ensure_weight_tying", "eva_config", "exclude_modules", "inference_mode", "layers_pattern",
    "loftq_config", "lora_dropout", "lora_ga_config", "peft_version", "qalora_group_size", "revision", "runtime_config", "velora_config",
}  # fmt: skip
"""PEFT writes these, and they concern training, or a way to start that `init_lora_weights` names: whatever they say is left out."""

_ONLY_DEFAULTS: Mapping[str, tuple[Any, ...]] = {
    "megatron_core": (None, "megatron.core"),
    # The other ways to start change the weights of the base as well, and the shared base is as it was.
    "init_lora_weights": (None, True, False, "gaussian", "orthogonal", "eva", "mica"),
}
"""PEFT writes these with a default that is not empty; anything else is refused."""


@dataclass(frozen=True)
class LoraConfig:
    """What was read, and is served. `target_modules` are sorted."""

    rank: int
    alpha: int
    target_modules: tuple[str, ...]
    use_rslora: bool

    @property
    def scale(self) -> float:
        """What the product of a pair is multiplied with."""
        return self.alpha / (self.rank**0.5 if self.use_rslora else self.rank)

    def canonical(self, base_fingerprint: str) -> bytes:
        """The bytes that are stored: the same for the same adapter, wherever it was trained."""
        fields = {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": base_fingerprint,
            "r": self.rank,
            "lora_alpha": self.alpha,
            "target_modules": list(self.target_modules),
            "bias": "none",
            "use_rslora": self.use_rslora,
        }
        return (json.dumps(fields, indent=1, sort_keys=True) + "\n").encode()


def read_config(text: bytes, *, base_fingerprint: str, max_rank: int) -> LoraConfig:
    """Read the configuration as PEFT writes it. Raises InvalidAdapter, naming the field."""
    config = _parse(text)
    _check_fields(config)
    _check_base(config.get("base_model_name_or_path"), base_fingerprint)
    return LoraConfig(
        rank=_rank(config.get("r"), max_rank),
        alpha=_alpha(config.get("lora_alpha")),
        target_modules=_target_modules(config.get("target_modules")),
        use_rslora=_flag("use_rslora", config.get("use_rslora")),
    )


def _parse(text: bytes) -> dict[str, Any]:
    if len(text) > MAX_BYTES:
        raise InvalidAdapter(FILE, f"{FILE} is larger than {MAX_BYTES} bytes: save the adapter again with PEFT.")
    try:
        config = strict_json.parse(text, depth=_DEPTH, brackets=_BRACKETS)
    except ValueError as exc:
        raise InvalidAdapter(FILE, f"{FILE} {exc}: save the adapter again with PEFT.") from exc
    if not isinstance(config, dict):
        raise InvalidAdapter(FILE, f"{FILE} is not a JSON object: save the adapter again with PEFT.")
    return config


def _check_fields(config: Mapping[str, Any]) -> None:
    if config.get("peft_type") != "LORA":
        raise InvalidAdapter("peft_type", f"peft_type is {shown(config.get('peft_type'))}: only LORA adapters are served.")
    if config.get("task_type") not in (None, "CAUSAL_LM"):
        raise InvalidAdapter("task_type", f"task_type is {shown(config['task_type'])}: only CAUSAL_LM adapters are served.")
    if config.get("bias", "none") != "none":
        raise InvalidAdapter("bias", f"bias is {shown(config['bias'])}: biases are not served, train with 'none'.")
    for key, value in config.items():
        if key in _READ or key in _SAYS_NOTHING:
            continue
        if key in _ONLY_DEFAULTS:
            if not any(type(value) is type(default) and value == default for default in _ONLY_DEFAULTS[key]):
                raise InvalidAdapter(key, f"{key} is {shown(value)} in {FILE}: adapters that need it are not served, train without it.")
        elif value:
            raise InvalidAdapter(key, f"{shown(key)} is set in {FILE}: adapters that use it are not served, train without it.")


def _check_base(name: Any, fingerprint: str) -> None:
    """A name or a path says nothing about what lies there; a fingerprint does."""
    if name is not None and not isinstance(name, str):
        raise InvalidAdapter("base_model_name_or_path", f"base_model_name_or_path is {shown(name)}: it must be a name or left out.")
    if name and name.startswith(_FINGERPRINT) and name != fingerprint:
        raise InvalidAdapter(
            "base_model_name_or_path",
            f"The adapter was made for another base ({shown(name[:23])}…, and {fingerprint[:23]}… is served): train it on this one.",
        )


def _rank(rank: Any, most: int) -> int:
    if type(rank) is not int or not 1 <= rank <= most:
        raise InvalidAdapter("r", f"The rank r is {shown(rank)}: it must be 1 to {most}, the largest rank this engine serves.")
    return rank


def _alpha(alpha: Any) -> int:
    """PEFT takes a float as well; one that is whole is the same number."""
    if type(alpha) not in (int, float) or alpha != int(alpha) or not 1 <= alpha <= MAX_ALPHA:
        raise InvalidAdapter("lora_alpha", f"lora_alpha is {shown(alpha)}: it must be a whole number from 1 to {MAX_ALPHA}.")
    return int(alpha)


def _flag(name: str, value: Any) -> bool:
    if value is not None and type(value) is not bool:
        raise InvalidAdapter(name, f"{name} is {shown(value)}: it must be true or false.")
    return bool(value)


def _target_modules(modules: Any) -> tuple[str, ...]:
    if isinstance(modules, str):
        raise InvalidAdapter("target_modules", f"target_modules is the pattern {shown(modules)}: list the modules by name instead.")
    if not isinstance(modules, list) or not modules or not all(isinstance(module, str) for module in modules):
        raise InvalidAdapter("target_modules", f"target_modules is {shown(modules)}: it must be a list of module names.")
    unknown = sorted(set(modules) - set(LINEARS))
    if unknown:
        raise InvalidAdapter("target_modules", f"target_modules holds {shown(unknown[0])}: only {', '.join(LINEARS)} are served.")
    if len(set(modules)) != len(modules):
        raise InvalidAdapter("target_modules", "target_modules names a module twice: name each once.")
    return tuple(sorted(modules))
