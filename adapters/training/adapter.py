"""Trains one community's LoRA on a base, against the very 4-bit weights that it will be served with.

The base is a directory or a hub id. Its linear layers are rounded to NF4 and back once, tensor by tensor, as vLLM's bitsandbytes loader
does when it serves them, and stay frozen. Knows nothing of where examples come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from adapters.conversation import Turn, to_chat
from adapters.curation.dataset import Example
from adapters.training.encoding import Encoded, encode
from adapters.training.machine import has_fast_bfloat16
from adapters.training.model import round_to_nf4
from adapters.training.optimize import Progress, Schedule, optimize

__all__ = ["LINEAR", "AdapterRecipe", "encode_example", "round_to_nf4", "train_adapter"]

LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class AdapterRecipe:
    """`quantization` is what the base is served in: "nf4" or "none"."""

    schedule: Schedule
    rank: int = 8
    alpha: int = 16
    quantization: str = "nf4"
    context_tokens: int = 512
    base_name: str = ""
    """What the adapter's config calls the base; empty: what `train_adapter` was given."""


def train_adapter(base: str | Path, examples: Sequence[Example], out: Path, recipe: AdapterRecipe, progress: Progress) -> float:
    """Train on the examples and save `adapter_config.json` and `adapter_model.safetensors` to `out`; returns the last loss."""
    torch.manual_seed(recipe.schedule.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if has_fast_bfloat16(device) else torch.float32
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype).to(device)
    if recipe.quantization == "nf4":
        round_to_nf4(model)
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        target_modules=list(LINEAR),
        task_type="CAUSAL_LM",
        bias="none",
    )
    peft_model = get_peft_model(model, config)
    config.base_model_name_or_path = recipe.base_name or str(base)
    encoded = [each for example in examples for each in encode_example(tokenizer, example, recipe.context_tokens)]
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    loss = optimize(peft_model, encoded, recipe.schedule, pad=pad, progress=progress)
    peft_model.save_pretrained(out, save_embedding_layers=False)
    (out / "README.md").unlink(missing_ok=True)
    return loss


def encode_example(tokenizer: Any, example: Example, limit: int) -> list[Encoded]:
    """The example as a chat client would send it, and again as a caller of the bare API would: the last message, no author."""
    last = example.turns[-1]
    shapes = (to_chat(example.turns), to_chat([Turn("", last.text)]))
    return [encode(tokenizer, chat, example.target, weight=example.weight, limit=limit) for chat in shapes if chat]
