"""Telling the gateway that a question comes. Nothing waits for it, and nothing depends on it."""

import asyncio
import logging

from clients.discord_bot.links import Voice
from clients.errors import TroupeError

log = logging.getLogger(__name__)


class Warming:
    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def warm(self, voice: Voice) -> None:
        """Returns at once."""
        task = asyncio.create_task(_told(voice))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _told(voice: Voice) -> None:
    try:
        await voice.troupe.warm(voice.model)
    except TroupeError as error:
        log.info("%s could not be warmed: %s", voice.model, error)
