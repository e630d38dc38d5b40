"""What is known of one published adapter. Travels as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from adapters.registry import names


class State(StrEnum):
    PUBLISHED = "published"
    RETIRED = "retired"
    """For good: nothing points at it any more, and the next `gc` removes its bytes."""
    QUARANTINED = "quarantined"
    """Not to be served: its bytes are damaged, or it failed on the engine; `reason` says which."""


@dataclass(frozen=True)
class Manifest:
    """One version of one community. All but `state`, `reason` and `override` never change."""

    community: str
    version: int
    digest: str
    """`sha256:<64 hex>` over both files as they are stored; see `blobs.digest_of`."""
    base_fingerprint: str
    rank: int
    alpha: int
    target_modules: tuple[str, ...]
    dtype: str
    """Of the stored weights, as safetensors names it."""
    size_bytes: int
    published_by: str
    published_at: str
    """UTC, ISO 8601."""
    state: State = State.PUBLISHED
    reason: str | None = None
    training: Mapping[str, Any] | None = None
    """The training manifest, if it came with one; left out of lists."""
    report_card: Mapping[str, Any] | None = None
    """The evaluation, if it came with one; left out of lists."""
    override: Mapping[str, Any] | None = None
    """Why it may be live though it failed its gates: `why`, `by` and `at`. None where nobody said so."""

    lesson: Mapping[str, Any] | None = None
    """What callers may know of its training (`lesson.lesson_of`); in lists, too."""

    @property
    def engine_name(self) -> str:
        return names.engine_name(self.community, self.digest)

    @property
    def ref(self) -> names.ModelRef:
        return names.ModelRef(self.community, version=self.version)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "target_modules": list(self.target_modules)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Manifest":
        """Raises KeyError, TypeError or ValueError on what is not a manifest."""
        return cls(**{**content, "target_modules": tuple(content["target_modules"]), "state": State(content["state"])})
