"""Trainings and evaluations of a moment, in place of the real ones; and a chat large enough to learn from."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from adapters.cli.access import Access
from adapters.curation.dataset import Dataset
from adapters.evaluation.settings import EvaluationSettings
from adapters.factory.line import Tools
from adapters.registry.base import read_base
from adapters.settings import RegistrySettings
from adapters.training.progress import TrainingProgress
from adapters.training.recipe import TrainingRecipe
from tests.adapters.registry.tiny import write_adapter
from tests.adapters.workspace.exports import line, write_export

SONG = "the goal was late but nobody cared when rain came over our small pitch and nine old friends began to sing about their lost keeper"
GATE = {"name": "ranking", "rule": "It ranks better.", "value": 0.4, "limit": 0.0, "passed": True}
GOOD = {"schema": 1, "passed": True, "gates": [GATE]}
BAD = {"schema": 1, "passed": False, "gates": [{**GATE, "value": -0.1, "passed": False}]}


def write_chat(path: Path, *, people: int = 6, messages: int = 150, loud: float = 0.0) -> Path:
    """An export in which each third message is liked. `loud`: the share of person 0."""
    draw = Random(7)
    written = []
    for number in range(messages):
        author = 0 if draw.random() < loud else draw.randrange(people)
        fans = draw.sample(range(people), 3) if number % 3 == 0 else []
        text = " ".join(draw.choices(SONG.split(), k=12)) + f" {number}"
        reply = number - 1 if number % 3 == 0 and number else None
        written.append(line(number, author, text, reactors=[each for each in fans if each != author], reply_to=reply))
    return write_export(path, written)


@dataclass
class Bench:
    """`tools` do nothing real and count. `failure`, where set, ends a training in its middle; `during` is called in one."""

    card: Mapping[str, Any] = field(default_factory=lambda: GOOD)
    failure: BaseException | None = None
    during: Callable[[], None] = lambda: None
    trained: list[str] = field(default_factory=list)
    evaluated: list[str] = field(default_factory=list)

    @property
    def tools(self) -> Tools:
        return Tools(self._train, self._evaluate)

    def _train(self, base: str, dataset: Dataset, out: Path, recipe: TrainingRecipe, progress: Callable[[TrainingProgress], None]) -> None:
        progress(TrainingProgress("training", 1, 2, eta_seconds=1.0))
        if self.failure is not None:
            raise self.failure
        self.during()
        self.trained.append(dataset.content_hash)
        write_adapter(out / "adapter", fill=bytes([len(self.trained)]))
        said = {"hash": dataset.content_hash, "train": len(dataset.train), "held_out": len(dataset.held_out)}
        fingerprint = read_base(Path(base), "bitsandbytes").fingerprint
        record = {"schema": 1, "dataset": said, "base": {"name": base, "fingerprint": fingerprint}, "made_at": f"2026-{len(self.trained)}"}
        (out / "training.json").write_text(json.dumps(record))

    def _evaluate(
        self,
        base: str,
        adapter: Path,
        dataset: Dataset,
        training: Mapping[str, Any],
        settings: EvaluationSettings,
        progress: Callable[[str, int, int], None],
    ) -> dict[str, Any]:
        progress("distance", 1, 2)
        self.evaluated.append(dataset.content_hash)
        return dict(self.card)


def local_access(settings: RegistrySettings) -> Access:
    """Straight to the registry of `settings`."""
    return Access(settings=lambda: settings, listens=lambda url: False)
