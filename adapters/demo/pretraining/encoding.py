"""Turns chats into tokens with a weight each, and those into padded batches. Knows the tokenizer, not the model.

A weight scales a token's loss: 0 for what is only read, an example's weight for what is learned.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import torch

Chat = list[dict[str, str]]


@dataclass(frozen=True)
class Encoded:
    """Token ids and, of the same length, what predicting each is worth."""

    ids: list[int]
    weights: list[float]


@dataclass(frozen=True)
class Batch:
    """`ids` and `mask` are int64 [examples, tokens], `weights` float32 of the same shape; padded on the right, where weights are 0."""

    ids: torch.Tensor
    mask: torch.Tensor
    weights: torch.Tensor


def encode(tokenizer: Any, chat: Chat, target: str, *, weight: float, prompt_weight: float = 0.0, limit: int = 512) -> Encoded:
    """`chat` through the tokenizer's own template, then the target and the end of turn. Longer than `limit`: the start is cut."""
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    before: list[int] = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    after: list[int] = [*tokenizer(target, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    weights = [prompt_weight] * len(before) + [weight] * len(after)
    return Encoded((before + after)[-limit:], weights[-limit:])


def batches(encoded: Sequence[Encoded], *, tokens: int, pad: int, rng: Random) -> Iterator[Batch]:
    """One pass in random order: examples of similar length together, at most `tokens` tokens a batch, padding included."""
    order = sorted(encoded, key=lambda each: len(each.ids) + rng.random())
    groups: list[list[Encoded]] = []
    for each in order:
        if groups and len(each.ids) * (len(groups[-1]) + 1) <= tokens:
            groups[-1].append(each)
        else:
            groups.append([each])
    rng.shuffle(groups)
    for group in groups:
        yield _pad(group, pad)


def _pad(group: Sequence[Encoded], pad: int) -> Batch:
    width = max(len(each.ids) for each in group)
    return Batch(
        ids=torch.tensor([each.ids + [pad] * (width - len(each.ids)) for each in group]),
        mask=torch.tensor([[1] * len(each.ids) + [0] * (width - len(each.ids)) for each in group]),
        weights=torch.tensor([each.weights + [0.0] * (width - len(each.weights)) for each in group]),
    )
