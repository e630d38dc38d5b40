"""What differs between two versions, field by field. Pure: knows manifests as JSON and nothing of where they come from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.registry.manifest import Manifest


@dataclass(frozen=True)
class Change:
    """One field that is not the same in both. None also stands for a field that one of them does not have."""

    field: str
    """Dotted inside the training manifest and the report card: `report_card.fit.loss`."""
    before: Any
    after: Any

    def to_json(self) -> dict[str, Any]:
        return {"field": self.field, "from": self.before, "to": self.after}


def changes(before: Manifest, after: Manifest) -> list[Change]:
    """Every field in which the two differ, in the manifest's order; equal ones are left out. Lists are compared whole."""
    old, new = dict(fields(before.to_json())), dict(fields(after.to_json()))
    return [Change(name, old.get(name), new.get(name)) for name in old | new if not _same(old.get(name), new.get(name))]


def fields(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted name and value of everything in `content`, nested objects opened; an empty one is a value."""
    for name, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from fields(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _same(old: Any, new: Any) -> bool:
    """Equal as JSON: `true` is not 1, and a figure that is NaN in both has not changed."""
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_same, old, new))
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    return bool(old == new) or (old != old and new != new)
