"""Stacked bars of what starts were spent on. Needs matplotlib, which the extra `train` brings: imported only where a chart is asked for."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib import colormaps
from matplotlib.figure import Figure

INK = "#24292f"
NARROW = 0.035
"""A phase below this share of the longest bar carries no number: it would not fit."""


def draw(bars: Mapping[str, Mapping[str, float]], names: Mapping[str, str], path: Path) -> None:
    """`bars`: what is started → phase → seconds, from top to bottom; `names`: phase → what the legend calls it. By `path`'s suffix."""
    figure = Figure(figsize=(10, 1.6 + 0.75 * len(bars)), facecolor="white", layout="constrained")
    axes = figure.add_subplot(facecolor="white")
    colours = colormaps["Set3"].colors  # type: ignore[attr-defined]
    longest = max(sum(spent.values()) for spent in bars.values())
    places = range(len(bars))
    left = [0.0] * len(bars)
    for number, (phase, name) in enumerate(names.items()):
        widths = [spent[phase] for spent in bars.values()]
        axes.barh(places, widths, left=left, height=0.62, color=colours[number], label=name, edgecolor="white", linewidth=0.5)
        for place, width in zip(places, widths, strict=True):
            if width > NARROW * longest:
                axes.text(left[place] + width / 2, place, f"{width:.1f}", ha="center", va="center", fontsize=9, color=INK)
            left[place] += width
    for place, total in zip(places, left, strict=True):
        axes.text(total + 0.01 * longest, place, f"{total:.1f} s", ha="left", va="center", fontsize=11, fontweight="bold", color=INK)
    axes.set_yticks(places, list(bars))
    axes.invert_yaxis()
    axes.set_xlim(0, 1.1 * longest)
    axes.set_xlabel("seconds from the start to the first token", color=INK)
    axes.tick_params(colors=INK, labelsize=11)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.xaxis.grid(visible=True, color="#d8dee4", linewidth=0.7)
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=4, fontsize=9, frameon=False, labelcolor=INK)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
