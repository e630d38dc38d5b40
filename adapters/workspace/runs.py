"""A run: the folder of one training, with the adapter it made, how it was made, and its report card.

Light, so that whoever only publishes needs nothing of the factory.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from adapters.registry.lora_config import FILE as CONFIG
from adapters.registry.names import check_community
from adapters.registry.safetensors_header import FILE as WEIGHTS
from adapters.workspace.durable import make_folder, read_json, write_json, write_text
from adapters.workspace.errors import Forgotten, NoRun

FACTORY, RUNS = "factory", "runs"
MARK = "forgotten.json"


@dataclass(frozen=True)
class Run:
    """What is in `folder` may not be there yet: training fills it and can be taken up again."""

    folder: Path

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def adapter(self) -> Path:
        """The directory with exactly the two files that are published."""
        return self.folder / "adapter"

    @property
    def report(self) -> Path:
        """The report card; its page lies beside it, as card.html."""
        return self.folder / "report" / "card.json"

    @property
    def page(self) -> Path:
        return self.report.with_name("card.html")

    @property
    def is_trained(self) -> bool:
        return (self.folder / "training.json").is_file() and all((self.adapter / name).is_file() for name in (CONFIG, WEIGHTS))

    @property
    def is_forgotten(self) -> bool:
        """Whether it learnt from somebody who is to be forgotten."""
        return (self.folder / MARK).exists()

    def training(self) -> Mapping[str, Any]:
        """How it was trained. Raises NoRun before it is."""
        if not self.is_trained:
            raise NoRun(f"The run {self.folder} is not finished: go on with `troupe train`, or `troupe factory`.")
        return read_json(self.folder / "training.json")

    def card(self) -> Mapping[str, Any] | None:
        """The report card, if it was evaluated. Raises Broken."""
        return read_json(self.report) if self.report.is_file() else None

    @property
    def dataset_hash(self) -> str:
        """Of what it learnt from, as far as it is known; empty for a run that has not said so."""
        if not (self.folder / "training.json").is_file():
            return str(read_json(self.folder / "plan.json").get("dataset", "")) if (self.folder / "plan.json").is_file() else ""
        dataset = read_json(self.folder / "training.json").get("dataset")
        return str(dataset.get("hash", "")) if isinstance(dataset, dict) else ""

    def check(self) -> "Run":
        """Itself. Raises Forgotten where it must not be published."""
        if self.is_forgotten:
            raise Forgotten(f"The run {self.id} learnt from somebody who is forgotten: train another one, `troupe factory --retrain`.")
        return self

    def plan(self, dataset_hash: str) -> None:
        """Note what it is about to learn from, so that it can be found before it is trained."""
        write_json(self.folder / "plan.json", {"dataset": dataset_hash})

    def mark_forgotten(self, proof: str) -> None:
        """From now on it is not published. `proof`: the name of the file that says why."""
        write_json(self.folder / MARK, {"proof": proof})

    def keep_report(self, card: Mapping[str, Any], page: str) -> None:
        """The card last: where it is, the page is too."""
        make_folder(self.report.parent)
        write_text(self.page, page)
        write_json(self.report, card)


def workspace_folder(home: Path, community: str) -> Path:
    """Raises BadName."""
    return home / FACTORY / check_community(community)


def runs_in(folder: Path) -> tuple[Run, ...]:
    """Also unfinished ones, by name."""
    return tuple(Run(each) for each in sorted(folder.iterdir()) if each.is_dir()) if folder.is_dir() else ()


def run_named(folder: Path, name: str, community: str) -> Run:
    """Of those in `folder` the one of that name, or of `latest` the one that was trained last. Raises NoRun."""
    if name != "latest":
        found = next((run for run in runs_in(folder) if run.id == name), None)
        if found is None:
            raise NoRun(f"{community} has no run {name[:80]!r}: give `latest`, or the name of a folder in {folder}.")
        return found
    trained = [run for run in runs_in(folder) if run.is_trained]
    if not trained:
        raise NoRun(f"{community} has no trained adapter yet: `troupe train --community {community}`.")
    return max(trained, key=lambda run: str(run.training().get("made_at", "")))


def run_name(dataset_hash: str, base_fingerprint: str, recipe: Mapping[str, Any]) -> str:
    """The same for the same training: called again, it is taken up where it was."""
    text = json.dumps([dataset_hash, base_fingerprint, recipe], sort_keys=True, default=str)
    return sha256(text.encode()).hexdigest()[:16]
