"""The steps of a demo build: write the exports, train the base, curate and train one adapter per community. Imports torch."""

from collections.abc import Callable
from pathlib import Path
from random import Random

from safetensors import SafetensorError
from transformers.utils import logging

from adapters.curation.examples import curate
from adapters.demo.corpus import general_chats
from adapters.demo.export import write_all
from adapters.demo.recipe import DemoRecipe, Training
from adapters.sources.source import open_source
from adapters.training.adapter import AdapterRecipe, train_adapter
from adapters.training.base import BaseRecipe, train_base
from adapters.training.optimize import Schedule

Progress = Callable[[str, int, int], None]


def run(out: Path, final: Path, recipe: DemoRecipe, progress: Progress) -> None:
    """Fill the empty directory `out`, which will be renamed to `final`. Raises OSError where it cannot be written."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        _run(out, final, recipe, progress)
    except SafetensorError as exc:
        raise OSError(str(exc)) from exc


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
        with open_source(export).read() as messages:
            examples = curate(tuple(messages)).train
        adapter = AdapterRecipe(schedule=_schedule(recipe.adapter, recipe.seed), rank=recipe.rank, base_name=str(final / "base"))
        chosen = examples[-recipe.adapter.examples :]
        train_adapter(out / "base", chosen, out / "adapters" / name, adapter, _stage(progress, name))


def _stage(progress: Progress, name: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(name, done, total)


def _schedule(training: Training, seed: int) -> Schedule:
    return Schedule(
        epochs=training.epochs,
        tokens=training.tokens,
        learning_rate=training.learning_rate,
        muon_rate=training.muon_rate,
        seed=seed,
    )
