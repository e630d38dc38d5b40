"""Draw the sample cards as the pictures of the docs: `python -m tests.adapters.pages.screenshots`. Needs a Chromium."""

import asyncio
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.adapters.pages.browser import find_browser, open_browser
from tests.adapters.pages.sample import PAGES, sample

PICTURES = Path(__file__).resolve().parents[3] / "docs" / "pictures"
WIDTH = 1040
HEIGHTS = {"data_card": 2560, "report_card": 1960, "comparison": 1560}
"""As much of each page as says what it is."""
COLOURS = 128


async def draw(browser: str, pictures: Path) -> None:
    """A PNG for each page."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_browser(browser, Path(folder) / "profile") as tab:
            for name, page in PAGES.items():
                file = Path(folder) / f"{name}.html"
                file.write_text(page(sample(name)), "utf-8")
                await tab.open(file, width=WIDTH)
                picture = Image.open(io.BytesIO(await tab.picture(WIDTH, HEIGHTS[name])))
                target = pictures / f"{name.replace('_', '-')}.png"
                picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)
                print(f"{target.name}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    found = find_browser()
    if found is None:
        sys.exit("There is no Chromium on this machine: install one.")
    PICTURES.mkdir(parents=True, exist_ok=True)
    asyncio.run(draw(found, PICTURES))
