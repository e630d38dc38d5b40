"""What is known of one key: everything but its secret and its hash. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from server.accounts.principal import Principal, Scope
from server.accounts.times import as_text


@dataclass(frozen=True)
class Key:
    """One row of the table."""

    id: str
    name: str
    scopes: frozenset[Scope]
    communities: frozenset[str] | None
    """None: all that there are and will be."""
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    replaced_by: str | None = None
    """The id of the key that was made in its place; this one still opens until it expires."""
    last_used_at: datetime | None = None
    """Correct to a minute."""

    def opens(self, at: datetime) -> bool:
        """A revoked one never, whatever the clock of whoever revoked it said."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    @property
    def principal(self) -> Principal:
        """Whom it belongs to, if it opens."""
        return Principal(self.id, self.scopes, self.communities)

    def to_json(self) -> dict[str, Any]:
        """Times in ISO 8601, lists sorted; `communities` is null for all."""
        times = {name: getattr(self, name) for name in ("created_at", "expires_at", "revoked_at", "last_used_at")}
        return {
            "id": self.id,
            "name": self.name,
            "scopes": sorted(self.scopes),
            "communities": None if self.communities is None else sorted(self.communities),
            "created_by": self.created_by,
            "revoked_by": self.revoked_by,
            "replaced_by": self.replaced_by,
            **{name: None if at is None else as_text(at) for name, at in times.items()},
        }


@dataclass(frozen=True, repr=False)
class Created:
    """A key that was just made. `text` is shown to whoever asked for it, once: it cannot be had again."""

    key: Key
    text: str
    replaced: Key | None = None
    """The key in whose place it was made."""

    def __repr__(self) -> str:
        """Without the secret: it may come into a log."""
        return f"Created({self.key.id!r})"
