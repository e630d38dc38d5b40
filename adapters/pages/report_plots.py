"""The plots of a report card. Each takes numbers and gives a picture; what they mean is said by the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from adapters.pages.axes import bars, heading, panel, short, x_scale, y_counts, y_shares
from adapters.pages.part import Estimate, Histogram, Pair
from adapters.pages.picture import ADAPTER, BASE, INK, MUTED, Canvas, picture
from adapters.pages.words import brief, share

KL_OF_QUANTIZATION = ((0.00024, "8-bit"), (0.0047, "5-bit"), (0.051, "3-bit"))
"""Mean KL of an 8B model to itself when its weights are rounded to so many bits (llama.cpp, Llama-3.1-8B)."""


@dataclass(frozen=True)
class Loss:
    step: float
    train: float | None
    held_out: float | None


def ranking_picture(accuracy: Pair, chance: float | None) -> Markup:
    """Two bars, their intervals, and what guessing gets."""

    def draw(canvas: Canvas) -> None:
        axes = canvas.axes(left=66, right=52, top=26, bottom=30)
        rows = ((1, "base", accuracy.base, BASE), (0, "adapter", accuracy.adapter, ADAPTER))
        for y, _, found, colour in rows:
            axes.barh([y], [found.value], 0.62, color=colour)
            ends = _interval(found)
            axes.plot(ends, [y, y], color=INK, linewidth=1.6, solid_capstyle="butt")
            for end in ends:
                axes.plot([end, end], [y - 0.1, y + 0.1], color=INK, linewidth=1.6)
            axes.annotate(
                share(found.value),
                (max(found.value, *ends), y),
                xytext=(7, 0),
                textcoords="offset points",
                va="center",
                fontsize=15,
                fontweight="bold",
            )
        axes.set_yticks([y for y, *_ in rows], labels=[name for _, name, *_ in rows])
        axes.tick_params(axis="y", labelsize=14, labelcolor=INK)
        axes.set_ylim(-0.5, 1.5)
        axes.set_xlim(0, min(1.0, max(0.1, *(max(_interval(found)) for _, _, found, _ in rows), chance or 0) * 1.08))
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(lambda value, _: share(value))
        if chance:
            axes.axvline(chance, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
            axes.annotate(
                f"guessing: {share(chance)}",
                (chance, 1),
                xycoords=("data", "axes fraction"),
                xytext=(4, 3),
                textcoords="offset points",
                color=MUTED,
            )

    description = (
        f"The base picks the real message in {share(accuracy.base.value)} of cases, the adapter in {share(accuracy.adapter.value)}."
    )
    return picture("ranking", "How often the real banger is picked", description, draw, 170)


def ranks_picture(base: Sequence[float], adapter: Sequence[float]) -> Markup:
    """How often the real banger came first, second, third …"""
    sides = (("base", base, BASE), ("adapter", adapter, ADAPTER))
    top = 1.12 * max(each / (sum(counts) or 1) for _, counts, _ in sides for each in counts)

    def draw(canvas: Canvas) -> None:
        for place, (name, counts, colour) in enumerate(sides):
            axes = panel(canvas, place, len(sides))
            axes.bar(range(1, len(counts) + 1), [each / (sum(counts) or 1) for each in counts], 0.84, color=colour)
            y_shares(axes, top or 1.0)
            axes.axhline(1 / len(counts), color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
            axes.set_xlim(0.4, len(counts) + 0.6)
            axes.xaxis.set_major_locator(
                FixedLocator([1, *range(5, len(counts) + 1, 5)] if len(counts) > 12 else range(1, len(counts) + 1))
            )
            heading(axes, f"{name}: share of the cases")
            axes.set_xlabel("rank of the real banger (dashed: guessing)")

    return picture(
        "ranks",
        "Ranks of the real banger",
        "How often it was ranked first, second and so on, by the base and by the adapter.",
        draw,
        230,
        stacked=True,
    )


def kl_picture(histogram: Histogram, mean: float | None) -> Markup:
    """How many tokens changed by how much; references above."""

    def draw(canvas: Canvas) -> None:
        axes = canvas.axes(left=48, right=22, top=62, bottom=52)
        x_scale(axes, histogram.edges)
        y_counts(axes, histogram.counts)
        bars(axes, histogram, ADAPTER)
        heading(axes, "Tokens", lift=36)
        axes.set_xlabel("KL(base ‖ adapter), nats per token")
        low, high = axes.get_xlim()
        for value, name in KL_OF_QUANTIZATION:
            if low < value < high:
                axes.axvline(value, color=MUTED, linewidth=1, linestyle=(0, (1, 3)))
                axes.annotate(
                    name,
                    (value, 1),
                    xycoords=("data", "axes fraction"),
                    xytext=(0, 3),
                    textcoords="offset points",
                    ha="center",
                    color=MUTED,
                )
        if mean is not None and low < mean < high:
            axes.axvline(mean, color=INK, linewidth=1.4)
            axes.annotate(
                f"mean {brief(mean)}",
                (mean, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 19),
                textcoords="offset points",
                ha="center",
                fontweight="bold",
            )

    return picture("kl", "Distance from the base", "How many tokens have which KL divergence between base and adapter.", draw, 270)


def losses_picture(losses: Sequence[Loss], best_step: float | None) -> Markup:
    """The training loss thin, the held-out one thick: only the second says anything."""
    train = [(each.step, each.train) for each in losses if each.train is not None]
    held_out = [(each.step, each.held_out) for each in losses if each.held_out is not None]

    def draw(canvas: Canvas) -> None:
        axes = canvas.axes(left=48, right=78, top=36, bottom=52)
        last = 1.0
        for points, colour, width in ((train, BASE, 1.4), (held_out, ADAPTER, 2.5)):
            if points:
                axes.plot([x for x, _ in points], [y for _, y in points], color=colour, linewidth=width)
                last = max(last, points[-1][0])
        for y, (name, end) in zip(
            _apart([points[-1][1] for points in (train, held_out) if points], axes.get_ylim()), _ends(train, held_out), strict=True
        ):
            axes.annotate(
                name, (end, y), xytext=(7, 0), textcoords="offset points", va="center", color=ADAPTER if name == "held out" else MUTED
            )
        best = next((y for x, y in held_out if x == best_step), None)
        if best is not None and best_step is not None:
            axes.plot([best_step], [best], "o", color=ADAPTER, markersize=8)
            axes.annotate("kept", (best_step, best), xytext=(0, 10), textcoords="offset points", ha="center", fontweight="bold")
        axes.set_xlim(0, last)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter(lambda value, _: short(round(value, 6)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.grid(axis="y")
        heading(axes, "Loss (nats per token)")
        axes.set_xlabel("step")

    return picture("losses", "Loss while training", "The loss on the training examples and on the held-out ones.", draw, 270)


def _interval(found: Estimate) -> tuple[float, float]:
    return (found.value if found.low is None else found.low), (found.value if found.high is None else found.high)


def _ends(train: Sequence[tuple[float, float]], held_out: Sequence[tuple[float, float]]) -> list[tuple[str, float]]:
    return [(name, points[-1][0]) for name, points in (("training", train), ("held out", held_out)) if points]


def _apart(heights: list[float], limits: tuple[float, float]) -> list[float]:
    """Where two labels stand so that they do not lie on each other."""
    least = 0.09 * (limits[1] - limits[0])
    if len(heights) == 2 and abs(heights[0] - heights[1]) < least:
        middle, up = sum(heights) / 2, 1 if heights[0] >= heights[1] else -1
        return [middle + up * least / 2, middle - up * least / 2]
    return heights
