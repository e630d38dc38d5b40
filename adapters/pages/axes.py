"""Axes that a person can read: where their numbers stand, and whether steps or factors count. Knows no card."""

from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from adapters.pages.part import Histogram
from adapters.pages.picture import BASE, MUTED, PAPER, Canvas
from adapters.pages.words import brief, share, whole

FACTORS_FROM = 30.0
"""An axis over more than this ratio counts in factors (1, 10, 100), not in steps."""


def x_scale(axes: Axes, edges: Sequence[float]) -> None:
    """Linear, or logarithmic when the edges grow by factors; a first edge of 0 gets a place of its own on it."""
    low, high = edges[0], edges[-1]
    first = next((edge for edge in edges if edge > 0), 1.0)
    widths = [right - left for left, right in pairwise(edges)]
    if low >= 0 and high / first > FACTORS_FROM and max(widths) > 3 * min(widths):
        if low > 0:
            axes.set_xscale("log")
        else:
            axes.set_xscale("symlog", linthresh=first, linscale=0.3)
        powers = [power for exponent in range(-8, 9) if first * 1.01 < (power := 10.0**exponent) <= high * 1.01 or power == low]
        if len(powers) < 3:
            powers += [power * factor for power in (powers or [1.0]) for factor in (2, 5) if first < power * factor <= high]
        room = 4 if _narrow(axes) else 7
        axes.xaxis.set_major_locator(FixedLocator([0.0] * (low == 0) + sorted(powers)[:: -(-len(powers) // room)]))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4 if _narrow(axes) else 6, steps=[1, 2, 5, 10]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.set_xlim(low, high)


def y_counts(axes: Axes, counts: Sequence[float], *, factors: bool = False) -> None:
    """From zero, few lines. With `factors`, counts that differ a lot get a logarithmic axis from a half."""
    top = max((count for count in counts if count), default=1.0)
    smallest = min((count for count in counts if count), default=1.0)
    if factors and top / smallest > FACTORS_FROM:
        axes.set_yscale("log")
        axes.set_ylim(0.5, top * 1.6)
        powers = [10.0**exponent for exponent in range(10) if 10.0**exponent <= top * 1.6]
        axes.yaxis.set_major_locator(FixedLocator(powers[:: 1 + (len(powers) - 1) // 4]))
    else:
        axes.set_ylim(0, top * 1.12)
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=top >= 3, steps=[1, 2, 5, 10]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.grid(axis="y")


def y_shares(axes: Axes, top: float) -> None:
    axes.set_ylim(0, top)
    axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: share(value)))
    axes.grid(axis="y")


def bars(axes: Axes, histogram: Histogram, colour: str = BASE) -> None:
    """One next to the other, with a hair of paper between them."""
    widths = [right - left for left, right in pairwise(histogram.edges)]
    axes.bar(histogram.edges[:-1], histogram.counts, widths, align="edge", color=colour, edgecolor=PAPER, linewidth=1)


def short(value: float) -> str:
    """A number on an axis: 0.5, 200, 10k, 2M."""
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:g}M"
    if size >= 1e4:
        return f"{value / 1e3:g}k"
    return whole(value) if size >= 1000 or value == 0 else f"{value:g}" if size >= 1e-4 else brief(value)


def panel(canvas: Canvas, place: int, of: int) -> Axes:
    """One of two: side by side on a desk, one above the other on a phone."""
    left, right, top, bottom = 48, 22, 34, 52
    if of == 1:
        return canvas.axes(left=left, right=right, top=top, bottom=bottom)
    half = canvas.half
    if canvas.narrow:
        return canvas.axes(left=left, right=right, top=top + place * half, bottom=bottom + (1 - place) * half)
    return canvas.axes(left=left + place * half, right=right + (1 - place) * half, top=top, bottom=bottom)


def heading(axes: Axes, text: str, lift: float = 12) -> None:
    """What the y axis counts, above it, to be read without turning the head."""
    axes.annotate(
        text, (0, 1), xycoords="axes fraction", xytext=(-44, lift), textcoords="offset points", ha="left", va="bottom", color=MUTED
    )


def _narrow(axes: Axes) -> bool:
    return bool(axes.bbox.width < 400)
