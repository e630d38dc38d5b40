"""A part of a card: JSON that was written elsewhere, read with care.

What is missing (or null) is None or empty: "not measured". What has the wrong type, and a number that is not finite, is refused.
Knows nothing of what the parts mean.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NoReturn

from adapters.pages.errors import BrokenCard

SCHEMA = 1
ANYTHING = 1e9
"""A bound this far away says that nothing is known."""


LARGEST = 1e15


@dataclass(frozen=True)
class Estimate:
    """A number and where it lies with 95 % confidence; `low` and `high` are None where nobody said."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class Pair:
    """The same thing measured of the base and of the adapter. Paired, so the difference is surer than the two."""

    base: Estimate
    adapter: Estimate
    difference: Estimate


@dataclass(frozen=True)
class Histogram:
    """`counts[i]` things between `edges[i]` and `edges[i + 1]`."""

    edges: tuple[float, ...]
    counts: tuple[float, ...]

    def filled(self) -> "Histogram":
        """Without what is empty after the last filled bin."""
        last = max(place for place, count in enumerate(self.counts) if count)
        return Histogram(self.edges[: last + 2], self.counts[: last + 1])


@dataclass(frozen=True)
class Part:
    """An object of a card. `path` is where it lies, for the sentence when it is broken; `remedy` says how to make the card anew."""

    content: Mapping[str, Any]
    path: str
    remedy: str

    def part(self, key: str) -> "Part | None":
        value = self.content.get(key)
        return None if value is None else self._object(value, key)

    def parts(self, key: str) -> "tuple[Part, ...]":
        return tuple(self._object(value, f"{key}[{place}]") for place, value in enumerate(self._list(key)))

    def text(self, key: str) -> str:
        """Also of a number; "" when it is missing."""
        value = self.content.get(key)
        if value is None:
            return ""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self._refuse(key, "is not text")
        return str(value)

    def texts(self, key: str) -> tuple[str, ...]:
        values = self._list(key)
        if not all(isinstance(value, str) for value in values):
            self._refuse(key, "is not a list of texts")
        return tuple(values)

    def number(self, key: str) -> float | None:
        value = self.content.get(key)
        return None if value is None else self._number(value, key)

    def count(self, key: str) -> int | None:
        value = self.number(key)
        if value is not None and (value < 0 or value != int(value)):
            self._refuse(key, "is not a count")
        return None if value is None else int(value)

    def numbers(self, key: str) -> tuple[float, ...]:
        return tuple(self._number(value, f"{key}[{place}]") for place, value in enumerate(self._list(key)))

    def flag(self, key: str) -> bool:
        value = self.content.get(key)
        if value is not None and not isinstance(value, bool):
            self._refuse(key, "is neither true nor false")
        return bool(value)

    def tally(self, key: str) -> tuple[tuple[str, int], ...]:
        """Counts by name, the largest first; what has none is left out."""
        part = self.part(key)
        counts = [] if part is None else [(str(name), part.count(name) or 0) for name in part.content]
        return tuple(sorted((each for each in counts if each[1]), key=lambda each: (-each[1], each[0])))

    def estimate(self, key: str) -> Estimate | None:
        """Also from a bare number."""
        value = self.content.get(key)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            return Estimate(self._number(value, key))
        part = self._object(value, key)
        middle, n = part.number("value"), part.count("n")
        if middle is None or n == 0:
            return None
        low, high = (bound if bound is not None and abs(bound) < ANYTHING else None for bound in (part.number("low"), part.number("high")))
        return Estimate(middle, low, high, n)

    def pair(self, key: str) -> Pair | None:
        part = self.part(key)
        return None if part is None else part.as_pair()

    def as_pair(self) -> Pair | None:
        """None unless both were measured."""
        base, adapter = self.estimate("base"), self.estimate("adapter")
        if base is None or adapter is None:
            return None
        return Pair(base, adapter, self.estimate("difference") or Estimate(adapter.value - base.value))

    def histogram(self, key: str) -> Histogram | None:
        """None when there is nothing in it."""
        part = self.part(key)
        if part is None:
            return None
        edges, counts = part.numbers("edges"), part.numbers("counts")
        if not counts or not any(counts):
            return None
        if len(edges) != len(counts) + 1 or any(right <= left for left, right in pairwise(edges)) or min(counts) < 0:
            self._refuse(key, "is not a histogram")
        return Histogram(edges, counts)

    def _object(self, value: Any, key: str) -> "Part":
        if not isinstance(value, Mapping):
            self._refuse(key, "is not an object")
        return Part(value, self._at(key), self.remedy)

    def _list(self, key: str) -> list[Any]:
        value = self.content.get(key)
        if value is None:
            return []
        if not isinstance(value, list | tuple):
            self._refuse(key, "is not a list")
        return list(value)

    def _number(self, value: Any, key: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._refuse(key, "is not a number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self._refuse(key, "is not a finite number")
        if abs(number) > LARGEST:
            self._refuse(key, "is larger than anything that is measured")
        return number

    def _at(self, key: str) -> str:
        return f"{self.path}.{key}"[-200:]

    def _refuse(self, key: str, what: str) -> NoReturn:
        raise BrokenCard(f"{self._at(key)} {what}: {self.remedy}.")


def read_card(card: Mapping[str, Any], name: str, remedy: str) -> Part:
    """The whole card. Raises BrokenCard, also for the card of another schema."""
    if not isinstance(card, Mapping):
        raise BrokenCard(f"The {name} is not an object: {remedy}.")
    part = Part(card, f"The {name}", remedy)
    _check_finite(card, part.path, remedy)
    schema = part.number("schema")
    if schema not in (None, SCHEMA):
        raise BrokenCard(f"The {name} has schema {schema:g}, these pages draw schema {SCHEMA}: {remedy}.")
    return part


def _check_finite(value: Any, path: str, remedy: str) -> None:
    """Also where nobody looks: a page is not made of half a card. Raises BrokenCard."""
    if isinstance(value, float) and not math.isfinite(value):
        raise BrokenCard(f"{path[-200:]} is not a finite number: {remedy}.")
    if isinstance(value, Mapping):
        for key, each in value.items():
            _check_finite(each, f"{path}.{str(key)[:60]}", remedy)
    elif isinstance(value, list | tuple):
        for place, each in enumerate(value):
            _check_finite(each, f"{path}[{place}]", remedy)
