"""The training loop that bases and adapters share: weighted next-token loss, linear warm-up and decay, AdamW.

From scratch, the hidden matrices learn with Muon instead (https://kellerjordan.github.io/posts/muon/): it needs half the tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import LambdaLR

from adapters.demo.pretraining.encoding import Batch, Encoded, batches
from adapters.training.machine import has_fast_bfloat16

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


@dataclass(frozen=True)
class Schedule:
    """`epochs` passes over the examples in batches of at most `tokens` tokens; the learning rate peaks after `warmup` of the steps."""

    epochs: float
    tokens: int
    learning_rate: float
    muon_rate: float = 0.0
    """Muon's learning rate for the hidden matrices; 0 leaves everything to AdamW."""
    warmup: float = 0.05
    weight_decay: float = 0.0
    clip: float = 1.0
    seed: int = 0


def weighted_loss(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Mean next-token cross entropy in nats, each token counted with its weight; 0 where every weight is 0.

    `logits` are [examples, tokens, vocabulary] for `batch.ids`.
    """
    weights = batch.weights[:, 1:]
    learned = weights > 0
    losses = cross_entropy(logits[:, :-1][learned].float(), batch.ids[:, 1:][learned], reduction="none")
    return (losses * weights[learned]).sum() / weights.sum().clamp(min=1e-6)


def optimize(model: Any, encoded: Sequence[Encoded], schedule: Schedule, *, pad: int, progress: Progress) -> float:
    """Train what requires a gradient, in place; returns the mean loss of the last tenth of the steps, in nats per token."""
    rng = Random(schedule.seed)
    plan = _plan(encoded, schedule, pad, rng)
    trainable = [each for each in model.parameters() if each.requires_grad]
    optimizers = _optimizers(model, schedule)
    rates = [LambdaLR(each, lambda step: _rate(step, len(plan), schedule.warmup)) for each in optimizers]
    device = next(model.parameters()).device
    losses: list[float] = []
    model.train()
    for step, batch in enumerate(plan, start=1):
        batch = Batch(batch.ids.to(device), batch.mask.to(device), batch.weights.to(device))
        with torch.autocast(device.type, torch.bfloat16, enabled=has_fast_bfloat16(device.type)):
            logits = model(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False).logits
        loss = weighted_loss(logits, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trainable, schedule.clip)
        for optimizer, rate in zip(optimizers, rates, strict=True):
            optimizer.step()
            rate.step()
            optimizer.zero_grad(set_to_none=True)
        losses.append(float(loss.detach()))
        progress(step, len(plan))
    model.eval()
    last = losses[-max(1, len(losses) // 10) :]
    return sum(last) / len(last)


def _optimizers(model: Any, schedule: Schedule) -> list[torch.optim.Optimizer]:
    trainable = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    matrices = [each for name, each in trainable if schedule.muon_rate and each.ndim == 2 and "embed" not in name and "lm_head" not in name]
    theirs = {id(each) for each in matrices}
    rest = [each for _, each in trainable if id(each) not in theirs]
    adam = torch.optim.AdamW(rest, lr=schedule.learning_rate, weight_decay=schedule.weight_decay, betas=(0.9, 0.98))
    return [torch.optim.Muon(matrices, lr=schedule.muon_rate, weight_decay=0.0), adam] if matrices else [adam]


def _plan(encoded: Sequence[Encoded], schedule: Schedule, pad: int, rng: Random) -> list[Batch]:
    plan: list[Batch] = []
    left = schedule.epochs
    while left > 0:
        epoch = list(batches(encoded, tokens=schedule.tokens, pad=pad, rng=rng))
        plan += epoch[: round(len(epoch) * min(1.0, left))]
        left -= 1
    return plan


def _rate(step: int, steps: int, warmup: float) -> float:
    rising = max(1, round(steps * warmup))
    return (step + 1) / rising if step < rising else max(0.02, (steps - step) / max(1, steps - rising))
