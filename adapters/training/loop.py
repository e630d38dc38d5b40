"""The training loop: steps over a plan, looks at the held-out loss, and the decision to stop. Pure decisions first, then the loop.

Knows no files: what happens after a step (a line in a file, a checkpoint, a progress bar) is the caller's.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import torch

from adapters.training.checkpoint import Loss, State
from adapters.training.errors import Diverged
from adapters.training.loss import learnt_logits, packed, weighted_nll
from adapters.training.machine import Machine
from adapters.training.model import lora_weights
from adapters.training.packing import Row, Step
from adapters.training.recipe import TrainingRecipe
from adapters.training.rendering import Lesson


def rate(step: int, steps: int, recipe: TrainingRecipe) -> float:
    """Share of the learning rate for the step (0 is the first): a straight rise, then a cosine or a line down to nearly nothing."""
    rising = max(1, round(steps * recipe.warmup))
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    left = (1 + math.cos(math.pi * done)) / 2 if recipe.decay == "cosine" else 1 - done
    return max(0.02, left)


def best_step(losses: Sequence[Loss]) -> int:
    """The step with the lowest held-out loss, the earlier of equals; the last one where nobody looked."""
    seen = [(each.held_out, each.step) for each in losses if each.held_out is not None]
    return min(seen)[1] if seen else losses[-1].step


def is_over(losses: Sequence[Loss], patience: int) -> bool:
    """Whether the last `patience` looks were all worse than an earlier one."""
    looks = [each.step for each in losses if each.held_out is not None]
    return bool(patience and looks and len(looks) - 1 - looks.index(best_step(losses)) >= patience)


@dataclass(frozen=True)
class Course:
    """Everything that stays the same from the first step to the last."""

    model: Any
    optimizer: torch.optim.Optimizer
    lessons: Sequence[Lesson]
    plan: Sequence[Step]
    held_out: Sequence[Lesson]
    held_out_rows: Sequence[Row]
    eval_every: int
    recipe: TrainingRecipe
    machine: Machine


def run(course: Course, state: State, after_step: Callable[[State], None]) -> None:
    """Train in place, from where `state` stands to the end of the plan or until it is over. Raises Diverged."""
    steps = len(course.plan)
    if not state.losses and state.held_out_before is None and course.held_out_rows:
        state.held_out_before = held_out_loss(course)
    while state.step < steps and not is_over(state.losses, course.recipe.patience):
        started = perf_counter()
        place = state.step
        for group in course.optimizer.param_groups:
            group["lr"] = course.recipe.learning_rate * rate(place, steps, course.recipe)
        loss = Loss(place + 1, one_step(course, course.plan[place]))
        state.seconds += perf_counter() - started
        state.tokens += sum(len(course.lessons[each].ids) for row in course.plan[place] for each in row)
        if course.held_out_rows and ((place + 1) % course.eval_every == 0 or place + 1 == steps):
            loss = replace(loss, held_out=held_out_loss(course))
        state.losses.append(loss)
        if loss.held_out is not None and best_step(state.losses) == loss.step:
            state.best = lora_weights(course.model)
        after_step(state)


def one_step(course: Course, step: Step) -> float:
    """One move of the optimizer; returns the loss that it moved against."""
    course.model.train()
    total = sum(course.lessons[place].targets for row in step for place in row)
    loss = 0.0
    for row in step:
        part = row_loss(course, [course.lessons[place] for place in row]) / total
        part.backward()  # type: ignore[no-untyped-call]
        loss += float(part.detach())
    if not math.isfinite(loss):
        raise Diverged(f"The loss is {loss} now: lower `learning_rate` and start again.")
    trainable = [each for group in course.optimizer.param_groups for each in group["params"]]
    torch.nn.utils.clip_grad_norm_(trainable, course.recipe.clip)
    course.optimizer.step()
    course.optimizer.zero_grad(set_to_none=True)
    return loss


def held_out_loss(course: Course) -> float:
    """The same weighted mean, over the held-out examples, without dropout."""
    course.model.eval()
    total = sum(lesson.targets for lesson in course.held_out)
    with torch.no_grad():
        return sum(float(row_loss(course, [course.held_out[place] for place in row])) for row in course.held_out_rows) / total


def row_loss(course: Course, lessons: Sequence[Lesson]) -> torch.Tensor:
    device = course.machine.device
    row = packed(lessons, device)
    with torch.autocast(device.type, torch.bfloat16, enabled=course.machine.dtype == torch.bfloat16):
        logits = learnt_logits(course.model, row)
    return weighted_nll(logits, row)
