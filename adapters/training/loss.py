"""The loss: what the weights of examples do. Everything else of a training only serves this.

    loss of a step = sum over its examples i of  weight_i * sum over i's learnt tokens t of  nll_it,  divided by the step's learnt tokens

Rows are summed, never averaged, so it does not matter which examples share a row or how many rows make a step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from adapters.training.rendering import Lesson

ROUND = 64
"""Tokens. Rows are filled up to a multiple: libraries compile and keep something for each length that they meet."""


def filled(tokens: int) -> int:
    """How many there are after a row of so many is filled up."""
    return -(-tokens // ROUND) * ROUND


@dataclass(frozen=True)
class PackedRow:
    """`ids` and `positions` are [1, tokens], positions start at 0 with each example: so the model keeps the examples apart.

    `before` [learnt] are the places of the tokens that learnt ones follow, `targets` [learnt] the learnt ones, `weights` [learnt] theirs.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    before: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor


def packed(lessons: Sequence[Lesson], device: torch.device) -> PackedRow:
    ids = [token for lesson in lessons for token in lesson.ids]
    positions = [place for lesson in lessons for place in range(len(lesson.ids))]
    before: list[int] = []
    weights: list[float] = []
    start = 0
    for lesson in lessons:
        before += range(start + lesson.prompt - 1, start + len(lesson.ids) - 1)
        weights += [lesson.weight] * lesson.targets
        start += len(lesson.ids)
    # As an example of its own that nothing is learnt from.
    filler = filled(len(ids)) - len(ids)
    ids += ids[:1] * filler
    positions += range(filler)
    idle = filled(len(before)) - len(before)
    before += before[:1] * idle
    weights += [0.0] * idle
    return PackedRow(
        ids=torch.tensor([ids], device=device),
        positions=torch.tensor([positions], device=device),
        before=torch.tensor(before, device=device),
        targets=torch.tensor([ids[place + 1] for place in before], device=device),
        weights=torch.tensor(weights, dtype=torch.float32, device=device),
    )


def learnt_logits(model: Any, row: PackedRow) -> torch.Tensor:
    """[learnt, vocabulary]: of the places before learnt tokens only, as a large vocabulary's logits are what fills the memory."""
    # Without an attention mask, transformers finds the examples by their positions and makes a block-diagonal one.
    answer = model(input_ids=row.ids, position_ids=row.positions, use_cache=False, logits_to_keep=row.before)
    logits: torch.Tensor = answer.logits[0]
    return logits


def weighted_nll(logits: torch.Tensor, row: PackedRow) -> torch.Tensor:
    """The sum over a row of weight times negative log likelihood, in nats; to be divided by the learnt tokens of the step."""
    return (cross_entropy(logits.float(), row.targets, reduction="none") * row.weights).sum()


def keeps_apart(model: Any, lessons: Sequence[Lesson], device: torch.device) -> bool:
    """Whether the last of the lessons is the same to the model whatever stands before it in its row. Tried out: not every kind of
    attention can be told where an example ends."""
    *first, last = lessons
    others = [replace(lesson, ids=lesson.ids[::-1]) for lesson in first]
    start = sum(lesson.targets for lesson in first)
    model.eval()
    with torch.no_grad():
        answers = [learnt_logits(model, packed([*before, last], device)) for before in (first, others)]
    one, two = (answer[start : start + last.targets].float() for answer in answers)
    rounding = max(1e-3, 4 * torch.finfo(answers[0].dtype).eps)  # sums may come in another order
    return bool((one - two).abs().max() <= rounding * one.abs().max())
