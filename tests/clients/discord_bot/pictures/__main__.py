"""Draw the pictures of docs/discord.md: `python -m tests.clients.discord_bot.pictures`."""

import asyncio
import tempfile
from pathlib import Path

from tests.clients.discord_bot.pictures import portal, scenes

PICTURES = Path(__file__).resolve().parents[4] / "docs" / "pictures"


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        drawn = portal.pictures() | asyncio.run(scenes.pictures(Path(scratch)))
    for name, content in drawn.items():
        (PICTURES / name).write_text(content, "utf-8")
        print(f"{name}: {len(content.encode()) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
