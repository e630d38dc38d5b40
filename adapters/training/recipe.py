"""Every number that an adapter is trained with, and the sets of them that are known to be good. Light: imports no torch.

Where they come from: all linear layers, a learning rate about ten times that of full fine-tuning and nearly the same for every rank, few
examples a step (https://thinkingmachines.ai/blog/lora/); alpha is twice the rank and dropout 0.05, as TRL's and axolotl's tables say.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from adapters.training.errors import BadRecipe

Method = Literal["qlora", "lora"]
Decay = Literal["cosine", "linear"]
Optimizer = Literal["paged-adamw-8bit", "paged-adamw-32bit", "adamw"]

SERVED_AS: Mapping[str, str] = {"qlora": "bitsandbytes", "lora": "none"}
"""What the base that a method trains on is served with; part of the base's fingerprint."""


@dataclass(frozen=True)
class TrainingRecipe:
    """Raises BadRecipe where a number makes no sense. Two trainings with one recipe, dataset and base give the same adapter."""

    method: Method = "qlora"
    """qlora: the base in NF4 with double quantization, as it is served. lora: the base as it is."""
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    learning_rate: float = 2e-4
    """At its peak."""
    decay: Decay = "cosine"
    warmup: float = 0.05
    """Share of the steps over which the learning rate rises."""
    weight_decay: float = 0.0
    clip: float = 1.0
    """Largest norm of a step's gradient."""
    optimizer: Optimizer = "paged-adamw-8bit"
    """On CUDA. A CPU always gets torch's AdamW."""
    epochs: float = 2.0
    tokens: int = 4096
    """Of one optimizer step, accumulated over as many rows as it takes."""
    context_tokens: int = 2048
    """Prompt and reply together; also the longest row."""
    packing: bool = True
    """Several examples in one row, which do not see each other."""
    checkpointing: bool = True
    """Activations are computed twice instead of kept: less memory, a quarter more time."""
    eval_every: int = 0
    """Steps between two looks at the held-out loss; 0: four times an epoch."""
    patience: int = 3
    """Looks without a new best after which training stops; 0: never. The weights of the best look are kept either way."""
    held_out_examples: int = 256
    """How many held-out examples are looked at, evenly spread over the time."""
    seed: int = 0
    canaries: int = 4
    """Made-up sentences that are learnt too, so that the evaluation can tell how much is memorised; 0: none."""
    bare_too: bool = False
    """Each example once more as only its last message without an author, as callers of the bare API ask."""

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if type(value) not in (int, float) or not low <= value <= high:
                raise BadRecipe(f"{name} is {value}: it must be {low:g} to {high:g}.")
        for name, kind in (("method", Method), ("decay", Decay), ("optimizer", Optimizer)):
            if getattr(self, name) not in get_args(kind):
                raise BadRecipe(f"{name} is {getattr(self, name)}: it must be one of {', '.join(get_args(kind))}.")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def changed(self, settings: Mapping[str, str]) -> "TrainingRecipe":
        """With other values, as they are written on a command line. Raises BadRecipe."""
        kinds = {each.name: type(getattr(self, each.name)) for each in fields(self)}
        for name in settings:
            if name not in kinds:
                raise BadRecipe(f"A recipe has no {name}: it has {', '.join(kinds)}.")
        return replace(self, **{name: _read(name, text, kinds[name]) for name, text in settings.items()})


_RANGES: tuple[tuple[str, float, float], ...] = (
    ("rank", 1, 512),
    ("alpha", 1, 4096),
    ("dropout", 0, 0.9),
    ("learning_rate", 1e-8, 1),
    ("warmup", 0, 1),
    ("weight_decay", 0, 1),
    ("clip", 1e-3, 1e6),
    ("epochs", 0.01, 100),
    ("tokens", 16, 1 << 22),
    ("context_tokens", 16, 1 << 20),
    ("eval_every", 0, 1 << 20),
    ("patience", 0, 1 << 20),
    ("held_out_examples", 0, 1 << 20),
    ("seed", 0, 1 << 31),
    ("canaries", 0, 1000),
)


def _read(name: str, text: str, kind: type) -> Any:
    try:
        if kind is bool:
            return {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}[text.lower()]
        return kind(text)
    except (ValueError, KeyError) as exc:
        raise BadRecipe(f"{name} cannot be {text!r}: give {'true or false' if kind is bool else 'a number'}.") from exc


STORY_BASE = "Qwen/Qwen3-8B"

PRESETS: Mapping[str, TrainingRecipe] = {
    "qwen3-8b-r8": TrainingRecipe(rank=8, alpha=16),
    "qwen3-8b-r16": TrainingRecipe(rank=16, alpha=32),
    # A base of three layers, on two cores: a high learning rate and one pass, in half a minute.
    "demo": TrainingRecipe(
        rank=8,
        alpha=16,
        dropout=0.0,
        learning_rate=3e-3,
        decay="linear",
        epochs=1,
        tokens=1024,
        context_tokens=512,
        checkpointing=False,
        held_out_examples=128,
        canaries=4,
        bare_too=True,
    ),
}
