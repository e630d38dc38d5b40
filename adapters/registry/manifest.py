"""What is known of one published adapter. Immutable; travels as JSON."""

from dataclasses import asdict, dataclass
from typing import Any

from adapters.registry import names


@dataclass(frozen=True)
class Manifest:
    community: str
    version: int
    digest: str
    """`sha256:<64 hex>` over both files; see `store.digest_of`."""
    base_fingerprint: str
    rank: int
    alpha: int
    target_modules: tuple[str, ...]
    size_bytes: int
    published_at: str
    """UTC, ISO 8601."""

    @property
    def engine_name(self) -> str:
        return names.engine_name(self.community, self.digest)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Manifest":
        return cls(**{**content, "target_modules": tuple(content["target_modules"])})
