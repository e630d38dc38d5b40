"""Versions that are live and learnt from somebody who is forgotten: they wait to be replaced by a training on what is left."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapters.workspace.durable import read_json, write_json
from adapters.workspace.errors import Broken

FILE = "retrain.json"


@dataclass(frozen=True)
class Waiting:
    """A version of the community, since when (UTC, ISO 8601) it waits, and the proof that says why."""

    version: int
    since: str
    proof: str


def waiting(folder: Path) -> tuple[Waiting, ...]:
    """Of the workspace in `folder`. Raises Broken."""
    if not (folder / FILE).exists():
        return ()
    try:
        return tuple(Waiting(int(each["version"]), str(each["since"]), str(each["proof"])) for each in read_json(folder / FILE)["waiting"])
    except (KeyError, TypeError, ValueError) as exc:
        raise Broken(f"{folder / FILE} is damaged: remove it and run `troupe forget` again.") from exc


def add_waiting(folder: Path, version: int, proof: str) -> None:
    """Nothing for one that waits already. Hold the workspace's lock."""
    held = waiting(folder)
    if version not in {each.version for each in held}:
        _save(folder, (*held, Waiting(version, datetime.now(UTC).isoformat(timespec="seconds"), proof)))


def remove_waiting(folder: Path, version: int) -> None:
    """It is replaced, or stopped. Hold the workspace's lock."""
    held = waiting(folder)
    if version in {each.version for each in held}:
        _save(folder, tuple(each for each in held if each.version != version))


def _save(folder: Path, held: tuple[Waiting, ...]) -> None:
    write_json(folder / FILE, {"schema": 1, "waiting": [asdict(each) for each in held]})
