"""The scene that the tests of commands share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.clients.discord_bot.commands.scene import Scene, commands_online


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A linked server."""
    async with commands_online(tmp_path) as scene:
        yield scene
