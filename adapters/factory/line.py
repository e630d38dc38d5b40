"""The stages between an export and a report card, each done only where its result is not there yet for the same inputs.

Knows no options and no registry. May be killed at any time: called again with the same it goes on where it was.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from adapters.cli.curate import Curation, make
from adapters.cli.import_export import Order, add
from adapters.cli.stages import Stages, Within
from adapters.curation.dataset import Dataset, read_dataset
from adapters.evaluation.settings import EvaluationSettings
from adapters.pages.report_card import report_card_page
from adapters.training.display import numbers
from adapters.training.progress import TrainingProgress
from adapters.training.recipe import SERVED_AS, TrainingRecipe
from adapters.workspace.durable import write_text
from adapters.workspace.runs import Run, run_name
from adapters.workspace.workspace import Workspace

IMPORT, CURATE, TRAIN, EVALUATE, PUBLISH = "Import", "Curate", "Train", "Evaluate", "Publish"
THERE = "there already"

Trainer = Callable[[str, Dataset, Path, TrainingRecipe, Callable[[TrainingProgress], None]], Any]
Evaluator = Callable[[str, Path, Dataset, Mapping[str, Any], EvaluationSettings, Callable[[str, int, int], None]], dict[str, Any]]


def _train(*arguments: Any) -> Any:
    """Loaded when there is something to train, as torch takes seconds."""
    import_module("adapters.training.quiet").quiet_libraries()
    return import_module("adapters.training.train").train(*arguments)


def _evaluate(*arguments: Any) -> dict[str, Any]:
    import_module("adapters.training.quiet").quiet_libraries()
    card: dict[str, Any] = import_module("adapters.evaluation.evaluate").evaluate_adapter(*arguments)
    return card


@dataclass(frozen=True)
class Tools:
    """What does the heavy work; a test hands in its own."""

    train: Trainer = _train
    evaluate: Evaluator = _evaluate


@dataclass(frozen=True)
class Job:
    """What is to be made. Without an `order` nothing is imported."""

    order: Order | None
    curation: Curation
    base: str
    recipe: TrainingRecipe
    evaluation: EvaluationSettings

    @property
    def settings(self) -> EvaluationSettings:
        """The base is judged in the precision, and with the context, that was trained with."""
        return replace(self.evaluation, quantization=SERVED_AS[self.recipe.method], context_tokens=self.recipe.context_tokens)


@dataclass(frozen=True)
class Product:
    """Where things are: the dataset's folder and the run, with its report card."""

    dataset: Path
    run: Run
    card: Mapping[str, Any]


def directory_of(job: Job) -> Path:
    """Of the base, fetched if need be. Raises WrongBase."""
    bases = import_module("adapters.training.bases")
    directory: Path = bases.fetch_base(job.base, job.recipe, bases.Hub()).path
    return directory


def produce(workspace: Workspace, job: Job, stages: Stages, tools: Tools) -> Product:
    """Import, curate, train, evaluate. Raises the errors of each, one sentence."""
    with workspace.locked():
        if job.order is not None:
            made, new = add(workspace, job.order, Within(stages, IMPORT))
            stages.done(IMPORT, f"{made.known['messages']:,} messages" if new else THERE)
        folder = make(workspace, job.curation, Within(stages, CURATE), again=False)
        dataset = read_dataset(folder)
    stages.done(CURATE, f"{len(dataset.train):,} messages to learn from, {len(dataset.held_out):,} to judge by")
    run = _trained(workspace, job, dataset, stages, tools)
    return Product(folder, run, _evaluated(run, job, dataset, stages, tools))


def _trained(workspace: Workspace, job: Job, dataset: Dataset, stages: Stages, tools: Tools) -> Run:
    run = workspace.new_run(run_name(dataset.content_hash, job.base, job.recipe.to_json())).check()
    if run.is_trained:
        stages.done(TRAIN, THERE)
        return run
    run.plan(dataset.content_hash)

    def watch(seen: TrainingProgress) -> None:
        if seen.note:
            stages.note(seen.note)
        stages(TRAIN, seen.step, seen.steps, numbers(seen) if seen.stage == "training" else seen.stage)

    tools.train(job.base, dataset, run.folder, job.recipe, watch)
    stages.done(TRAIN)
    return run


def _evaluated(run: Run, job: Job, dataset: Dataset, stages: Stages, tools: Tools) -> Mapping[str, Any]:
    settings, mark = job.settings, run.report.with_name("inputs.txt")
    inputs = json.dumps(asdict(settings), sort_keys=True)
    held = run.card()
    if held is not None and mark.is_file() and mark.read_text() == inputs:
        stages.done(EVALUATE, THERE)
        return held
    card = tools.evaluate(job.base, run.adapter, dataset, run.training(), settings, Within(stages, EVALUATE))
    run.keep_report(card, report_card_page(card))
    write_text(mark, inputs)
    stages.done(EVALUATE)
    return card
