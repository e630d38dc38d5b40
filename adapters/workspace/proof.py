"""The proof that somebody is forgotten: what there was, what became of it, and that nothing is left. Holds a keyed digest, never an id.

Begun before anything is removed and kept up to date, so that what a killed command left can be finished by the next.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

from adapters.workspace.durable import read_json, write_json

FOLDER = "forgotten"


@dataclass
class Proof:
    """`content` is what the file says. Save after each change that has to outlive a kill."""

    path: Path
    content: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def is_finished(self) -> bool:
        return self.content["finished"] is not None

    def save(self) -> None:
        write_json(self.path, self.content)

    def begin_file(self, root: Path, path: Path) -> None:
        """`path`, below `root`, is about to be rewritten or removed."""
        known = self._file(root, path)
        if known is None:
            self.content["files"].append({"path": _relative(root, path), "before": digest_of(path), "after": None})
        self.save()

    def end_file(self, root: Path, path: Path) -> None:
        """It is done. `after` is the digest of what is there now, null for nothing."""
        known = self._file(root, path)
        if known is not None:
            known["after"] = digest_of(path) if path.is_file() else None
        self.save()

    def finish(self, after: Mapping[str, int]) -> None:
        """`after`: what a fresh scan found."""
        self.content |= {"after": dict(after), "finished": self.content["finished"] or datetime.now(UTC).isoformat(timespec="seconds")}
        self.save()

    def _file(self, root: Path, path: Path) -> dict[str, Any] | None:
        return next((each for each in self.content["files"] if each["path"] == _relative(root, path)), None)


def is_proved(folder: Path, person: str, since: datetime) -> bool:
    """Whether this person (a keyed digest) was wholly forgotten at `since` or later."""
    held = [dict(read_json(path)) for path in (folder / FOLDER).glob("*.json")]
    times = [each.get("finished") for each in held if each.get("person") == person]
    return any(datetime.fromisoformat(finished) >= since for finished in times if finished is not None)


def open_proof(folder: Path, community: str, person: str, before: Mapping[str, int]) -> Proof:
    """The unfinished proof of this person (a keyed digest), or a new one; the last one where nothing came since.

    `before`: what there is now.
    """
    held = [Proof(path, dict(read_json(path))) for path in sorted((folder / FOLDER).glob("*.json"))]
    mine = [each for each in held if each.content.get("person") == person]
    for each in mine:
        if not each.is_finished:
            return each
    if mine and not any(before.values()):
        return mine[-1]
    now = datetime.now(UTC)
    content = {
        "schema": 1,
        "community": community,
        "person": person,
        "began": now.isoformat(timespec="seconds"),
        "finished": None,
        "before": dict(before),
        "after": None,
        "files": [],
        "datasets": [],
        "runs": [],
        "versions": [],
        "registry": "not asked yet",
    }
    proof = Proof(folder / FOLDER / f"{now:%Y%m%dT%H%M%S%f}-{person[:12]}.json", content)
    proof.save()
    return proof


def digest_of(path: Path) -> str:
    """`sha256:<64 hex>` of a file."""
    with path.open("rb") as file:
        return f"sha256:{file_digest(file, 'sha256').hexdigest()}"


def _relative(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
