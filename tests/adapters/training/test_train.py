"""Whole trainings of a tiny base, and what bad input gets."""

import errno
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from adapters.conversation import RENDERER, Turn
from adapters.curation.dataset import Dataset, Example
from adapters.registry.base import read_base
from adapters.registry.validation import LINEARS, validate
from adapters.training.bases import Hub
from adapters.training.checkpoint import FOLDER
from adapters.training.errors import (
    BadRecipe,
    DiskFull,
    Diverged,
    DoesNotFit,
    NoExamples,
    Occupied,
    OutOfMemory,
    TrainingError,
    WrongBase,
)
from adapters.training.machine import Machine, find_machine
from adapters.training.model import round_to_nf4
from adapters.training.progress import TrainingProgress
from adapters.training.recipe import TrainingRecipe
from adapters.training.train import Surroundings, train
from tests.adapters.training.lessons import dataset


def silent(seen: TrainingProgress) -> None:
    assert seen.step <= max(seen.steps, 0)


def test_an_adapter_is_what_the_registry_accepts(base: Path, tmp_path: Path, recipe: TrainingRecipe) -> None:
    """Two files, made for this very base, on all linear layers; the base's own files stay as they were."""
    before = load_file(base / "model.safetensors")
    result = train(base, dataset(), tmp_path / "run", recipe, silent)
    served = read_base(base, "bitsandbytes")
    valid = validate(result.adapter, served, max_rank=16)
    assert (valid.rank, valid.alpha, valid.target_modules) == (4, 8, tuple(sorted(LINEARS)))
    assert json.loads((result.adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == served.fingerprint
    assert all(torch.equal(value, load_file(base / "model.safetensors")[name]) for name, value in before.items())
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["adapter", "losses.jsonl", "training.json"]


def test_what_it_was_trained_from_lies_beside_it(base: Path, tmp_path: Path, recipe: TrainingRecipe) -> None:
    """Dataset, base, renderer, template, recipe, versions, losses: enough to know whether two adapters can be compared."""
    given = dataset()
    result = train(base, given, tmp_path, recipe, silent)
    record = json.loads((tmp_path / "training.json").read_text())
    assert record == result.record
    assert record["dataset"] == {"hash": given.content_hash, "train": 24, "held_out": 6}
    assert record["base"] == {
        "name": str(base),
        "fingerprint": read_base(base, "bitsandbytes").fingerprint,
        "quantization": "bitsandbytes",
    }
    assert (record["community"], record["renderer"], record["recipe"]) == ("zizou", RENDERER, recipe.to_json())
    assert record["template_hash"].startswith("sha256:")
    assert record["canaries"]["count"] == 2
    assert {"torch", "transformers", "peft", "bitsandbytes"} <= set(record["versions"])
    assert [json.loads(line) for line in (tmp_path / "losses.jsonl").read_text().splitlines()] == record["losses"]
    looks = {each["step"]: each["held_out"] for each in record["losses"] if each["held_out"] is not None}
    assert all(step % 2 == 0 or step == len(record["losses"]) for step in looks)
    assert looks[record["best_step"]] == min(looks.values()) < record["held_out_before"]
    assert record["tokens_per_second"] > 0
    assert record["peak_memory_bytes"] > 1 << 20


def test_progress_goes_from_nothing_to_all(base: Path, tmp_path: Path, recipe: TrainingRecipe) -> None:
    """Every step is told, with both losses and the time that is left; the fit is told before the first."""
    told: list[TrainingProgress] = []
    train(base, dataset(), tmp_path, recipe, told.append)
    steps = [seen for seen in told if seen.stage == "training"]
    assert [seen.step for seen in steps] == list(range(1, steps[0].steps + 1))
    assert all(seen.train_loss and seen.held_out_loss and seen.tokens_per_second and seen.eta_seconds is not None for seen in steps)
    assert steps[-1].eta_seconds == 0
    assert [seen.stage for seen in told if seen.note] == ["loading"]
    assert "rank 4" in next(seen.note for seen in told if seen.note)
    assert told[-1].stage == "saving"


def test_the_same_call_again_trains_nothing(base: Path, tmp_path: Path, recipe: TrainingRecipe) -> None:
    """What is complete is returned; another recipe in the same folder is refused and leaves it as it is."""
    first = train(base, dataset(), tmp_path, recipe, silent)
    told: list[TrainingProgress] = []
    assert train(base, dataset(), tmp_path, recipe, told.append) == first
    assert {seen.stage for seen in told} == {"loading"}
    with pytest.raises(Occupied, match="give another folder"):
        train(base, dataset(), tmp_path, replace(recipe, seed=1), silent)
    assert json.loads((tmp_path / "training.json").read_text()) == first.record


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
    validate(result.adapter, read_base(base, "bitsandbytes"), max_rank=16)


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


def edited(base: Path, folder: Path, **changes: Any) -> Path:
    """A copy of the base with another config.json."""
    folder.mkdir()
    for path in base.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    return folder


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"architectures": ["Qwen3ForSequenceClassification"]}, "which does not chat: give a causal language model"),
        ({"quantization_config": {"quant_method": "awq"}}, "is quantized with awq: train on the model that it was made from"),
        ({"hidden_size": None}, "does not say how large it is"),
        ({"model_type": "nobody-knows"}, "cannot be loaded"),
    ],
)
def test_a_wrong_base_is_one_sentence(base: Path, tmp_path: Path, recipe: TrainingRecipe, changes: dict[str, Any], sentence: str) -> None:
    """What it is, and what to give instead."""
    with pytest.raises(WrongBase, match=sentence):
        train(edited(base, tmp_path / "base", **changes), dataset(), tmp_path / "run", recipe, silent)


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors", "chat_template.jinja"])
def test_a_base_with_a_part_missing_is_one_sentence(base: Path, tmp_path: Path, recipe: TrainingRecipe, missing: str) -> None:
    """Nothing is trained, and nothing is left that would look like it."""
    broken = edited(base, tmp_path / "base")
    (broken / missing).unlink()
    with pytest.raises(WrongBase, match=r"^[^\n]*: [^\n]*\.$"):
        train(broken, dataset(), tmp_path / "run", recipe, silent)
    assert not (tmp_path / "run" / "training.json").exists()


def test_a_base_of_the_hub_is_fetched_after_its_size_is_known(base: Path, tmp_path: Path, recipe: TrainingRecipe) -> None:
    """One that can never fit is refused before its weights travel."""
    fetched: list[str] = []

    def snapshot(name: str, **options: Any) -> str:
        fetched.append(name)
        return str(base)

    hub = Hub(file=lambda name, path: str(base / path), snapshot=snapshot)
    small = Machine(torch.device("cpu"), "cpu", 2, free=1 << 20, total=1 << 30)
    with pytest.raises(DoesNotFit):
        train("who/what", dataset(), tmp_path, recipe, silent, Surroundings(machine=small, hub=hub))
    assert not fetched
    train("who/what", dataset(), tmp_path, recipe, silent, Surroundings(hub=hub))
    assert fetched == ["who/what"]


def test_a_base_that_nobody_has_is_one_sentence(tmp_path: Path, recipe: TrainingRecipe) -> None:
    """A folder that is not there."""
    with pytest.raises(WrongBase, match="There is no base at"):
        train(tmp_path / "nowhere", dataset(), tmp_path / "run", recipe, silent)


def test_an_empty_dataset_is_one_sentence(base: Path, tmp_path: Path, recipe: TrainingRecipe) -> None:
    """There is nothing to learn."""
    with pytest.raises(NoExamples, match="troupe curate"):
        train(base, Dataset((), (), {}), tmp_path, replace(recipe, canaries=0), silent)


@pytest.mark.parametrize(
    ("raised", "sentence"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), "memory ran out"),
        (MemoryError(), "memory ran out"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "memory ran out"),
        (OSError(errno.ENOSPC, "No space left on device"), "no room left"),
    ],
)
def test_what_the_machine_lacks_is_one_sentence(
    base: Path, tmp_path: Path, recipe: TrainingRecipe, raised: Exception, sentence: str
) -> None:
    """Whatever words torch and the system find for it in the middle of a training; the same call then goes on and ends."""

    def fail(seen: TrainingProgress) -> None:
        if seen.step == 3:
            raise raised

    with pytest.raises((OutOfMemory, DiskFull), match=sentence):
        train(base, dataset(), tmp_path, recipe, fail, Surroundings(save_every=0))
    assert train(base, dataset(), tmp_path, recipe, silent).record["losses"]


def test_a_full_disk_is_one_sentence(base: Path, tmp_path: Path, recipe: TrainingRecipe) -> None:
    """A checkpoint that cannot be written whole is none: the training before it is not harmed."""
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / ".unfinished-state.pt").symlink_to("/dev/full")
    with pytest.raises(DiskFull, match=r"no room left at .*: make some and call again"):
        train(base, dataset(), tmp_path, recipe, silent, Surroundings(save_every=0))
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["lock"]


def test_a_loss_that_is_no_number_ends_the_training(base: Path, tmp_path: Path, recipe: TrainingRecipe) -> None:
    """No adapter is written."""
    broken = edited(base, tmp_path / "base")
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][0] = math.nan
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    with pytest.raises(Diverged, match="learning_rate"):
        train(broken, dataset(), tmp_path / "run", replace(recipe, packing=False), silent)
    assert not (tmp_path / "run" / "adapter").exists()


def test_two_trainings_do_not_share_a_folder(base: Path, tmp_path: Path, recipe: TrainingRecipe) -> None:
    """The second is told; the first goes on."""
    refused: list[TrainingError] = []

    def again(seen: TrainingProgress) -> None:
        if seen.step == 2:
            with pytest.raises(Occupied, match="wait for it") as caught:
                train(base, dataset(), tmp_path, recipe, silent)
            refused.append(caught.value)

    assert train(base, dataset(), tmp_path, recipe, again).record["losses"]
    assert refused


def test_the_machine_is_found() -> None:
    """This one has memory, cores and a device."""
    machine = find_machine()
    assert 0 < machine.free <= machine.total
    assert machine.cores >= 1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"rank": "0"}, "rank is 0: it must be 1 to 512"),
        ({"learning_rate": "nan"}, "learning_rate is nan"),
        ({"method": "dora"}, "must be one of qlora, lora"),
        ({"packing": "maybe"}, "packing cannot be 'maybe': give true or false"),
        ({"epochs": "two"}, "epochs cannot be 'two'"),
        ({"ranks": "3"}, "A recipe has no ranks"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_one_sentence(settings: dict[str, str], sentence: str) -> None:
    """It names the number."""
    with pytest.raises(BadRecipe, match=sentence):
        TrainingRecipe().changed(settings)


def test_a_recipe_is_changed_from_words() -> None:
    """As they come from a command line, to the kind that the number is of."""
    changed = TrainingRecipe().changed({"rank": "8", "learning_rate": "1e-3", "packing": "no", "decay": "linear", "epochs": "1.5"})
    assert (changed.rank, changed.learning_rate, changed.packing, changed.decay, changed.epochs) == (8, 1e-3, False, "linear", 1.5)
