"""Whether a training fits into memory, told from a model's configuration before anything of it is loaded. Pure.

Counts what autograd keeps for a decoder of the Llama and Qwen kind with a LoRA on all its linear layers. The constants were compared with
measured peaks on a CPU (tests/adapters/training/test_fit.py); they lean to too much.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from adapters.training.errors import DoesNotFit, WrongBase
from adapters.training.recipe import TrainingRecipe

NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes of a weight: 4 bits, an 8-bit scale per 64, a 32-bit one per 256 scales."""
_LOGIT = 16
"""Bytes of one logit: itself, in float32, its softmax, and the gradients of both."""
_WORKSPACE = 0.2
"""Share of what is kept, for what is computed with it."""
_LIBRARIES = 300_000_000
"""Bytes that matrix libraries take for themselves."""
_SMALLEST_CONTEXT = 256


@dataclass(frozen=True)
class ModelSize:
    """Of a decoder: widths, layers and vocabulary. `queries` and `keys` are the widths of the attention's projections."""

    hidden: int
    intermediate: int
    queries: int
    keys: int
    layers: int
    vocabulary: int
    tied: bool

    @property
    def linears(self) -> tuple[tuple[int, int], ...]:
        """(in, out) of the linear layers of one decoder layer."""
        h, i, q, k = self.hidden, self.intermediate, self.queries, self.keys
        return (h, q), (h, k), (h, k), (q, h), (h, i), (h, i), (i, h)

    @property
    def linear_weights(self) -> int:
        return self.layers * sum(into * out for into, out in self.linears)

    @property
    def other_weights(self) -> int:
        return self.vocabulary * self.hidden * (1 if self.tied else 2)


def read_size(config: Mapping[str, Any]) -> ModelSize:
    """From a config.json, or its `text_config`. Raises WrongBase."""
    config = config.get("text_config") or config
    try:
        hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
        head_dim = int(config.get("head_dim") or hidden // heads)
        return ModelSize(
            hidden=hidden,
            intermediate=int(config["intermediate_size"]),
            queries=heads * head_dim,
            keys=int(config.get("num_key_value_heads") or heads) * head_dim,
            layers=int(config["num_hidden_layers"]),
            vocabulary=int(config["vocab_size"]),
            tied=bool(config.get("tie_word_embeddings", False)),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise WrongBase(f"The base's config.json does not say how large it is ({exc!r}): take a decoder-only language model.") from exc


@dataclass(frozen=True)
class Load:
    """What a training asks of a machine beside its recipe: the largest row, how much of one is learnt, and what is multiplied where."""

    row_tokens: int
    row_targets: int
    cuda: bool
    number: int
    """Bytes of a number that is multiplied: 2 or 4."""


@dataclass(frozen=True)
class Estimate:
    """Bytes."""

    weights: int
    adapter: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        work = self.activations + self.logits
        return self.weights + self.adapter + work + round(_WORKSPACE * work) + _LIBRARIES


def estimate(size: ModelSize, recipe: TrainingRecipe, load: Load) -> Estimate:
    linear = NF4 if recipe.method == "qlora" and load.cuda else load.number
    lora = size.layers * recipe.rank * sum(into + out for into, out in size.linears)
    kept = _kept_by_a_layer(size, recipe, load)
    per_token = size.layers * load.number * size.hidden + kept if recipe.checkpointing else size.layers * kept
    return Estimate(
        weights=round(size.linear_weights * linear + size.other_weights * load.number),
        adapter=lora * (4 + 4 + _optimizer_bytes(recipe, load) + (0 if load.cuda else 4)),  # weight, gradient, AdamW, the best so far
        activations=load.row_tokens * per_token,
        logits=load.row_targets * size.vocabulary * _LOGIT,
    )


def _kept_by_a_layer(size: ModelSize, recipe: TrainingRecipe, load: Load) -> int:
    """Bytes per token: two norms in float32, the inputs of the LoRAs, queries, keys and values, the gated product, the mask."""
    s = load.number
    norms = 2 * 4 * size.hidden + 4 * (size.queries + size.keys)
    inputs = s * (5 * size.hidden + size.queries + size.intermediate)
    attention = s * (4 * size.queries + 2 * size.keys) + (1 + s) * load.row_tokens
    gated = 3 * s * size.intermediate
    dropped = sum(into for into, _ in size.linears) * (4 + s) if recipe.dropout else 0
    return norms + inputs + attention + gated + dropped


def _optimizer_bytes(recipe: TrainingRecipe, load: Load) -> int:
    return 2 if load.cuda and recipe.optimizer == "paged-adamw-8bit" else 8


def check_fit(size: ModelSize, recipe: TrainingRecipe, load: Load, *, free: int, total: int) -> str:
    """Such as "8B, rank 16, 2,048 tokens: 9.6 GB of 24 GB". Raises DoesNotFit, with what would make it fit."""
    needed = estimate(size, recipe, load).total
    what = f"{_count(size.linear_weights + size.other_weights)}, rank {recipe.rank}, {load.row_tokens:,} tokens"
    if needed <= free:
        return f"{what}: {gigabytes(needed)} of {gigabytes(total)}"
    fitting = next((said for said, other, lighter in _lighter(recipe, load) if estimate(size, other, lighter).total <= free), None)
    advice = f"set {fitting}" if fitting else "take a smaller base or a larger machine"
    raise DoesNotFit(f"{what} need {gigabytes(needed)}, and {gigabytes(free)} of {gigabytes(total)} are free: {advice}.")


def _lighter(recipe: TrainingRecipe, load: Load) -> Iterator[tuple[str, TrainingRecipe, Load]]:
    """What can be given up, the cheapest first; each with what was given up before it."""
    said = ""
    if not recipe.checkpointing:
        recipe, said = replace(recipe, checkpointing=True), "checkpointing to true"
        yield said, recipe, load
    if load.cuda and recipe.method == "lora":
        recipe, said = replace(recipe, method="qlora"), _and(said, "method to qlora")
        yield said, recipe, load
    tokens = load.row_tokens
    while tokens // 2 >= _SMALLEST_CONTEXT:
        tokens //= 2
        shorter = replace(load, row_tokens=tokens, row_targets=load.row_targets * tokens // load.row_tokens)
        yield _and(said, f"context_tokens to {tokens}"), recipe, shorter


def _and(said: str, more: str) -> str:
    return f"{said} and {more}" if said else more


def gigabytes(count: int) -> str:
    """In units of 10^9 bytes, the way memory is sold; small amounts in 10^6."""
    if count < 100_000_000:
        return f"{count / 1e6:.0f} MB"
    return f"{count / 1e9:.1f} GB".replace(".0 GB", " GB")


def _count(weights: int) -> str:
    return f"{weights / 1e9:.0f}B" if weights >= 1e9 else f"{weights / 1e6:.0f}M"
