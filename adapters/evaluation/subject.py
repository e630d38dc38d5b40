"""Finds what is to be evaluated: an adapter, how it was trained, what it learnt from, and the base it was made for. Imports no torch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.evaluation.errors import NoAdapter
from adapters.registry.lora_config import FILE as CONFIG
from adapters.workspace.runs import Run
from adapters.workspace.workspace import Workspace


@dataclass(frozen=True)
class Subject:
    """`run` is where the report goes; None for an adapter that is in no run."""

    adapter: Path
    training: Mapping[str, Any] | None
    dataset: Path | None
    run: Run | None

    @property
    def base(self) -> str:
        """As training knew it; empty where nobody says."""
        return str(_part(self.training, "base").get("name") or "")

    @property
    def quantization(self) -> str:
        return str(_part(self.training, "base").get("quantization") or "")


def in_workspace(workspace: Workspace, name: str) -> Subject:
    """A run of a community; "latest" is one. Raises WorkspaceError."""
    run = workspace.run(name).check()
    training = run.training()
    return Subject(run.adapter, training, workspace.dataset(run.dataset_hash), run)


def at(path: Path) -> Subject:
    """A run's folder, or an adapter's directory. Raises NoAdapter, WorkspaceError."""
    if (path / CONFIG).is_file():
        outer = Run(path.parent)
        own = outer.adapter.resolve() == path.resolve() and outer.is_trained
        return of_run(outer) if own else Subject(path, None, None, None)
    if (path / "adapter").is_dir() or (path / "training.json").is_file():
        return of_run(Run(path))
    raise NoAdapter(f"{path} is neither a run nor an adapter: give a folder that `troupe train` made, or one with {CONFIG} in it.")


def of_run(run: Run) -> Subject:
    training = run.training()
    name = run.dataset_hash.removeprefix("sha256:")[:16]
    beside = run.folder.resolve().parent.parent / "datasets" / name
    return Subject(run.adapter, training, beside if name and beside.is_dir() else None, run)


def read_object(path: Path) -> Mapping[str, Any]:
    """A JSON object, such as a training.json that lies elsewhere. Raises NoAdapter."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as exc:
        raise NoAdapter(f"{path} is no JSON that can be read: give the training.json beside the adapter.") from exc
    if not isinstance(content, dict):
        raise NoAdapter(f"{path} is no JSON object: give the training.json beside the adapter.")
    return content


def _part(training: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    part = (training or {}).get(name)
    return part if isinstance(part, dict) else {}
