"""Interleaved rounds: in which order the paths are measured, which rounds count, and what many rounds say together. Pure.

Figures of two paths are only ever compared within one round; what is reported is the median of those comparisons, with the smallest
and the largest. A shared machine is slower at some times than at others, and ratios of separate runs would measure that.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

Round = Mapping[str, Mapping[str, float]]
"""What one round gave: path → figure → value."""

MOVED_LIMIT = 1.2
"""A round in which the same path, measured twice, differs by more than this factor is not counted."""


@dataclass(frozen=True)
class Range:
    """The median of several rounds and how far they lie apart."""

    median: float
    low: float
    high: float
    rounds: int

    def text(self, digits: int = 2, *, signed: bool = False) -> str:
        """`1.25 (1.10–1.31)`, with so many digits after the point."""
        middle, low, high = (f"{value:{'+' if signed else ''}.{digits}f}" for value in (self.median, self.low, self.high))
        return f"{middle} ({low}–{high})" if not signed else f"{middle} ({low} … {high})"


def over(values: Sequence[float]) -> Range:
    """Raises ValueError if there is not one value."""
    if not values:
        raise ValueError("not one round was counted")
    return Range(median(values), min(values), max(values), len(values))


def rotated(paths: Sequence[str], turn: int) -> list[str]:
    """The order of round `turn`: after as many rounds as there are paths, each was at each place once."""
    shift = turn % len(paths)
    return [*paths[shift:], *paths[:shift]]


def moved(before: Mapping[str, float], after: Mapping[str, float], figures: Sequence[str], limit: float = MOVED_LIMIT) -> bool:
    """Whether any of `figures` of one path changed between two measurements by more than a factor of `limit`."""
    return any(max(before[name], after[name]) > limit * min(before[name], after[name]) for name in figures)


def figure(rounds: Sequence[Round], path: str, name: str) -> Range:
    return over([one[path][name] for one in rounds])


def ratio(rounds: Sequence[Round], path: str, to: str, name: str) -> Range:
    """`path` divided by `to`, round by round."""
    return _compared(rounds, path, to, name, operator.truediv)


def added(rounds: Sequence[Round], path: str, to: str, name: str) -> Range:
    """`path` minus `to`, round by round."""
    return _compared(rounds, path, to, name, operator.sub)


def _compared(rounds: Sequence[Round], path: str, to: str, name: str, how: Callable[[float, float], float]) -> Range:
    return over([how(one[path][name], one[to][name]) for one in rounds])
