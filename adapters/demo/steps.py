"""The steps of a demo build: write the exports, train the base, curate and train one adapter per community. Imports torch."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

from safetensors import SafetensorError
from transformers.utils import logging

from adapters.curation.curate import curate
from adapters.curation.dataset import Dataset
from adapters.curation.recipe import CurationRecipe
from adapters.demo.build import DemoError
from adapters.demo.corpus import general_chats
from adapters.demo.export import write_all
from adapters.demo.invented import Invented
from adapters.demo.pretraining.base import BaseRecipe, train_base
from adapters.demo.pretraining.optimize import Schedule
from adapters.demo.recipe import DemoRecipe, Training
from adapters.sources.source import open_source
from adapters.training.errors import TrainingError
from adapters.training.progress import TrainingProgress
from adapters.training.recipe import PRESETS, TrainingRecipe
from adapters.training.record import ADAPTER
from adapters.training.train import train

Progress = Callable[[str, int, int], None]


def run(out: Path, final: Path, recipe: DemoRecipe, progress: Progress) -> None:
    """Fill the empty directory `out`, which will be renamed to `final`. Raises OSError where it cannot be written, and DemoError."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        _run(out, final, recipe, progress)
    except SafetensorError as exc:
        raise OSError(str(exc)) from exc
    except TrainingError as exc:
        raise DemoError(f"The demo could not be built: {exc}") from exc


def _run(out: Path, final: Path, recipe: DemoRecipe, progress: Progress) -> None:
    progress("exports", 0, 1)
    exports = write_all(out / "exports", seed=recipe.seed, messages=recipe.messages)
    progress("exports", 1, 1)

    chats = list(general_chats(Random(recipe.seed), recipe.base.examples))
    base = BaseRecipe(
        schedule=_schedule(recipe.base, recipe.seed),
        vocabulary=recipe.vocabulary,
        hidden=recipe.hidden,
        layers=recipe.layers,
        intermediate=recipe.intermediate,
        context_length=recipe.context_length,
    )
    train_base(chats, out / "base", base, lambda done, total: progress("base", done, total))

    for name, export in exports.items():
        work = out / f"training-{name}"
        train(out / "base", dataset_of(name, export, recipe), work, _adapter_recipe(recipe), _stage(progress, name))
        (out / "adapters").mkdir(exist_ok=True)
        (work / ADAPTER).rename(out / "adapters" / name)
        shutil.rmtree(work)


def dataset_of(name: str, export: Path, recipe: DemoRecipe) -> Dataset:
    """What an invented community's adapter learns."""
    numbers = CurationRecipe(held_out=0.0, min_examples=1, max_examples=recipe.adapter.examples)
    with open_source(export).read() as messages:
        people = Invented(messages)
        return curate(messages, numbers, people, people, community=name, provenance=[])


def _adapter_recipe(recipe: DemoRecipe) -> TrainingRecipe:
    training = recipe.adapter
    return replace(
        PRESETS["demo"],
        rank=recipe.rank,
        alpha=2 * recipe.rank,
        learning_rate=training.learning_rate,
        epochs=training.epochs,
        tokens=training.tokens,
        context_tokens=min(512, recipe.context_length),
        canaries=0,
        seed=recipe.seed,
    )


def _stage(progress: Progress, name: str) -> Callable[[TrainingProgress], None]:
    def report(at: TrainingProgress) -> None:
        if at.steps:
            progress(name, at.step, at.steps)

    return report


def _schedule(training: Training, seed: int) -> Schedule:
    return Schedule(
        epochs=training.epochs,
        tokens=training.tokens,
        learning_rate=training.learning_rate,
        muon_rate=training.muon_rate,
        seed=seed,
    )
