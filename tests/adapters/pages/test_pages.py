"""What holds for all three pages: one file, nothing from outside, the same bytes, readable with the eyes and without."""

import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from adapters.pages.page import TEMPLATES
from tests.adapters.pages.markup import Markup
from tests.adapters.pages.sample import PAGES, sample

ROOT = Path(__file__).resolve().parents[3]
AGAIN = """
import sys
from hashlib import sha256
from tests.adapters.pages.sample import PAGES, sample
print(*(sha256(PAGES[name](sample(name)).encode()).hexdigest() for name in PAGES))
"""


@pytest.fixture(scope="module", params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return PAGES[request.param](sample(request.param))


def test_a_page_is_well_formed(page: str) -> None:
    """Every tag is closed where it was opened, and no id is there twice."""
    markup = Markup(page)
    assert not markup.open
    assert not markup.misplaced
    assert [name for name, count in Counter(markup.ids).items() if count > 1] == []


def test_a_page_needs_nothing_else(page: str) -> None:
    """No script, no link, no font and no address: it can be sent as a file and read offline."""
    markup = Markup(page)
    assert not {name for name, _ in markup.tags} & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a"}
    assert not re.search(r"https?://|@import|@font-face", page)
    assert set(re.findall(r"url\((.)", page)) <= {"#"}
    assert [name for _, attributes in markup.tags for name in attributes if name.startswith("on")] == []


def test_a_page_forbids_everything_but_its_own_styles(page: str) -> None:
    """Should a text ever get through unescaped, a browser still would not run it."""
    policies = [each["content"] for each in Markup(page).of("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_what_a_plot_refers_to_is_in_the_page(page: str) -> None:
    """Clip paths and marks of one plot are not looked for in another."""
    markup = Markup(page)
    wanted = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', page))
    labels = {each for _, attributes in markup.tags for each in attributes.get("aria-labelledby", "").split()}
    assert labels | {one or other for one, other in wanted} <= set(markup.ids)


def test_plots_and_tables_can_be_read_aloud(page: str) -> None:
    """Plots have a title and a description, header cells say what they are the head of, and strips are left out: numbers stand beside."""
    markup = Markup(page)
    for plot in markup.of("svg"):
        assert plot.get("aria-hidden") == "true" or (plot["role"] == "img" and len(plot["aria-labelledby"].split()) == 2)
    assert all(head["scope"] in ("col", "row") for head in markup.of("th"))
    assert markup.of("html") == [{"lang": "en"}]
    assert len(markup.of("h1")) == 1


def test_plots_have_the_colours_of_the_style_sheet(page: str) -> None:
    """By night they change with the page, so no colour may be fixed in them."""
    assert not re.search(r"#a1000\d|#[0-9a-f]{6}", page[page.index("</style>") :])


def test_the_same_card_gives_the_same_bytes() -> None:
    """Also in another process, with another order of sets and another time of day."""
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Pacific/Auckland"}
    command = [sys.executable, "-c", AGAIN]
    there = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout.split()
    assert there == [sha256(PAGES[name](sample(name)).encode()).hexdigest() for name in PAGES]


def test_templates_are_shipped() -> None:
    """An installed package has them too."""
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["adapters.pages"]
    shipped = {path for pattern in packaged for path in TEMPLATES.parent.glob(pattern)}
    assert shipped == {path for path in TEMPLATES.rglob("*") if path.is_file()}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back"),
    [(front, back) for front in ("ink", "muted", "adapter", "bad", "good", "unsure") for back in ("paper", "raised")]
    + [(tone, f"{tone}-paper") for tone in ("good", "bad", "unsure")]
    + [("ink", f"{tone}-paper") for tone in ("good", "bad", "unsure")],
)
def test_text_has_enough_contrast(scheme: str, front: str, back: str) -> None:
    """4.5 to 1 (WCAG AA), by day and by night."""
    light, dark = (TEMPLATES / "style.css").read_text().split("@media screen and (prefers-color-scheme: dark)", 1)
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", light if scheme == "light" else dark))
    one, other = sorted((_luminance(colours[front]), _luminance(colours[back])))
    assert (other + 0.05) / (one + 0.05) >= 4.5


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
