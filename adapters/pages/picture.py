"""A plot as inline SVG, twice: for a desk and for a phone. The page's style sheet shows the one that fits, and gives both their colours.

Knows how matplotlib writes SVG, not what is drawn. The same drawing gives the same bytes: no dates, no random ids, one precision.
"""

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib.style
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MUTED, GRID, ADAPTER, BASE, BAD, PAPER = "#a10001", "#a10002", "#a10003", "#a10004", "#a10005", "#a10006", "#a10007"
"""Stand for colours of the style sheet, which differ by day and by night."""
_VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--grid", ADAPTER: "--adapter", BASE: "--base", BAD: "--bad", PAPER: "--paper"}
WIDE, NARROW = 840, 340
FONT = 12.5
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "troupe",
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "font.size": FONT,
    "axes.labelsize": FONT,
    "xtick.labelsize": FONT,
    "ytick.labelsize": FONT,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 1.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 4,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "grid.color": GRID,
    "grid.linewidth": 1.0,
    "lines.linewidth": 2.0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
_NOTHING = {"Date": None, "Creator": None, "Format": None, "Type": None}


@dataclass(frozen=True)
class Canvas:
    """What a plot is drawn on. Lengths in pixels."""

    figure: Figure
    width: float
    height: float

    @property
    def narrow(self) -> bool:
        return self.width < 500

    @property
    def half(self) -> float:
        """Of the side that is split between two panels."""
        return (self.height if self.narrow else self.width) / 2

    def axes(self, *, left: float, right: float, top: float, bottom: float) -> Axes:
        """With that much room around it."""
        box = (
            left / self.width,
            bottom / self.height,
            (self.width - left - right) / self.width,
            (self.height - top - bottom) / self.height,
        )
        return self.figure.add_axes(box)


def picture(key: str, title: str, description: str, draw: Callable[[Canvas], None], height: float, *, stacked: bool = False) -> Markup:
    """`key` is unique on the page; `title` and `description` are for those who do not see it. `stacked`: twice as high on a phone."""
    sizes = (("wide", WIDE, height), ("narrow", NARROW, 2 * height if stacked else height))
    return Markup("").join(_drawn(f"{key}-{name}", name, title, description, draw, width, high) for name, width, high in sizes)


def _drawn(key: str, name: str, title: str, description: str, draw: Callable[[Canvas], None], width: float, height: float) -> Markup:
    with matplotlib.style.context(["default", _STYLE]):
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        draw(Canvas(figure, width, height))
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata=_NOTHING)
    root = ET.fromstring(written.getvalue())  # noqa: S314 (matplotlib has just written it)
    _cleaned(root, key)
    root.attrib = {
        "class": f"plot {name}",
        "viewBox": f"0 0 {width} {height}",
        "role": "img",
        "aria-labelledby": f"{key}-title {key}-desc",
    }
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ET.Element(tag, {"id": f"{key}-{tag}"})
        element.text = text
        root.insert(place, element)
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 (texts are escaped by ElementTree)


def _cleaned(root: ET.Element, key: str) -> None:
    """Without what only a file of its own needs; ids that no other plot on the page has; colours of the style sheet."""
    references = [value for each in root.iter() for name, value in each.attrib.items() if name.endswith("href") or "url(#" in value]
    used = set(re.findall(r"#([\w.-]+)", " ".join(references)))
    for parent in root.iter():
        for child in list(parent):
            if child.tag.endswith("}style") or child.tag.endswith("}metadata"):
                parent.remove(child)
    for element in root.iter():
        element.tag = _local(element.tag)
        element.tail = None
        if element.text and not element.text.strip():
            element.text = None
        kept = {_local(name): value for name, value in element.attrib.items() if name != "id" or value in used}
        element.attrib = {name: _value(name, value, key) for name, value in kept.items()}


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _value(name: str, value: str, key: str) -> str:
    if name == "id":
        return f"{key}-{value}"
    if name == "href":
        return f"#{key}-{value[1:]}"
    value = value.replace("url(#", f"url(#{key}-")
    if name == "style":
        value = re.sub(r"\s*font(-family)?:[^;]*'[^;]*;?", "", value)
        return re.sub(r"#a1000\d", lambda match: f"var({_VARIABLES[match[0]]})", value)
    if name in ("d", "x", "y", "transform", "points", "width", "height"):
        return re.sub(r"-?\d+\.\d+", lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), " ".join(value.split()))
    return value
