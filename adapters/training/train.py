"""The recipe: from a base and a dataset to an adapter, read top to bottom.

What stands behind each step is in the file of its name. Knows nothing of where the dataset comes from and of what becomes of the adapter.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import torch

from adapters.curation.canaries import plant
from adapters.curation.dataset import Dataset, Example
from adapters.registry.base import Base
from adapters.training.bases import Hub, fetch_base, find_config, open_renderer
from adapters.training.checkpoint import FOLDER, State, read_checkpoint, write_checkpoint
from adapters.training.errors import Occupied, WrongBase, translated
from adapters.training.fit import Load, check_fit, read_size
from adapters.training.loop import Course, run
from adapters.training.loss import filled, keeps_apart
from adapters.training.machine import Machine, find_machine, peak_memory, start_measuring
from adapters.training.model import add_lora, load_base, lora_weights, make_optimizer, save_lora, set_lora_weights
from adapters.training.packing import Row, Step, plan_epochs, rows
from adapters.training.progress import Progress, TrainingProgress, TrainingResult
from adapters.training.recipe import TrainingRecipe
from adapters.training.record import ADAPTER, LOSSES, RECORD, Origin, read_record, record
from adapters.training.rendering import Lesson, Renderer, evened, lessons
from adapters.workspace.durable import locked, new_file, new_folder, remove, write_json

__all__ = ["Progress", "Surroundings", "TrainingProgress", "TrainingResult", "train"]

LOOKS_AN_EPOCH = 4
"""At the held-out loss, where the recipe does not say."""


@dataclass(frozen=True)
class Surroundings:
    """What a test or a benchmark may set: the machine, the hub, and the seconds between two checkpoints."""

    machine: Machine | None = None
    hub: Hub = field(default_factory=Hub)
    save_every: float = 60.0


def train(
    base: str | Path,
    dataset: Dataset,
    out: Path,
    recipe: TrainingRecipe,
    progress: Progress,
    surroundings: Surroundings | None = None,
) -> TrainingResult:
    """Train an adapter for `base` (a directory or a hub name) and write it to `out`, with training.json and losses.jsonl.

    Called again with the same arguments after a kill it goes on and ends with the same adapter; called again after its end it returns what
    is there. Raises TrainingError, one sentence.
    """
    around = surroundings or Surroundings()
    machine = around.machine or find_machine()
    busy = f"Another training writes to {out}: wait for it, or give another folder."
    with translated(out), locked(out / FOLDER / "lock", busy):
        progress(TrainingProgress("loading"))
        facts, renderer, origin = _agree(base, dataset, recipe, machine, around.hub)
        done = read_record(out)
        if done is None:
            lesson_plan = _plan(renderer, dataset, origin)
            fit = check_fit(
                read_size(find_config(facts.path, around.hub)), recipe, lesson_plan.load, free=machine.free, total=machine.total
            )
            for note in (fit, *lesson_plan.warnings):
                progress(TrainingProgress("loading", steps=len(lesson_plan.steps), note=note))
            start_measuring(machine)
            course, state = _set_up(facts.path, origin, lesson_plan, out)
            with _begin_losses(out, state) as losses:
                run(course, state, _Keeper(out, origin.identity, course, losses, progress, around.save_every))
            progress(TrainingProgress("saving", state.step, len(course.plan)))
            done = _save(out, origin, course, state, fit, lesson_plan.warnings)
        elif done["identity"] != origin.identity:
            raise Occupied(f"{out} holds an adapter that was trained from something else: give another folder.")
        remove(out / FOLDER)
    return TrainingResult(out / ADAPTER, done)


def _agree(base: str | Path, dataset: Dataset, recipe: TrainingRecipe, machine: Machine, hub: Hub) -> tuple[Base, Renderer, Origin]:
    """What is trained from: everything that can be wrong with a base is found here, before a weight is loaded, and too large a one
    before it is fetched."""
    size = read_size(find_config(base, hub))
    check_fit(size, recipe, _least_load(recipe, machine), free=machine.free, total=machine.total)
    facts = fetch_base(base, recipe, hub)
    renderer = open_renderer(facts.path)
    origin = Origin(
        community=str(dataset.card.get("community", "")),
        dataset_hash=dataset.content_hash,
        train=len(dataset.train),
        held_out=len(dataset.held_out),
        base_name=str(base),
        base=facts,
        template_hash=renderer.template_hash,
        recipe=recipe,
        canary_seed=f"{dataset.content_hash} {recipe.seed}",
        machine=machine,
    )
    return facts, renderer, origin


@dataclass(frozen=True)
class _LessonPlan:
    """What is learnt when, and what is looked at."""

    learnt: Sequence[Lesson]
    steps: Sequence[Step]
    watched: Sequence[Lesson]
    watched_rows: Sequence[Row]
    load: Load
    warnings: tuple[str, ...]


def _plan(renderer: Renderer, dataset: Dataset, origin: Origin) -> _LessonPlan:
    """Examples and canaries as tokens, weights evened out, in rows and steps."""
    recipe, limit = origin.recipe, origin.recipe.context_tokens
    planted = [canary.example for canary in plant(origin.canary_seed, recipe.canaries)]
    found, too_long = lessons(renderer, (*dataset.train, *planted), limit=limit, bare_too=recipe.bare_too)
    learnt = evened(found)
    lengths = [len(lesson.ids) for lesson in learnt]
    steps = plan_epochs(lengths, epochs=recipe.epochs, tokens=recipe.tokens, limit=limit, packing=recipe.packing, seed=recipe.seed)

    chosen = _evenly(dataset.held_out, recipe.held_out_examples)
    watched, _ = lessons(renderer, (example for example in chosen if example.weight), limit=limit)
    watched = evened(watched) if watched else []
    watched_rows = rows([len(lesson.ids) for lesson in watched], range(len(watched)), limit=limit, packing=recipe.packing)

    trained_rows = [[learnt[place] for place in row] for step in steps for row in step]
    every_row = trained_rows + [[watched[place] for place in row] for row in watched_rows]
    load = Load(
        row_tokens=max(filled(sum(len(lesson.ids) for lesson in row)) for row in every_row),
        row_targets=max(filled(sum(lesson.targets for lesson in row)) for row in every_row),
        cuda=origin.machine.is_cuda,
        number=origin.machine.dtype.itemsize,
    )
    return _LessonPlan(learnt, steps, watched, watched_rows, load, _warnings(too_long, watched, recipe))


def _set_up(directory: Path, origin: Origin, plan: _LessonPlan, out: Path) -> tuple[Course, State]:
    """A frozen base as it is served and a LoRA that learns; where a killed training left a checkpoint, as they were then."""
    recipe, machine = origin.recipe, origin.machine
    torch.manual_seed(recipe.seed)
    # A fingerprint, unlike a name, is checked when the adapter is published. One of an unquantized base would be refused on the
    # quantized ones that it may well be meant for.
    base_name = origin.base.fingerprint if recipe.method == "qlora" else origin.base_name
    model = add_lora(load_base(directory, recipe, machine), recipe, base_name)
    if recipe.packing and not keeps_apart(model, plan.learnt[:2], machine.device):
        raise WrongBase("This base mixes examples that share a row: train it with `packing` set to false.")
    optimizer = make_optimizer(model, recipe, machine)
    state = State()
    if (saved := read_checkpoint(out, origin.identity)) is not None:
        state, weights, moments = saved
        set_lora_weights(model, weights)
        optimizer.load_state_dict(moments)
    every = recipe.eval_every or max(1, round(len(plan.steps) / recipe.epochs / LOOKS_AN_EPOCH))
    return Course(model, optimizer, plan.learnt, plan.steps, plan.watched, plan.watched_rows, every, recipe, machine), state


def _save(out: Path, origin: Origin, course: Course, state: State, fit: str, warnings: Sequence[str]) -> Mapping[str, Any]:
    """The weights of the best look at the held-out examples; training.json last, as it says that all is done."""
    if state.best is not None:
        set_lora_weights(course.model, state.best)
    remove(out / ADAPTER)
    with new_folder(out / ADAPTER) as folder:
        save_lora(course.model, folder)
    doubts = [*warnings, *_doubts(state)]
    content = record(origin, state, peak_memory=peak_memory(origin.machine), fit=fit, warnings=doubts)
    write_json(out / RECORD, content)
    return content


def _least_load(recipe: TrainingRecipe, machine: Machine) -> Load:
    """Of the shortest rows that make sense: a base that does not fit with them never does."""
    return Load(row_tokens=min(256, recipe.context_tokens), row_targets=64, cuda=machine.is_cuda, number=machine.dtype.itemsize)


def _evenly(examples: Sequence[Example], count: int) -> list[Example]:
    """At most `count` of them, spread over all."""
    return [examples[place * len(examples) // count] for place in range(count)] if len(examples) > count else list(examples)


def _warnings(too_long: int, watched: Sequence[Lesson], recipe: TrainingRecipe) -> tuple[str, ...]:
    found = []
    if too_long:
        found.append(
            f"{too_long} examples are longer than {recipe.context_tokens} tokens and were left out: raise context_tokens to keep them."
        )
    if not watched:
        found.append("No held-out examples are looked at, so training cannot stop early: the last weights are kept.")
    return tuple(found)


def _doubts(state: State) -> list[str]:
    """What the held-out loss says about what was learnt."""
    looks = [each.held_out for each in state.losses if each.held_out is not None]
    if state.held_out_before is not None and looks and min(looks) >= state.held_out_before:
        return ["The held-out loss never got below that of the base: the adapter has learnt nothing that its community would say."]
    return []


def _begin_losses(out: Path, state: State) -> TextIO:
    """losses.jsonl, up to where the checkpoint was; what a killed training wrote after it is learnt once more."""
    with new_file(out / LOSSES) as path:
        path.write_text("".join(json.dumps(each.to_json()) + "\n" for each in state.losses), "utf-8")
    return (out / LOSSES).open("a", encoding="utf-8")


class _Keeper:
    """After each step: a line in losses.jsonl, a checkpoint when it is time, and word to whoever watches."""

    def __init__(self, out: Path, identity: str, course: Course, losses: TextIO, progress: Progress, save_every: float) -> None:
        self._out = out
        self._identity = identity
        self._course = course
        self._losses = losses
        self._progress = progress
        self._save_every = save_every
        self._started = self._saved = time.monotonic()
        self._steps_here = 0

    def __call__(self, state: State) -> None:
        loss, steps = state.losses[-1], len(self._course.plan)
        self._losses.write(json.dumps(loss.to_json()) + "\n")
        self._losses.flush()
        if time.monotonic() - self._saved >= self._save_every:
            # The weights first: copying them waits for the device, which may still be writing to AdamW's paged numbers.
            weights = lora_weights(self._course.model)
            write_checkpoint(self._out, self._identity, state, weights, self._course.optimizer.state_dict())
            self._saved = time.monotonic()
        self._steps_here += 1
        a_step = (time.monotonic() - self._started) / self._steps_here
        self._progress(
            TrainingProgress(
                stage="training",
                step=state.step,
                steps=steps,
                tokens_per_second=state.tokens / state.seconds,
                train_loss=loss.train,
                held_out_loss=next((each.held_out for each in reversed(state.losses) if each.held_out is not None), state.held_out_before),
                eta_seconds=a_step * (steps - state.step),
            )
        )
