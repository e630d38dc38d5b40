"""What was read and what was left out, why, and where. Knows reasons as words; readers choose them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

_PLACES = 3

EMPTY_CONTENT = "empty content"
OVERLAP = "seen in another file"


@dataclass
class Tally:
    """Reasons counted while reading, with the first places of each, and things worth a sentence (word → how often)."""

    dropped: Counter[str] = field(default_factory=Counter)
    places: dict[str, list[str]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)

    def drop(self, reason: str, place: str) -> None:
        """Count one thing that was left out. `place` says which, for people."""
        self.dropped[reason] += 1
        known = self.places.setdefault(reason, [])
        if len(known) < _PLACES:
            known.append(place)


@dataclass(frozen=True)
class Report:
    """An import in numbers. `dropped`: reason → count; `places`: reason → its first few places; `notes`: sentences for people.

    `first` and `last` are the times of the oldest and newest message.
    """

    path: str
    kind: str
    files: int
    bytes: int
    messages: int
    authors: int
    channels: int
    reacted: int
    first: datetime
    last: datetime
    dropped: Mapping[str, int]
    places: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The report in JSON's types; times in ISO 8601."""
        return asdict(self) | {"first": self.first.isoformat(), "last": self.last.isoformat(), "dropped": dict(self.dropped)}


def reasons(dropped: Mapping[str, int]) -> str:
    """`dropped` in words, the largest first."""
    ordered = sorted(dropped.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason}: {count}" for reason, count in ordered) or "the files are empty"
