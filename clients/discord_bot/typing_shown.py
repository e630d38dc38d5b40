"""The sign that the bot is typing, shown for as long as something is done. Discord takes it down after ten seconds, or with a message."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import discord
from discord.abc import Messageable

from clients.errors import TroupeError

RENEW_S = 7.0


class Sign:
    """`again` after a message was sent and more is to come."""

    def __init__(self) -> None:
        self._again = asyncio.Event()

    def again(self) -> None:
        self._again.set()

    async def show(self, channel: Messageable) -> None:
        """Until cancelled, or until Discord does not want it: an answer never depends on it."""
        with suppress(discord.HTTPException, aiohttp.ClientError, OSError, TroupeError):
            while True:
                await channel.typing()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._again.wait(), RENEW_S)
                self._again.clear()


@asynccontextmanager
async def typing_shown(channel: Messageable) -> AsyncIterator[Sign]:
    """Shown from here to the end of the block. Does not wait for Discord."""
    sign = Sign()
    task = asyncio.create_task(sign.show(channel))
    try:
        yield sign
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
