"""Everything of one community on this machine, below TROUPE_HOME/factory/COMMUNITY: imports, datasets, runs, people.

Knows folders and who may change them when; nothing of how a dataset or an adapter is made. What is written is complete or not there.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.curation.dataset import CARD, Dataset, write_dataset
from adapters.sources.source import Source
from adapters.workspace.answers import KeptAnswers
from adapters.workspace.durable import UNFINISHED, locked, make_folder, new_folder, read_json, remove, sweep, write_json, write_text
from adapters.workspace.errors import NoDataset, NoImports
from adapters.workspace.imports import Advance, Import, MergedMessages, Wish, fingerprint_of, make_import, read_import
from adapters.workspace.runs import FACTORY, RUNS, Run, run_named, runs_in, workspace_folder

INPUTS, PAGE = "inputs.txt", "card.html"


@dataclass(frozen=True)
class Workspace:
    """`folder` is made when something is put into it. Methods raise WorkspaceError."""

    folder: Path
    community: str

    @classmethod
    def open(cls, home: Path, community: str) -> "Workspace":
        """Raises BadName."""
        return cls(workspace_folder(home, community), community)

    @property
    def people(self) -> Path:
        """The folder of what is known of people: the key, who opted in or out, and who is in which dataset."""
        return self.folder / "people"

    @property
    def answers(self) -> KeptAnswers:
        """Of the model itself, as far as they were brought back."""
        return KeptAnswers(self.folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """For whoever changes imports, datasets or people. What killed processes left is removed. Raises Busy."""
        busy = f"Another command is changing {self.community}: wait until it is done, or end it."
        with locked(self.folder / "lock", busy):
            for name in ("imports", "datasets", "people", "forgotten", "answers"):  # a training has its own lock
                sweep(self.folder / name)
            yield

    def imports(self) -> tuple[Import, ...]:
        """Oldest first."""
        return tuple(map(read_import, _folders(self.folder / "imports")))

    def add_import(self, source: Source, wish: Wish, progress: Advance = lambda done, total: None) -> tuple[Import, bool]:
        """The import of `source`, and whether it is new: the same export is not read twice. Hold the lock. Raises also SourceError."""
        held, mark = self.imports(), fingerprint_of(source, wish)
        for each in held:
            if each.fingerprint == mark:
                return each, False
        last = max((int(each.id[:4]) for each in held), default=0)
        return make_import(self.folder / "imports" / f"{last + 1:04d}-{mark[:8]}", source, wish, progress), True

    def messages(self) -> MergedMessages:
        """All imports as one. Raises NoImports."""
        if not (imports := self.imports()):
            raise NoImports(f"Nothing is imported for {self.community} yet: `troupe import PATH --community {self.community}`.")
        return MergedMessages(imports)

    def datasets(self) -> tuple[Path, ...]:
        """Folders, oldest first."""
        return tuple(sorted(_folders(self.folder / "datasets"), key=lambda each: str(read_json(each / CARD).get("made_at", ""))))

    def latest_dataset(self) -> Path:
        """Raises NoDataset."""
        if not (datasets := self.datasets()):
            raise NoDataset(f"{self.community} has no dataset yet: `troupe curate --community {self.community}`.")
        return datasets[-1]

    def dataset(self, content_hash: str) -> Path:
        """Raises NoDataset."""
        folder = self._dataset_folder(content_hash)
        if not folder.is_dir():
            raise NoDataset(f"{self.community} has no dataset {folder.name}: `troupe curate --community {self.community}` makes one.")
        return folder

    def dataset_of(self, inputs: str) -> Path | None:
        """The dataset that was made of these very inputs, if it is still there."""
        made = (each for each in self.datasets() if (each / INPUTS).is_file() and (each / INPUTS).read_text() == inputs)
        return next(made, None)

    def new_dataset(self, dataset: Dataset, page: str, *, inputs: str = "") -> Path:
        """Keep `dataset` with its card as a `page`. Who is in it is noted first and stays noted. Hold the lock."""
        folder = self._dataset_folder(dataset.content_hash)
        people = {name for side in (dataset.train, dataset.held_out) for example in side for name in (*example.people, example.author)}
        write_json(self._ledger(folder.name), {"hash": dataset.content_hash, "people": sorted(people - {""})})
        if folder.is_dir():  # the same examples, chosen in another way
            write_json(folder / CARD, dataset.card)
            write_text(folder / PAGE, page)
            write_text(folder / INPUTS, inputs)
            return folder
        with new_folder(folder) as unfinished:
            write_dataset(unfinished, dataset)
            (unfinished / PAGE).write_text(page, "utf-8", errors="replace")
            (unfinished / INPUTS).write_text(inputs)
        return folder

    def remove_dataset(self, folder: Path) -> None:
        """It stays noted who was in it: adapters may have learnt from it. Hold the lock."""
        remove(folder)

    def learnt(self) -> Mapping[str, frozenset[str]]:
        """Hash of every dataset there ever was → pseudonyms of who was in it."""
        notes = map(read_json, sorted(self._ledger("").parent.glob("*.json")))
        return {str(note["hash"]): frozenset(note["people"]) for note in notes}

    def runs(self) -> tuple[Run, ...]:
        """Also unfinished ones."""
        return runs_in(self.folder / RUNS)

    def new_run(self, name: str = "") -> Run:
        """A folder to train in; the one of that name where there is one."""
        name = name or f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        return Run(make_folder(self.folder / RUNS / name))

    def run(self, name: str) -> Run:
        """The run of that name, or the `latest`. Raises NoRun."""
        return run_named(self.folder / RUNS, name, self.community)

    def latest_run(self) -> Run:
        """The one that was trained last. Raises NoRun."""
        return self.run("latest")

    def _dataset_folder(self, content_hash: str) -> Path:
        return self.folder / "datasets" / content_hash.removeprefix("sha256:")[:16]

    def _ledger(self, name: str) -> Path:
        return self.people / "learnt" / f"{name}.json"


def communities(home: Path) -> Sequence[str]:
    """Those that have a workspace."""
    return [folder.name for folder in _folders(home / FACTORY)]


def _folders(parent: Path) -> list[Path]:
    found: list[Any] = sorted(parent.iterdir()) if parent.is_dir() else []
    return [each for each in found if each.is_dir() and not each.name.startswith(UNFINISHED)]
