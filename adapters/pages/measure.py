"""Rows of a table that hold base against adapter: the strip, the numbers, and whether the difference says anything. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from adapters.pages.page import NOT_MEASURED, Tone
from adapters.pages.part import Estimate, Pair
from adapters.pages.strip import Scale, Strip, pair_strip, reach, scale_of
from adapters.pages.words import DASH, plus, share

Write = Callable[[float], str]


@dataclass(frozen=True)
class Unit:
    """How a number is written, alone and as a difference, and which way is good (+1, −1; 0: neither)."""

    write: Write
    change: Write
    good: int
    whole: tuple[float, float] | None = None
    rare: bool = False
    """Small shares, hopefully: drawn from zero to little more than the largest."""


@dataclass(frozen=True)
class Value:
    """`interval` is "" where nobody said."""

    text: str
    interval: str = ""


@dataclass(frozen=True)
class Measure:
    name: str
    about: str
    strip: Strip | None
    base: Value
    adapter: Value
    difference: Value
    tone: Tone | None
    meaning: str


@dataclass(frozen=True)
class Measures:
    scale: Scale
    rows: tuple[Measure, ...]

    @property
    def has_intervals(self) -> bool:
        return any(row.base.interval or row.adapter.interval for row in self.rows)


def share_change(difference: float) -> str:
    """In points, without the word."""
    percent = 100 * difference
    return plus(percent, 0 if abs(percent) >= 9.95 or percent == 0 else 1)


SHARE_UP = Unit(share, share_change, 1, (0.0, 1.0))
SHARE_DOWN = Unit(share, share_change, -1, rare=True)
SHARE_RARE = Unit(share, share_change, 0, rare=True)
RARE = 0.1
"""Shares of what should not happen are drawn at least up to here."""


def measures(
    found: Iterable[tuple[str, str, Pair | None]], unit: Unit, marks: Iterable[float] = (), *, close: bool = False, good: Sequence[int] = ()
) -> Measures:
    """`found`: name, a sentence about it, and the pair. `marks`: values with a line through all rows. `close`: not the unit's whole
    scale, only what is needed. `good`: which way is good in each row, where that differs."""
    rows, lines = list(found), list(marks)
    values = [*reach(each for _, _, pair in rows if pair for each in (pair.base, pair.adapter)), *lines]
    whole = (0.0, max(RARE, min(1.0, 1.1 * max(values, default=0.0)))) if unit.rare else unit.whole
    scale = scale_of(values, unit.write, within=unit.whole) if close else scale_of(values, unit.write, whole=whole)
    units = [replace(unit, good=way) for way in good] if good else [unit] * len(rows)
    return Measures(scale, tuple(_measure(*row, unit, scale, lines) for row, unit in zip(rows, units, strict=True)))


def value(found: Estimate | None, write: Write) -> Value:
    if found is None:
        return Value(NOT_MEASURED)
    if found.low is None or found.high is None:
        return Value(write(found.value))
    return Value(write(found.value), _between(write(found.low), write(found.high)))


def meaning(difference: Estimate, good: int) -> tuple[Tone | None, str]:
    """What a paired difference says: it has to lie on one side of zero with its whole interval."""
    if difference.low is None or difference.high is None:
        return None, "no interval"
    if difference.low <= 0 <= difference.high:
        return None, "no difference shown"
    rises = difference.low > 0
    if not good:
        return None, "higher" if rises else "lower"
    return ("good", "better") if rises == (good > 0) else ("bad", "worse")


def _measure(name: str, about: str, pair: Pair | None, unit: Unit, scale: Scale, marks: list[float]) -> Measure:
    if pair is None:
        nothing = Value(NOT_MEASURED)
        return Measure(name, about, None, nothing, nothing, nothing, None, "")
    tone, words = meaning(pair.difference, unit.good)
    base, adapter = value(pair.base, unit.write), value(pair.adapter, unit.write)
    return Measure(name, about, pair_strip(pair, scale, marks), base, adapter, value(pair.difference, unit.change), tone, words)


def _between(low: str, high: str) -> str:
    """With a word where a dash could be taken for a minus."""
    plain = not any(text.startswith(("+", "−")) for text in (low, high))
    if plain and low.endswith("\u00a0%") and high.endswith("\u00a0%"):
        low = low.removesuffix("\u00a0%")
    return f"{low}{DASH}{high}" if plain else f"{low} to {high}"
