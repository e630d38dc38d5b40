"""Names: of communities, of what clients ask for, and of what the engine is told.

Pure. Every pattern is matched whole (`fullmatch`), so a trailing newline or a path never slips through.
"""

import re
from dataclasses import dataclass

from adapters.registry.errors import BadName

COMMUNITY = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
ALIAS = re.compile(r"[a-z][a-z0-9-]{0,31}")
VERSION = re.compile(r"[1-9][0-9]{0,8}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
ENGINE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}-[0-9a-f]{16}")

BASE = "base"
"""The model string of the bare base, and so not a community's name."""

LIVE = "live"
CANARY = "canary"


@dataclass(frozen=True)
class ModelRef:
    """Which adapter a client asks for: a community's alias, or one version of it."""

    community: str
    alias: str = LIVE
    version: int | None = None

    def __str__(self) -> str:
        if self.version is not None:
            return f"{self.community}@{self.version}"
        return self.community if self.alias == LIVE else f"{self.community}@{self.alias}"


def check_community(community: str) -> str:
    """Return `community`, or raise BadName."""
    if community == BASE or not COMMUNITY.fullmatch(community):
        raise BadName(
            f"{community[:80]!r} cannot name a community: use 1 to 63 lower-case letters, digits and dashes, not first a dash"
            f" ({BASE!r} is taken by the base)."
        )
    return community


def parse_model(model: str) -> ModelRef:
    """Read `zizou`, `zizou@canary` or `zizou@7`. Raises BadName."""
    community, at, pointer = model.partition("@")
    check_community(community)
    if not at:
        return ModelRef(community)
    if VERSION.fullmatch(pointer):
        return ModelRef(community, version=int(pointer))
    if ALIAS.fullmatch(pointer):
        return ModelRef(community, alias=pointer)
    raise BadName(f"{pointer[:80]!r} is neither a version number nor an alias.")


def engine_name(community: str, digest: str) -> str:
    """The name vLLM is told: never reused for other bytes, so no cached state can be another adapter's. Raises BadName."""
    check_community(community)
    if not DIGEST.fullmatch(digest):
        raise BadName(f"{digest[:80]!r} is not a digest: expected sha256: and 64 hex digits.")
    return f"{community}-{digest.removeprefix('sha256:')[:16]}"
