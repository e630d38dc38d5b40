"""What all pages have in common: the parts that templates draw, and one file that needs nothing else."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from adapters.pages.part import Histogram
from adapters.pages.words import brief, share, whole

TEMPLATES = Path(__file__).parent / "templates"
Tone = Literal["good", "bad", "unsure"]
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Verdict:
    """What to think of it all. `badge`: in two words, for whoever reads no more."""

    tone: Tone
    badge: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    name: str
    value: str


@dataclass(frozen=True)
class Bar:
    """A row of a table with a bar of `bar` percent of the width; none where there is nothing to draw."""

    name: str
    value: str
    bar: float | None = None
    about: str = ""
    tone: str = ""


def render(template: str, **content: Any) -> str:
    """One HTML file. Every text in `content` is escaped; only plots are markup."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(template).render(content) + "\n"


def bar(part: float, whole_of: float) -> float | None:
    """The width of a bar in percent."""
    return round(100 * min(1.0, max(0.0, part / whole_of)), 1) if whole_of > 0 and part > 0 else None


def histogram_rows(histogram: Histogram | None) -> list[tuple[str, str]]:
    """A histogram as a table, without the empty bins at its ends."""
    if histogram is None:
        return []
    rows = [
        (f"{brief(left)} to {brief(right)}", whole(count))
        for left, right, count in zip(histogram.edges, histogram.edges[1:], histogram.counts, strict=False)
    ]
    filled = [place for place, count in enumerate(histogram.counts) if count]
    return rows[filled[0] : filled[-1] + 1]


def share_of(part: float, of: float | None) -> str:
    return share(part / of) if of else ""
