"""The seam between the commands and a registry: its verbs, whichever way they go. Knows no command, no HTTP and no database."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from adapters.registry.manifest import Manifest
from adapters.registry.registry import Garbage
from adapters.registry.snapshot import Snapshot

Sent = Callable[[int, int], None]
"""Told while an adapter is uploaded: bytes sent so far, and in all."""


@dataclass(frozen=True)
class Upload:
    """What is to be published: a directory with the adapter's two files, and what is to be kept beside them."""

    community: str
    directory: Path
    by: str = ""
    training: Mapping[str, Any] | None = None
    report_card: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Published:
    manifest: Manifest
    new: bool
    """False where the community has had these bytes before: they keep their version."""


@dataclass(frozen=True)
class Move:
    """Where an alias points now. `share`: percent of what asks for live, for a canary; else 0."""

    alias: str
    share: float
    manifest: Manifest

    def to_json(self) -> dict[str, Any]:
        """As the gateway's admin API says it."""
        community, version = self.manifest.community, self.manifest.version
        return {
            "community": community,
            "alias": self.alias,
            "version": version,
            "share": self.share,
            "adapter": self.manifest.to_json(),
        }


@dataclass(frozen=True)
class Damaged:
    """A version whose stored bytes are not what was published."""

    community: str
    version: int
    digest: str
    reason: str


@dataclass(frozen=True)
class Verdict:
    """How many versions were read and compared with their digests, and which of them are damaged."""

    checked: int
    damaged: tuple[Damaged, ...]


class Registrar(Protocol):
    """Every method raises RegistryError or CommandError, one sentence."""

    @property
    def tries(self) -> bool:
        """Whether a version is tried on an engine before an alias moves to it."""

    def snapshot(self, community: str | None = None) -> Snapshot:
        """All communities, or one; that one must be known. Manifests come without training manifest and report card."""

    def show(self, community: str, version: int) -> Manifest:
        """With training manifest and report card."""

    def publish(self, upload: Upload, sent: Sent) -> Published: ...

    def promote(self, community: str, version: int, *, alias: str, override: str = "") -> Move:
        """`override`: why it may be live though it failed its gates."""

    def canary(self, community: str, version: int, *, share: float, override: str = "") -> Move: ...

    def clear(self, community: str, alias: str) -> None: ...

    def rollback(self, community: str, *, alias: str) -> Move: ...

    def retire(self, community: str, version: int) -> Manifest: ...

    def quarantine(self, community: str, version: int, reason: str) -> Manifest:
        """Stop serving it at once, whatever points at it."""

    def gc(self) -> Garbage: ...

    def verify(self) -> Verdict: ...
