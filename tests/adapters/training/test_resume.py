"""A training that is killed goes on and ends with the very same bytes. Real processes, really killed."""

import json
import multiprocessing
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from adapters.registry.base import read_base
from adapters.registry.validation import validate
from adapters.training.checkpoint import FOLDER
from adapters.training.progress import TrainingProgress
from adapters.training.recipe import TrainingRecipe
from adapters.training.train import Surroundings, train
from tests.adapters.training.lessons import dataset

FILE_EVENTS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir"}
NEVER = 1 << 30


def worker(base: Path, out: Path, recipe: TrainingRecipe, *, step: int = NEVER, event: int = NEVER) -> None:
    """A training that kills itself after a step, or right before it touches a file below `out` for the `event`th time."""
    torch.set_num_threads(1)
    touched = 0

    def count(name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal touched
        if name in FILE_EVENTS and str(arguments[0]).startswith(str(out)):
            touched += 1
            if touched > event:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(seen: TrainingProgress) -> None:
        if seen.stage == "training" and seen.step >= step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    train(base, dataset(), out, recipe, watch, Surroundings(save_every=0))


class Trainings:
    """Starts trainings in processes of their own, which have imported everything already."""

    def __init__(self, base: Path, recipe: TrainingRecipe) -> None:
        self.base = base
        self.recipe = recipe
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.adapters.training.test_resume"])

    def run(self, out: Path, **death: int) -> int:
        """Its exit code: 0, or -9 where it was killed."""
        process = self._context.Process(target=worker, args=(self.base, out, self.recipe), kwargs=death)
        process.start()
        process.join()
        assert process.exitcode is not None
        return process.exitcode


@pytest.fixture(scope="module")
def trainings(base: Path) -> Trainings:
    """With dropout, so that random numbers have to go on too; and looks, so that there is a best."""
    return Trainings(
        base,
        TrainingRecipe(
            rank=4, alpha=8, dropout=0.1, learning_rate=1e-2, epochs=1, tokens=192, context_tokens=128, eval_every=2,
            checkpointing=False, held_out_examples=4, canaries=2,
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(trainings: Trainings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    assert trainings.run(out) == 0
    return out


def assert_same(out: Path, other: Path, base: Path) -> None:
    """The same adapter, bit for bit, and the same losses; nothing is left of the way there."""
    assert sorted(path.name for path in out.iterdir()) == ["adapter", "losses.jsonl", "training.json"]
    for name in ("adapter/adapter_model.safetensors", "adapter/adapter_config.json", "losses.jsonl"):
        assert (out / name).read_bytes() == (other / name).read_bytes(), name
    mine, its = (json.loads((each / "training.json").read_text()) for each in (out, other))
    assert all(mine[name] == its[name] for name in ("identity", "losses", "best_step"))
    validate(out / "adapter", read_base(base, "bitsandbytes"), max_rank=16)


def test_killed_after_steps_it_ends_the_same(trainings: Trainings, undisturbed: Path, tmp_path: Path) -> None:
    """After the first, around a look at the held-out loss, and again and again."""
    steps = len((undisturbed / "losses.jsonl").read_text().splitlines())
    assert steps >= 6
    for step in (1, 3, 4, steps - 1, steps):
        assert trainings.run(tmp_path / "run", step=step) == -signal.SIGKILL
        assert not (tmp_path / "run" / "training.json").exists()
    assert trainings.run(tmp_path / "run") == 0
    assert_same(tmp_path / "run", undisturbed, trainings.base)


def test_killed_at_any_touch_of_a_file_it_ends_the_same(trainings: Trainings, undisturbed: Path, tmp_path: Path) -> None:
    """Each process gets a little further than the last: killed before it opens, renames or removes something, at its start, in its
    checkpoints and at its end."""
    killed = 0
    while trainings.run(tmp_path / "run", event=5 + 3 * killed) == -signal.SIGKILL:
        killed += 1
        assert killed < 60
    assert killed > 5
    assert_same(tmp_path / "run", undisturbed, trainings.base)


def test_a_checkpoint_of_another_training_is_not_used(trainings: Trainings, undisturbed: Path, tmp_path: Path) -> None:
    """Another recipe was at work in this folder and was killed: its checkpoint says so."""
    other = Trainings(trainings.base, replace(trainings.recipe, seed=9))
    assert other.run(tmp_path / "run", step=4) == -signal.SIGKILL
    assert trainings.run(tmp_path / "run") == 0
    assert_same(tmp_path / "run", undisturbed, trainings.base)


def test_a_damaged_checkpoint_is_not_used(trainings: Trainings, undisturbed: Path, tmp_path: Path) -> None:
    """Training starts anew and ends the same."""
    assert trainings.run(tmp_path / "run", step=4) == -signal.SIGKILL
    state = tmp_path / "run" / FOLDER / "state.pt"
    state.write_bytes(state.read_bytes()[:5000])
    assert trainings.run(tmp_path / "run") == 0
    assert_same(tmp_path / "run", undisturbed, trainings.base)


def test_a_training_goes_on_where_it_was(trainings: Trainings, tmp_path: Path) -> None:
    """And not from its beginning."""
    assert trainings.run(tmp_path / "run", step=4) == -signal.SIGKILL
    seen: list[int] = []
    train(trainings.base, dataset(), tmp_path / "run", trainings.recipe, lambda told: seen.append(told.step))
    assert min(step for step in seen if step) == 5
