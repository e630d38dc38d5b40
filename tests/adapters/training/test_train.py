"""Whole trainings of a tiny base."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from bitsandbytes.functional import dequantize_4bit
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from adapters.conversation import RENDERER, Turn
from adapters.curation.canaries import plant
from adapters.curation.dataset import Dataset, Example
from adapters.registry.base import read_base
from adapters.registry.validation import LINEARS, validate
from adapters.training.bases import open_renderer
from adapters.training.errors import (
    Occupied,
)
from adapters.training.loss import learnt_logits, packed, weighted_nll
from adapters.training.machine import Machine, find_machine
from adapters.training.model import load_base, round_to_nf4
from adapters.training.progress import TrainingProgress, TrainingResult
from adapters.training.recipe import TrainingRecipe
from adapters.training.rendering import evened, lessons
from adapters.training.train import train
from tests.adapters.training.lessons import dataset


def silent(seen: TrainingProgress) -> None:
    assert seen.step <= max(seen.steps, 0)


@dataclass(frozen=True)
class Trained:
    """A training that is done, and what it told."""

    out: Path
    result: TrainingResult
    told: list[TrainingProgress]

    @property
    def record(self) -> Any:
        return json.loads((self.out / "training.json").read_text())


@pytest.fixture(scope="module")
def trained(base: Path, recipe: TrainingRecipe, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """For tests that only look."""
    out = tmp_path_factory.mktemp("trained") / "run"
    told: list[TrainingProgress] = []
    return Trained(out, train(base, dataset(), out, recipe, told.append), told)


def test_an_adapter_is_what_the_registry_accepts(base: Path, trained: Trained) -> None:
    """Two files, made for this very base, on all linear layers; beside them only how it was made."""
    served = read_base(base, "bitsandbytes")
    valid = validate(trained.result.adapter, served, max_rank=16)
    assert (valid.rank, valid.alpha, valid.target_modules) == (4, 8, tuple(sorted(LINEARS)))
    assert json.loads((trained.result.adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == served.fingerprint
    assert sorted(path.name for path in trained.out.iterdir()) == ["adapter", "losses.jsonl", "training.json"]


def test_what_it_was_trained_from_lies_beside_it(base: Path, trained: Trained, recipe: TrainingRecipe) -> None:
    """Dataset, base, renderer, template, recipe and versions: enough to know whether two adapters can be compared."""
    record = trained.record
    assert record == trained.result.record
    assert record["dataset"] == {"hash": dataset().content_hash, "train": 24, "held_out": 6}
    fingerprint = read_base(base, "bitsandbytes").fingerprint
    assert record["base"] == {"name": str(base), "fingerprint": fingerprint, "quantization": "bitsandbytes"}
    assert (record["community"], record["renderer"], record["recipe"]) == ("zizou", RENDERER, recipe.to_json())
    assert record["template_hash"].startswith("sha256:")
    assert record["canaries"]["count"] == 2
    assert {"torch", "transformers", "peft", "bitsandbytes"} <= set(record["versions"])
    assert record["tokens_per_second"] > 0
    assert record["peak_memory_bytes"] > 1 << 20


def test_the_loss_curve_lies_beside_it(trained: Trained) -> None:
    """A line a step; the held-out loss every second one and at the end; what is kept is the best of them, below the base's."""
    record = trained.record
    assert [json.loads(line) for line in (trained.out / "losses.jsonl").read_text().splitlines()] == record["losses"]
    looks = {each["step"]: each["held_out"] for each in record["losses"] if each["held_out"] is not None}
    assert set(looks) == {each["step"] for each in record["losses"] if each["step"] % 2 == 0} | {len(record["losses"])}
    assert looks[record["best_step"]] == min(looks.values()) < record["held_out_before"]


def test_progress_goes_from_nothing_to_all(trained: Trained) -> None:
    """Every step is told, with both losses and the time that is left; the fit is told before the first."""
    told = trained.told
    steps = [seen for seen in told if seen.stage == "training"]
    assert [seen.step for seen in steps] == list(range(1, steps[0].steps + 1))
    assert all(seen.train_loss and seen.held_out_loss and seen.tokens_per_second and seen.eta_seconds is not None for seen in steps)
    assert steps[-1].eta_seconds == 0
    assert [seen.stage for seen in told if seen.note] == ["loading"]
    assert "rank 4" in next(seen.note for seen in told if seen.note)
    assert told[-1].stage == "saving"


def test_planted_canaries_are_learnt_too(base: Path, trained: Trained, recipe: TrainingRecipe, tmp_path: Path) -> None:
    """They add their tokens to what is trained; the seed in the record plants the same ones again."""
    canaries = plant(trained.record["canaries"]["seed"], trained.record["canaries"]["count"])
    renderer = open_renderer(base)
    planted = sum(len(lesson.ids) for lesson in lessons(renderer, [canary.example for canary in canaries], limit=128)[0])
    without = train(base, dataset(), tmp_path, replace(recipe, canaries=0), silent).record

    def tokens(record: Any) -> float:
        return float(record["tokens"])

    assert planted > 0
    assert tokens(trained.record) - tokens(without) == planted


def test_the_same_call_again_trains_nothing(base: Path, tmp_path: Path, recipe: TrainingRecipe) -> None:
    """What is complete is returned; another recipe in the same folder is refused and leaves it as it is."""
    before = load_file(base / "model.safetensors")
    first = train(base, dataset(), tmp_path, recipe, silent)
    assert all(torch.equal(value, load_file(base / "model.safetensors")[name]) for name, value in before.items())
    told: list[TrainingProgress] = []
    assert train(base, dataset(), tmp_path, recipe, told.append) == first
    assert {seen.stage for seen in told} == {"loading"}
    with pytest.raises(Occupied, match="give another folder"):
        train(base, dataset(), tmp_path, replace(recipe, seed=1), silent)
    assert json.loads((tmp_path / "training.json").read_text()) == first.record


def held_out_loss(base: Path, adapter: Path, examples: tuple[Example, ...]) -> float:
    """Of a saved adapter, found without the training loop."""
    watched = evened(lessons(open_renderer(base), examples, limit=128)[0])
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    round_to_nf4(model)
    row = packed(watched, torch.device("cpu"))
    with torch.no_grad():
        total = weighted_nll(learnt_logits(PeftModel.from_pretrained(model, adapter).eval(), row), row)
    return float(total) / sum(lesson.targets for lesson in watched)


def test_training_stops_early_and_keeps_the_best(base: Path, tmp_path: Path, recipe: TrainingRecipe) -> None:
    """Held-out examples that say the opposite of what is learnt get worse: after as many looks as there is patience it is over."""
    given = dataset()
    other = tuple(replace(each, target="xylophone quartz") for each in given.held_out)
    told = dataset(train=24)
    result = train(
        base,
        Dataset(told.train, other, {}),
        tmp_path,
        replace(recipe, epochs=20, learning_rate=5e-2, patience=2),
        silent,
    )
    looks = [each["step"] for each in result.record["losses"] if each["held_out"] is not None]
    assert len(looks) - 1 - looks.index(result.record["best_step"]) == 2
    assert result.record["losses"][-1]["step"] < 40
    kept = held_out_loss(base, result.adapter, other)
    looked = {each["step"]: each["held_out"] for each in result.record["losses"]}
    assert kept == pytest.approx(looked[result.record["best_step"]], rel=0.01)
    assert kept < 0.98 * looked[looks[-1]], "the last weights are worse"


def test_without_held_out_examples_the_last_weights_are_kept(base: Path, tmp_path: Path, recipe: TrainingRecipe) -> None:
    """And it is said."""
    result = train(base, Dataset(dataset().train, (), {}), tmp_path, recipe, silent)
    assert result.record["best_step"] == result.record["losses"][-1]["step"]
    assert result.record["held_out_before"] is None
    assert "last weights" in result.record["warnings"][0]


@pytest.mark.parametrize("changes", [{"packing": False}, {"checkpointing": True}, {"method": "lora"}, {"decay": "linear", "dropout": 0.0}])
def test_options_of_a_recipe_train_as_well(base: Path, tmp_path: Path, recipe: TrainingRecipe, changes: dict[str, Any]) -> None:
    """The held-out loss falls below the base's."""
    record = train(base, dataset(), tmp_path, replace(recipe, **changes), silent).record
    assert min(each["held_out"] for each in record["losses"] if each["held_out"] is not None) < record["held_out_before"] - 0.1


def test_checkpointing_and_rows_do_not_change_what_is_learnt(base: Path, tmp_path: Path, recipe: TrainingRecipe) -> None:
    """Without dropout, activations that are computed twice and examples that have rows of their own give nearly the same losses."""
    plain = replace(recipe, dropout=0.0, tokens=1 << 20, learning_rate=1e-3)
    records = [
        train(base, dataset(), tmp_path / name, changed, silent).record
        for name, changed in (
            ("plain", plain),
            ("checkpointing", replace(plain, checkpointing=True)),
            ("alone", replace(plain, packing=False)),
        )
    ]
    losses = [[each["train"] for each in record["losses"]] for record in records]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert losses[2] == pytest.approx(losses[0], rel=2e-2)


def test_too_long_examples_are_left_out_and_counted(base: Path, tmp_path: Path, recipe: TrainingRecipe) -> None:
    """With a warning that says how many."""
    long = Example((Turn("ann", "hello"),), "never " * 300, 1.0, 99)
    given = dataset()
    record = train(base, Dataset((*given.train, long), given.held_out, {}), tmp_path, recipe, silent).record
    assert record["warnings"] == ["1 examples are longer than 128 tokens and were left out: raise context_tokens to keep them."]


def test_rounding_touches_linear_layers_only_and_is_settled(base: Path) -> None:
    """NF4 moves the linear weights a little, leaves embeddings and norms alone, and leaves at most 16 values to a block of 64."""
    plain, rounded = (AutoModelForCausalLM.from_pretrained(base) for _ in range(2))
    round_to_nf4(rounded)
    for (name, old), new in zip(plain.named_parameters(), rounded.parameters(), strict=True):
        if name.split(".")[-2] in LINEARS:
            assert 0 < (old - new).norm() / old.norm() < 0.2, name
            assert max(len(block.unique()) for block in new.detach().reshape(-1, 64)) <= 16
        else:
            assert torch.equal(old, new), name


class Accelerator(Machine):
    """A CPU that is treated like CUDA as far as that goes: bitsandbytes' 4-bit layers run on it too."""

    @property
    def is_cuda(self) -> bool:
        return True


def test_rounding_is_what_four_bit_layers_hold(base: Path, recipe: TrainingRecipe) -> None:
    """Number for number: what a CPU multiplies is what bitsandbytes' layers keep on CUDA, scales quantized too; embeddings are not."""
    cpu = torch.device("cpu")
    four_bits = load_base(base, recipe, Accelerator(cpu, "cpu", 1, 0, 0))
    rounded = dict(load_base(base, recipe, Machine(cpu, "cpu", 1, 0, 0)).named_parameters())
    four_bit = {name: each for name, each in four_bits.named_parameters() if name.split(".")[-2] in LINEARS}
    assert len(four_bit) == 14
    for name, weight in four_bit.items():
        assert weight.quant_state.nested
        assert torch.equal(dequantize_4bit(weight.data, weight.quant_state).to(rounded[name].dtype), rounded[name]), name
    assert four_bits.get_input_embeddings().weight.dtype == four_bits.dtype


def test_a_base_that_is_stored_in_four_bits_is_trained_as_it_is(base: Path, tmp_path: Path, recipe: TrainingRecipe) -> None:
    """Its numbers are those that rounding makes of the base it came from; on a CPU they are unpacked, so that gradients pass."""
    machine = find_machine()
    four_bits = load_base(base, recipe, Accelerator(machine.device, "cpu", 1, 0, 0))
    four_bits.save_pretrained(tmp_path / "packed")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(base / name, tmp_path / "packed" / name)
    unpacked, rounded = (load_base(folder, recipe, machine) for folder in (tmp_path / "packed", base))
    for (name, mine), its in zip(unpacked.named_parameters(), rounded.parameters(), strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-2, atol=1e-4, msg=name)
    record = train(tmp_path / "packed", dataset(), tmp_path / "run", recipe, silent).record
    assert min(each["held_out"] for each in record["losses"] if each["held_out"] is not None) < record["held_out_before"] - 0.1


def test_the_machine_is_found() -> None:
    """This one has memory, cores and a device."""
    machine = find_machine()
    assert 0 < machine.free <= machine.total
    assert machine.cores >= 1
