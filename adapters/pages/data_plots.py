"""The plots of a data card. Each takes numbers and gives a picture; what they mean is said by the page."""

from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup
from matplotlib.axes import Axes

from adapters.pages.axes import bars, heading, panel, x_scale, y_counts, y_shares
from adapters.pages.part import Histogram
from adapters.pages.picture import ADAPTER, BAD, BASE, INK, Canvas, picture
from adapters.pages.words import exactly, month_name

CURVE_POINTS = 160
LEFT_OUT_WIDTH = 60.0


@dataclass(frozen=True)
class Curve:
    """The soft cutoff: weight = 1 / (1 + (cutoff / reward) ** sharpness), and nothing below `floor`."""

    cutoff: float
    sharpness: float
    floor: float

    def weight(self, reward: float) -> float:
        if reward <= 0:
            return 0.0
        try:
            return float(1 / (1 + (self.cutoff / reward) ** self.sharpness))
        except OverflowError:
            return 0.0

    @property
    def least(self) -> float:
        """The reward below which a message is left out."""
        if not 0 < self.floor < 1:
            return 0.0
        return float(self.cutoff * (self.floor / (1 - self.floor)) ** (1 / self.sharpness))


@dataclass(frozen=True)
class Month:
    start: datetime
    messages: int
    examples: int


def cutoff_picture(curve: Curve, rewards: Histogram | None) -> Markup:
    """Above, how much a message of each reward counts; below, how many messages have it."""

    def draw(canvas: Canvas) -> None:
        both = rewards is not None
        above = canvas.axes(left=48, right=22, top=30, bottom=240 if both else 52)
        edges = rewards.edges if rewards else (0.0, 6 * curve.cutoff)
        x_scale(above, edges)
        y_shares(above, 1.04)
        above.set_yticks([0, 0.5, 1])
        start, end = above.get_xlim()
        steps = _steps(above, start, end)
        above.plot(
            steps, [curve.weight(step) if curve.weight(step) >= curve.floor else 0.0 for step in steps], color=ADAPTER, linewidth=2.5
        )
        heading(above, "How much a message counts")
        panels = [above]
        if rewards is not None:
            below = canvas.axes(left=48, right=22, top=220, bottom=52)
            x_scale(below, rewards.edges)
            y_counts(below, rewards.counts, factors=True)
            bars(below, rewards)
            heading(below, "How many messages there are")
            above.tick_params(labelbottom=False)
            panels.append(below)
        panels[-1].set_xlabel(
            "reward: people who reacted, as if every channel and month were equally lively"
            if not canvas.narrow
            else "reward (people who reacted, adjusted)"
        )
        _mark_parameters(panels, curve, (start, end))

    description = f"The weight is one half at a reward of {exactly(curve.cutoff)} and rises with sharpness {exactly(curve.sharpness)}."
    return picture("cutoff", "Soft cutoff over the rewards", description, draw, 410 if rewards else 250)


def weights_picture(weights: Histogram) -> Markup:
    def draw(canvas: Canvas) -> None:
        axes = canvas.axes(left=48, right=22, top=30, bottom=52)
        x_scale(axes, weights.edges)
        y_counts(axes, weights.counts)
        bars(axes, weights, ADAPTER)
        heading(axes, "Examples")
        axes.set_xlabel("weight in training")

    return picture("weights", "Weights of the examples", "How many examples have which weight, 0 to 1.", draw, 220)


def lengths_picture(target: Histogram | None, context: Histogram | None) -> Markup:
    """One above the other on a phone, side by side on a desk."""
    both = (("What is learnt", target, ADAPTER), ("What was said before it", context, BASE))
    panels = [(name, histogram.filled(), colour) for name, histogram, colour in both if histogram is not None]

    def draw(canvas: Canvas) -> None:
        for place, (name, histogram, colour) in enumerate(panels):
            axes = panel(canvas, place, len(panels))
            x_scale(axes, histogram.edges)
            y_counts(axes, histogram.counts)
            bars(axes, histogram, colour)
            heading(axes, name)
            axes.set_xlabel("characters")

    return picture("lengths", "Lengths", "How long the messages to learn and their contexts are.", draw, 220, stacked=len(panels) > 1)


def months_picture(months: tuple[Month, ...], border: datetime | None) -> Markup:
    """Messages above, examples below; the border where the held-out part begins."""

    def draw(canvas: Canvas) -> None:
        above = canvas.axes(left=48, right=22, top=30, bottom=200)
        below = canvas.axes(left=48, right=22, top=200, bottom=36)
        places = range(len(months))
        at = None if border is None else _place(months, border)
        for axes, name, counts, colour in (
            (above, "Messages a month", [month.messages for month in months], BASE),
            (below, "Examples a month", [month.examples for month in months], ADAPTER),
        ):
            axes.bar(places, counts, 0.86, color=colour)
            y_counts(axes, [*counts, 1])
            axes.set_xlim(-0.6, len(months) - 0.4)
            heading(axes, name)
            if at is not None:
                axes.axvline(at, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        _month_labels(below, months, canvas)
        above.set_xticks(below.get_xticks(), labels=[])
        if at is not None:
            room = at < 0.8 * len(months)
            above.annotate(
                "held out →" if room else "held out",
                (at, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(5 if room else -5, 2),
                textcoords="offset points",
                ha="left" if room else "right",
                va="bottom",
            )

    description = "Messages and examples of each month; what was written after the border is never learnt, only judged by."
    return picture("months", "Months", description, draw, 350)


def _steps(axes: Axes, start: float, end: float) -> list[float]:
    """Evenly over the picture, whatever the scale."""
    transform = axes.transScale
    (left, _), (right, _) = transform.transform([(start, 0), (end, 0)])
    places = [left + (right - left) * step / CURVE_POINTS for step in range(CURVE_POINTS + 1)]
    return [float(x) for x, _ in transform.inverted().transform([(place, 0) for place in places])]


def _mark_parameters(panels: list[Axes], curve: Curve, limits: tuple[float, float]) -> None:
    above, (start, end) = panels[0], limits
    for axes in panels:
        if start < curve.least < end:
            axes.axvspan(start, curve.least, color=BAD, alpha=0.10, linewidth=0)
        if start <= curve.cutoff <= end:
            axes.axvline(curve.cutoff, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
    if start <= curve.cutoff <= end:
        above.plot([curve.cutoff], [0.5], "o", color=ADAPTER, markersize=8)
        lines = f"cutoff {exactly(curve.cutoff)}: counts half\nsharpness {exactly(curve.sharpness)}: how steep"
        above.annotate(lines, (curve.cutoff, 0.5), xytext=(12, -6), textcoords="offset points", va="top", ha="left", linespacing=1.45)
    if start < curve.least < end:
        # Inside, where there is room, else beside it; the curve is low there.
        left, right = (above.transData.transform((x, 0))[0] for x in (start, curve.least))
        inside = right - left > LEFT_OUT_WIDTH
        above.annotate(
            "left out",
            (curve.least, 0.93),
            xycoords=("data", "axes fraction"),
            xytext=(-5 if inside else 4, 0),
            textcoords="offset points",
            ha="right" if inside else "left",
            va="top",
            color=BAD,
        )


def _place(months: tuple[Month, ...], at: datetime) -> float | None:
    """Where a time lies between the bars: −0.5 is the start of the first month. None when it lies outside."""
    for place, month in enumerate(months):
        if (month.start.year, month.start.month) == (at.year, at.month):
            return place - 0.5 + (at.day - 1) / 31
    return None


def _month_labels(axes: Axes, months: tuple[Month, ...], canvas: Canvas) -> None:
    """As many as fit, the year where it is new."""
    room = 4 if canvas.narrow else 10
    every = next(step for step in (1, 2, 3, 6, 12, 24, 48, 96, 192, 10_000) if len(months) / step <= room)
    ticks = [place for place, month in enumerate(months) if (12 * month.start.year + month.start.month - 1) % every == 0] or [0]
    axes.set_xticks(ticks, labels=[month_name(months[place].start, year_only=every >= 12) for place in ticks])
