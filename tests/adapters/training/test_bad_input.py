"""What cannot be trained, or not to its end: one sentence, and nothing half-written that is used later."""

import errno
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from adapters.curation.dataset import Dataset
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
from adapters.training.machine import Machine
from adapters.training.progress import TrainingProgress
from adapters.training.recipe import TrainingRecipe
from adapters.training.train import Surroundings, train
from tests.adapters.training.lessons import dataset


def silent(seen: TrainingProgress) -> None:
    pass


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
