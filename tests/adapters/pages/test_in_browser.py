"""The pages in a real browser: nothing complains, nothing is fetched, nothing sticks out on a phone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.adapters.pages.browser import Tab, find_browser, open_browser
from tests.adapters.pages.sample import PAGES, replaced, sample

BROWSER = find_browser()
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
STICKING_OUT = """
[...document.querySelectorAll('body *')].filter(each => !each.closest('.scroll') && (!each.closest('svg') || each.matches('svg, text')))
  .filter(each => each.getBoundingClientRect().right > innerWidth + 1).map(each => each.tagName + ' ' + each.textContent)
  .slice(0, 5).join(', ')
"""
SMALLEST_TEXT = """
Math.min(...[...document.querySelectorAll('svg text')].filter(each => each.getBoundingClientRect().height > 0).map(each => {
  const plot = each.ownerSVGElement
  return parseFloat(getComputedStyle(each).fontSize) * plot.getBoundingClientRect().width / plot.viewBox.baseVal.width
}))
"""
LONG = "SuperlongNameWithoutAnySpaceInItAtAll"


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    assert BROWSER is not None
    async with open_browser(BROWSER, tmp_path / "profile") as tab:
        yield tab


async def test_pages_in_a_browser(tab: Tab, tmp_path: Path) -> None:
    """On a phone, a desk, by night and on paper: no complaint, no request, nothing wider than the screen, texts of plots large enough."""
    for name, page in PAGES.items():
        file = tmp_path / f"{name}.html"
        file.write_text(page(sample(name)), "utf-8")
        for width, dark, print_media in ((360, False, False), (390, True, False), (1200, False, False), (700, False, True)):
            await tab.open(file, width=width, dark=dark, print_media=print_media)
            assert tab.complaints == []
            assert await tab.evaluate("document.compatMode") == "CSS1Compat"
            assert await tab.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
            assert await tab.evaluate(STICKING_OUT) == "", (name, width)
            if name != "comparison":
                assert await tab.evaluate(SMALLEST_TEXT) >= 9.5, (name, width)


async def test_long_names_stay_on_a_phone(tab: Tab, tmp_path: Path) -> None:
    """A word without a place to break it is broken anyway."""
    for name, page in PAGES.items():
        file = tmp_path / f"{name}.html"
        file.write_text(page(replaced(sample(name), lambda old: f"{LONG}{old}")), "utf-8")
        await tab.open(file, width=390)
        assert await tab.evaluate("document.documentElement.scrollWidth") <= 390, name
        assert await tab.evaluate(STICKING_OUT) == "", name


async def test_what_would_run_does_not(tab: Tab, tmp_path: Path) -> None:
    """The policy in the page is one that the browser obeys: a script that somebody adds by hand is refused, loudly."""
    page = PAGES["comparison"](sample("comparison")).replace("</body>", "<script>document.title = 'it ran'</script></body>")
    file = tmp_path / "page.html"
    file.write_text(page, "utf-8")
    await tab.open(file, width=1200)
    assert await tab.evaluate("document.title") != "it ran"
    assert any("Content Security Policy" in complaint for complaint in tab.complaints)


async def test_the_night_is_dark(tab: Tab, tmp_path: Path) -> None:
    """Plots too: their colours are those of the style sheet."""
    file = tmp_path / "page.html"
    file.write_text(PAGES["report_card"](sample("report_card")), "utf-8")
    colours = set()
    for dark in (False, True):
        await tab.open(file, width=1200, dark=dark)
        colours.add(await tab.evaluate("getComputedStyle(document.querySelector('svg.wide text')).fill"))
        colours.add(await tab.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 4
