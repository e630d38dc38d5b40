"""What an adapter costs elsewhere: small multiple-choice tasks, made by this repository, answered by likelihood.

A choice is right when the model finds it likelier per token, end of turn included, than each of the others; a tie shares the point. A
base of a few million parameters can only tell a sentence from scrambled words; it answers the other tasks by chance, before and after.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from adapters.evaluation.estimate import Estimate, Pair, estimate, pair
from adapters.evaluation.prompts import asked
from adapters.training.rendering import Renderer

_FOLDER = Path(__file__).parent / "tasks"
METRIC = "accuracy by likelihood per token"
_WITHIN = (0.0, 1.0)


class Reader(Protocol):
    """Who is asked how likely replies are: a LoadedModel, or a model of a running server."""

    @property
    def renderer(self) -> Renderer: ...

    def log_likelihoods(self, prompt: Sequence[int], targets: Sequence[Sequence[int]]) -> list[float]:
        """In nats, of each target after `prompt`."""
        ...


@dataclass(frozen=True)
class Item:
    prompt: str
    choices: tuple[str, ...]
    answer: int
    """Place of the right choice."""


@dataclass(frozen=True)
class Task:
    name: str
    about: str
    """One sentence, with what guessing gets."""
    items: tuple[Item, ...]


@dataclass(frozen=True)
class TaskScore:
    """`points`: for each item 1, 0, or a share of a tie."""

    task: Task
    points: tuple[float, ...]

    @property
    def accuracy(self) -> Estimate:
        return estimate(self.points, within=_WITHIN)


_ABOUT = {
    "sentences": "Ordinary sentences against the same words scrambled; guessing gets 50 %, and a tiny model can do it.",
    "grammar": "Correct sentences against ones with a common mistake in spelling or grammar; guessing gets 50 %.",
    "arithmetic": "Plus, minus and times with small numbers; guessing gets 25 %.",
    "facts": "What everybody learns at school; guessing gets 25 %.",
    "instructions": "Answers that do as they are told against ones that do not; guessing gets 50 %.",
}


def read_tasks(items: int) -> tuple[Task, ...]:
    """The tasks, the first `items` items of each."""
    return tuple(Task(name, about, _items(name)[:items]) for name, about in _ABOUT.items())


def score_tasks(model: Reader, tasks: Sequence[Task], progress: Callable[[int, int], None]) -> list[TaskScore]:
    """As the model is: with its adapter, unless inside `without_adapter`."""
    total, done = sum(len(task.items) for task in tasks), 0
    scores = []
    for task in tasks:
        points = []
        for item in task.items:
            points.append(_points(model, item))
            done += 1
            progress(done, total)
        scores.append(TaskScore(task, tuple(points)))
    return scores


def _points(model: Reader, item: Item) -> float:
    replies = [model.renderer.reply(choice) for choice in item.choices]
    found = model.log_likelihoods(model.renderer.prompt(asked(item.prompt)), replies)
    means = [likelihood / len(reply) for likelihood, reply in zip(found, replies, strict=True)]
    best = max(means)
    return (means[item.answer] == best) / means.count(best)


def overall(base: Sequence[TaskScore], adapter: Sequence[TaskScore]) -> Pair:
    """Over the items of all tasks."""
    return pair(_all(base), _all(adapter), within=_WITHIN)


def tax(base: Sequence[TaskScore], adapter: Sequence[TaskScore]) -> dict[str, Any]:
    """For the card."""
    rows = []
    for one, other in zip(base, adapter, strict=True):
        found = pair(one.points, other.points, within=_WITHIN)
        rows.append({"name": one.task.name, "about": one.task.about, "examples": len(one.points), "metric": METRIC, **found.to_json()})
    return {"tasks": rows, "all": overall(base, adapter).to_json(), "harness": None}


def _all(scores: Sequence[TaskScore]) -> list[float]:
    return [point for each in scores for point in each.points]


def _items(name: str) -> tuple[Item, ...]:
    with (_FOLDER / f"{name}.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return tuple(Item(row["prompt"], tuple(row["choices"]), row["answer"]) for row in rows)
