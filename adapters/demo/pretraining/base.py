"""Trains a small base from scratch: a Qwen3 architecture of a few million parameters, saved as an ordinary model directory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

from adapters.demo.pretraining.encoding import Chat, encode
from adapters.demo.pretraining.optimize import Progress, Schedule, optimize
from adapters.demo.pretraining.tokenizer import END_OF_TEXT, train_tokenizer


@dataclass(frozen=True)
class BaseRecipe:
    """Sizes are multiples of 64, so that 4-bit blocks do not straddle rows."""

    schedule: Schedule
    vocabulary: int = 2048
    hidden: int = 256
    layers: int = 4
    intermediate: int = 768
    context_length: int = 2048
    prompt_weight: float = 0.3
    """What predicting the other speakers' words is worth, beside 1 for the model's own."""


def train_base(chats: Sequence[Chat], out: Path, recipe: BaseRecipe, progress: Progress) -> float:
    """Train on chats that end with the assistant's turn and save to `out`; returns the last loss, in nats per token."""
    torch.manual_seed(recipe.schedule.seed)
    texts = (message["content"] for chat in chats for message in chat)
    tokenizer = train_tokenizer(texts, recipe.vocabulary, recipe.context_length)
    encoded = [encode(tokenizer, chat[:-1], chat[-1]["content"], weight=1.0, prompt_weight=recipe.prompt_weight) for chat in chats]
    model = _new_model(recipe, tokenizer)
    loss = optimize(model, encoded, recipe.schedule, pad=tokenizer.pad_token_id, progress=progress)
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)
    return loss


def _new_model(recipe: BaseRecipe, tokenizer: Any) -> Any:
    heads = recipe.hidden // 64
    config = Qwen3Config(
        vocab_size=recipe.vocabulary,
        hidden_size=recipe.hidden,
        num_hidden_layers=recipe.layers,
        intermediate_size=recipe.intermediate,
        num_attention_heads=heads,
        num_key_value_heads=max(1, heads // 2),
        head_dim=64,
        max_position_embeddings=recipe.context_length,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    model = Qwen3ForCausalLM(config)
    ends = [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(END_OF_TEXT)]
    # What a server samples with where the caller does not say: so small a model rambles at temperature 1.
    sampling = {"do_sample": True, "temperature": 0.7, "top_p": 0.9}
    model.generation_config = GenerationConfig(eos_token_id=ends, pad_token_id=tokenizer.pad_token_id, **sampling)
    return model
