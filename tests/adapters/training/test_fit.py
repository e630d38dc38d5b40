"""The estimate of a training's memory, and a measured peak beside it."""

import multiprocessing
from dataclasses import replace
from multiprocessing.connection import Connection

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from adapters.training.errors import DoesNotFit, WrongBase
from adapters.training.fit import Load, ModelSize, check_fit, estimate, gigabytes, read_size
from adapters.training.loop import Course, one_step
from adapters.training.machine import Machine, peak_memory, start_measuring
from adapters.training.model import add_lora, make_optimizer
from adapters.training.recipe import PRESETS, TrainingRecipe
from adapters.training.rendering import Lesson

GB = 10**9
QWEN3_8B = ModelSize(hidden=4096, intermediate=12288, queries=4096, keys=1024, layers=36, vocabulary=151936, tied=False)
STORY = Load(row_tokens=2048, row_targets=512, cuda=True, number=2)
SMALL = Qwen3Config(
    vocab_size=16000,
    hidden_size=512,
    num_hidden_layers=4,
    intermediate_size=1536,
    num_attention_heads=8,
    num_key_value_heads=4,
    head_dim=64,
    max_position_embeddings=2048,
    tie_word_embeddings=False,
)


def test_the_story_fits_a_card_of_24_gb() -> None:
    """Qwen3-8B in NF4 with a rank of 16; said in one line."""
    said = check_fit(QWEN3_8B, PRESETS["qwen3-8b-r16"], STORY, free=23 * GB, total=24 * GB)
    assert said.startswith("8B, rank 16, 2,048 tokens: ")
    assert said.endswith(" of 24 GB")
    assert 8.5 < float(said.split()[5]) < 11


def test_weights_are_those_of_the_model() -> None:
    """8.2 billion of them, as the model's card says; NF4 takes a bit more than half a byte of each linear one, and embeddings stay."""
    assert QWEN3_8B.linear_weights + QWEN3_8B.other_weights == pytest.approx(8.19e9, rel=0.01)
    assert estimate(QWEN3_8B, PRESETS["qwen3-8b-r16"], STORY).weights == pytest.approx(6.07 * GB, rel=0.01)


@pytest.mark.parametrize(
    ("free", "recipe", "advice"),
    [
        (15 * GB, TrainingRecipe(checkpointing=False), "set checkpointing to true"),
        (15 * GB, TrainingRecipe(method="lora"), "set method to qlora"),
        (9 * GB, TrainingRecipe(), "set context_tokens to 1024"),
        (2 * GB, TrainingRecipe(), "take a smaller base or a larger machine"),
    ],
)
def test_what_does_not_fit_is_told_what_would(free: int, recipe: TrainingRecipe, advice: str) -> None:
    """Before anything is loaded: how much is needed, how much there is, and the smallest change that fits."""
    with pytest.raises(DoesNotFit, match=rf"8B, rank 16, 2,048 tokens need .* are free: {advice}\.$"):
        check_fit(QWEN3_8B, recipe, STORY, free=free, total=16 * GB)


@pytest.mark.parametrize(
    "more",
    [
        {"load": replace(STORY, row_tokens=4096)},
        {"load": replace(STORY, row_targets=2048)},
        {"load": replace(STORY, cuda=False, number=4)},
        {"recipe": replace(PRESETS["qwen3-8b-r16"], rank=64)},
        {"recipe": replace(PRESETS["qwen3-8b-r16"], checkpointing=False)},
        {"recipe": replace(PRESETS["qwen3-8b-r16"], method="lora")},
        {"recipe": replace(PRESETS["qwen3-8b-r16"], optimizer="adamw")},
    ],
)
def test_more_takes_more(more: dict[str, object]) -> None:
    """Longer rows, more to learn, wider numbers, a larger rank, activations that are kept."""
    plain: dict[str, object] = {"recipe": PRESETS["qwen3-8b-r16"], "load": STORY}
    assert estimate(QWEN3_8B, **{**plain, **more}).total > estimate(QWEN3_8B, **plain).total  # type: ignore[arg-type]


def test_a_size_is_read_from_a_configuration() -> None:
    """Also where the text part has one of its own; one that says nothing is refused."""
    size = read_size(SMALL.to_dict())
    weights = sum(each.numel() for name, each in Qwen3ForCausalLM(SMALL).named_parameters() if "norm" not in name)
    assert size.linear_weights + size.other_weights == weights
    assert read_size({"text_config": SMALL.to_dict()}) == size
    with pytest.raises(WrongBase, match="does not say how large"):
        read_size({"hidden_size": 1})


@pytest.mark.parametrize(("count", "said"), [(9_640_000_000, "9.6 GB"), (24 * GB, "24 GB"), (44_000_000, "44 MB")])
def test_memory_is_said_as_it_is_sold(count: int, said: str) -> None:
    """In units of 1000."""
    assert gigabytes(count) == said


class Float32(Machine):
    @property
    def dtype(self) -> torch.dtype:
        return torch.float32


def measure(answer: Connection, recipe: TrainingRecipe, tokens: int, targets: int) -> None:
    """What one step adds to a process that has loaded the model."""
    torch.set_num_threads(1)
    machine = Float32(torch.device("cpu"), "cpu", 1, 0, 0)
    model = add_lora(Qwen3ForCausalLM(SMALL), recipe, "")
    lesson = Lesson(tuple(range(tokens)), tokens - targets, 1.0)
    course = Course(model, make_optimizer(model, recipe, machine), [lesson], [((0,),)], [], [], 1, recipe, machine)
    start_measuring(machine)
    before = peak_memory(machine)
    one_step(course, ((0,),))
    answer.send(peak_memory(machine) - before)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_estimate_is_what_a_training_takes(checkpointing: bool) -> None:
    """A model of 30 million weights, measured in a process of its own: never less than is needed, and not double."""
    recipe = TrainingRecipe(method="lora", checkpointing=checkpointing, dropout=0.0)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.adapters.training.test_fit"])
    here, there = context.Pipe()
    process = context.Process(target=measure, args=(there, recipe, 1024, 256))
    process.start()
    assert here.poll(100)
    measured = here.recv()
    process.join()
    guess = estimate(read_size(SMALL.to_dict()), recipe, Load(row_tokens=1024, row_targets=256, cuda=False, number=4))
    assert measured < guess.total - guess.weights
    assert guess.adapter + guess.activations + guess.logits < 2 * measured, "what grows with the model; the rest is what libraries take"
