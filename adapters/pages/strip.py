"""Numbers with their intervals as dots on one line, several lines on one scale: where to draw them, in percent of the width.

So the line fits every screen without being drawn anew. The numbers themselves stand beside it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from adapters.pages.part import Estimate, Pair

MARGIN = 0.04


@dataclass(frozen=True)
class Scale:
    """`start` and `end`: what stands at its ends."""

    low: float
    high: float
    start: str
    end: str

    def place(self, value: float) -> float:
        inside = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, inside)), 2)


@dataclass(frozen=True)
class Dot:
    kind: str
    """"base" or "adapter": how it looks."""
    at: float
    low: float
    high: float
    y: float = 50


@dataclass(frozen=True)
class Strip:
    dots: tuple[Dot, ...]
    marks: tuple[float, ...] = ()


def scale_of(
    values: Iterable[float],
    write: Callable[[float], str],
    *,
    whole: tuple[float, float] | None = None,
    within: tuple[float, float] | None = None,
) -> Scale:
    """Around all values. `whole`: the scale is that, unless a value lies outside; `within`: it ends there at the latest."""
    known = list(values) or [0.0]
    low, high = min(known), max(known)
    if whole is not None and whole[0] <= low and high <= whole[1]:
        low, high = whole
    else:
        room = MARGIN * (high - low) or max(abs(high), 1.0) * MARGIN
        low, high = low - room, high + room
        if within is not None and within[0] < high and low < within[1]:
            low, high = max(low, within[0]), min(high, within[1])
    return Scale(low, high, write(low), write(high))


def reach(estimates: Iterable[Estimate | None]) -> list[float]:
    """Every value and bound."""
    return [each for found in estimates if found for each in (found.value, found.low, found.high) if each is not None]


def dot(kind: str, found: Estimate, scale: Scale, y: float = 50) -> Dot:
    low, high = (found.value if bound is None else bound for bound in (found.low, found.high))
    return Dot(kind, scale.place(found.value), scale.place(low), scale.place(high), y)


def pair_strip(pair: Pair, scale: Scale, marks: Sequence[float] = ()) -> Strip:
    """The base above, the adapter below it."""
    dots = (dot("base", pair.base, scale, 30), dot("adapter", pair.adapter, scale, 70))
    return Strip(dots, tuple(scale.place(mark) for mark in marks))
