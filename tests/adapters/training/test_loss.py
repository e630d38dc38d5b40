"""The weights of examples, seen where they have to arrive: in the gradient. All in float32."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from adapters.training.loop import Course, one_step
from adapters.training.loss import keeps_apart, learnt_logits, packed, weighted_nll
from adapters.training.machine import Machine
from adapters.training.packing import Step
from adapters.training.recipe import TrainingRecipe
from adapters.training.rendering import Lesson

CPU = torch.device("cpu")
LESSONS = (
    Lesson((5, 6, 7, 8, 9, 10), 4, 1.0),
    Lesson((40, 41, 42, 43, 44, 45, 46, 47), 3, 1.0),
    Lesson((100, 101, 102), 1, 1.0),
)
ALONE: Step = ((0,), (1,), (2,))
TOGETHER: Step = ((0, 1, 2),)
BOTH: Step = ((0, 1), (2,))


class Float32(Machine):
    @property
    def dtype(self) -> torch.dtype:
        return torch.float32


@pytest.fixture(scope="module")
def model(base: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)


class Recorder(torch.optim.SGD):
    """Moves nothing and keeps the gradient that it was given."""

    seen: torch.Tensor

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        found = [each.grad for group in self.param_groups for each in group["params"]]
        self.seen = torch.cat([each.flatten().clone() for each in found])


def gradient(model: Any, lessons: tuple[Lesson, ...], step: Step) -> torch.Tensor:
    """What one step of the real loop gives its optimizer."""
    recorder = Recorder(model.parameters(), lr=1.0)
    course = Course(model, recorder, lessons, [step], [], [], 1, TrainingRecipe(clip=1e6), Float32(CPU, "cpu", 1, 0, 0))
    one_step(course, step)
    return recorder.seen


def weighted(*weights: float) -> tuple[Lesson, ...]:
    return tuple(replace(lesson, weight=weight) for lesson, weight in zip(LESSONS, weights, strict=True))


def test_weights_of_one_are_the_plain_loss(model: Any) -> None:
    """The same number as transformers' own loss on the same tokens, prompts masked out."""
    losses, tokens = 0.0, 0
    for lesson in LESSONS:
        labels = torch.tensor([[-100] * lesson.prompt + list(lesson.ids[lesson.prompt :])])
        losses += float(model(input_ids=torch.tensor([lesson.ids]), labels=labels).loss.detach()) * lesson.targets
        tokens += lesson.targets
    row = packed(LESSONS, CPU)
    ours = float(weighted_nll(learnt_logits(model, row), row).detach()) / tokens
    assert ours == pytest.approx(losses / tokens, rel=1e-6)


@pytest.mark.parametrize("step", [ALONE, TOGETHER, BOTH], ids=["accumulated", "packed", "packed and accumulated"])
def test_a_double_weight_moves_twice_as_far(model: Any, step: Step) -> None:
    """What an example adds to the gradient is doubled with its weight, whatever shares its row or its step."""
    without, once, twice = (gradient(model, weighted(weight, 1.0, 0.5), step) for weight in (0.0, 1.0, 2.0))
    torch.testing.assert_close(twice - without, 2 * (once - without), rtol=1e-4, atol=1e-6)
    assert float((once - without).norm()) > 1e-2


def test_a_weight_alone_in_a_step_scales_it_bit_for_bit(model: Any) -> None:
    """There is no division by the weights that would take it back."""
    once, twice = (gradient(model, (replace(LESSONS[0], weight=weight),), ((0,),)) for weight in (1.0, 2.0))
    assert torch.equal(twice, 2 * once)


def test_an_example_without_weight_moves_nothing(model: Any) -> None:
    """Its tokens count in the mean, its words do not."""
    both = gradient(model, weighted(1.0, 0.0, 0.0), TOGETHER)
    tokens = sum(lesson.targets for lesson in LESSONS)
    alone = gradient(model, LESSONS[:1], ((0,),)) * LESSONS[0].targets / tokens
    torch.testing.assert_close(both, alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("step", [TOGETHER, BOTH], ids=["packed", "packed and accumulated"])
def test_rows_do_not_change_the_gradient(model: Any, step: Step) -> None:
    """Three rows of one example, or one of three: the optimizer sees the same step."""
    lessons = weighted(0.3, 1.0, 2.0)
    torch.testing.assert_close(gradient(model, lessons, step), gradient(model, lessons, ALONE), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_logits_are_those_of_each_example_alone(base: Path, attention: str) -> None:
    """Examples in one row do not see each other, and each starts at position 0."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation=attention)
    together = learnt_logits(model, packed(LESSONS, CPU))
    start = 0
    for lesson in LESSONS:
        alone = model(input_ids=torch.tensor([lesson.ids])).logits[0, lesson.prompt - 1 : -1]
        torch.testing.assert_close(together[start : start + lesson.targets], alone, rtol=1e-4, atol=1e-5)
        start += lesson.targets


class Leaking(torch.nn.Module):
    """A model that does not look at positions, so that everything in a row is one text to it."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, *, position_ids: torch.Tensor, **inputs: Any) -> Any:
        return self.model(**inputs)


def test_a_model_that_mixes_examples_is_found_out(model: Any) -> None:
    """Tried before a training: what stands before an example must not change its logits."""
    assert keeps_apart(model, LESSONS, CPU)
    assert not keeps_apart(Leaking(model), LESSONS, CPU)


class Rounding(torch.nn.Module):
    """A model in half precision whose logits are off by one rounding every other time."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model, self.calls = model, 0

    def forward(self, **inputs: Any) -> Any:
        answer = self.model(**inputs)
        self.calls += 1
        answer.logits = answer.logits * (1 + self.calls % 2 * torch.finfo(torch.bfloat16).eps)
        return answer


def test_a_rounding_is_not_taken_for_mixing(base: Path) -> None:
    """Threads may sum in another order the next time; who mixes is found out in half precision, too."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    assert keeps_apart(Rounding(model), LESSONS, CPU)
    assert not keeps_apart(Leaking(model), LESSONS, CPU)
