"""Somebody is forgotten: what there is of them is found, and then removed from imports and datasets so that its bytes are gone.

Knows nothing of the registry: which versions learnt from which dataset is asked elsewhere. May be killed at any time and called again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.curation.dataset import CARD, HELD_OUT, TRAIN, read_dataset
from adapters.curation.privacy.consent import digest
from adapters.workspace.answers import KeptAnswers
from adapters.workspace.imports import Import, rewrite_import
from adapters.workspace.people import Members, open_members
from adapters.workspace.proof import Proof, is_proved, open_proof
from adapters.workspace.rewriting import involves, without
from adapters.workspace.runs import Run
from adapters.workspace.stored import Traces
from adapters.workspace.workspace import Workspace

Page = Callable[[Mapping[str, Any]], str]
"""A dataset's card → its page."""


@dataclass(frozen=True)
class Found:
    """What was quickly found: messages by import, datasets that are there, hashes of all that ever had them in it, and runs."""

    messages: Mapping[str, int]
    datasets: tuple[Path, ...]
    hashes: frozenset[str]
    runs: tuple[Run, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "messages": dict(self.messages),
            "datasets": [folder.name for folder in self.datasets],
            "runs": [run.id for run in self.runs],
        }


@dataclass(frozen=True)
class Forgetting:
    """One person (a `qualified` id) of one community."""

    workspace: Workspace
    author_id: str

    @property
    def folder(self) -> Path:
        return self.workspace.folder

    def is_done(self, since: datetime) -> bool:
        """Whether it was done after `since`, from when on nothing of theirs was taken."""
        return is_proved(self.folder, digest(self._members().key, self.author_id), since)

    def find(self) -> Found:
        """By what was noted when datasets were made, and by the index on authors: nothing is read whole."""
        names = self._names()
        hashes = frozenset(held for held, people in self.workspace.learnt().items() if not people.isdisjoint(names))
        short = {held.removeprefix("sha256:")[:16] for held in hashes}
        runs = tuple(run for run in self.workspace.runs() if run.dataset_hash in hashes or (hashes and not run.dataset_hash))
        return Found(
            messages={each.id: self._written(each) for each in self.workspace.imports()},
            datasets=tuple(folder for folder in self.workspace.datasets() if folder.name in short),
            hashes=hashes,
            runs=runs,
        )

    def begin(self) -> Proof:
        """Count what there is, once, and put the person on the opt-out list. Hold the lock, here and below."""
        members = open_members(self.workspace)
        proof = open_proof(self.folder, self.workspace.community, digest(members.key, self.author_id), self.scan())
        members.refuse(self.author_id).save()
        return proof

    def remove(self, proof: Proof, found: Found, page: Page) -> None:
        """From datasets, runs and imports."""
        for run in found.runs:
            run.mark_forgotten(proof.name)
        proof.content["runs"] = sorted({*proof.content["runs"], *(run.id for run in found.runs)})
        names = self._names()
        for folder in found.datasets:
            self._rewrite_dataset(proof, folder, names, page)
        for each in self.workspace.imports():
            if self._traces(each):
                proof.begin_file(self.folder, each.path)
                rewrite_import(each, lambda person: person != self.author_id)
            proof.end_file(self.folder, each.path)
        answers = KeptAnswers(self.folder)
        if answers.count(self.author_id):
            proof.begin_file(self.folder, answers.path)
            answers.remove(lambda person: person != self.author_id)
            proof.end_file(self.folder, answers.path)
        for entry in proof.content["files"]:
            proof.end_file(self.folder, self.folder / entry["path"])

    def scan(self) -> dict[str, int]:
        """What is left, by reading everything."""
        traces = sum((self._traces(each) for each in self.workspace.imports()), Traces())
        names = self._names()
        examples = 0
        for folder in self.workspace.datasets():
            dataset = read_dataset(folder)
            examples += sum(involves(example, names) for side in (dataset.train, dataset.held_out) for example in side)
        left = {"messages": traces.messages, "mentions": traces.mentions, "reactions": traces.reactions, "examples": examples}
        return {**left, "answers": KeptAnswers(self.folder).count(self.author_id)}

    def _rewrite_dataset(self, proof: Proof, folder: Path, names: frozenset[str], page: Page) -> None:
        files = [folder / name for name in (TRAIN, HELD_OUT, CARD)]
        for path in files:
            proof.begin_file(self.folder, path)
        old = read_dataset(folder)
        left = without(old, names, datetime.now(UTC))
        became = self.workspace.new_dataset(left, page(left.card)) if left is not None else None
        entry = {"hash": old.content_hash, "became": left.content_hash if left is not None else None}
        if entry not in proof.content["datasets"]:
            proof.content["datasets"].append(entry)
            proof.save()
        if became != folder:
            self.workspace.remove_dataset(folder)
        for path in files:
            proof.end_file(self.folder, path)

    def _names(self) -> frozenset[str]:
        return self._members().pseudonyms(self.author_id)

    def _members(self) -> Members:
        return open_members(self.workspace)

    def _written(self, each: Import) -> int:
        with each.stored() as stored:
            return stored.written_by(self.author_id)

    def _traces(self, each: Import) -> Traces:
        with each.stored() as stored:
            return stored.traces(self.author_id)
