"""An answer that is shown while it is made, by editing its message. Only where a guild switched that on: most people like an answer better
when it is done, and Discord wants few edits."""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

import aiohttp
import discord

from clients.discord_bot.outbox import Outbox, Place
from clients.discord_bot.splitting import split
from clients.errors import TroupeError

log = logging.getLogger(__name__)

EVERY_S = 1.0
"""Between two edits, at least."""


def wait_s(last: float | None, now: float) -> float:
    """Seconds until the message may change again. Pure."""
    return 0.0 if last is None else max(0.0, last + EVERY_S - now)


def whole_words(text: str) -> str:
    """What may be shown of a text that is still growing: not the word that is being written. Pure."""
    words = text.rsplit(maxsplit=1)
    return text.rstrip() if text[-1:].isspace() else (words[0] if len(words) > 1 else "")


class Showing:
    """`hear` what there is so far, as often as you like; it is shown as often as Discord likes. `stop` before the answer is delivered."""

    def __init__(
        self, outbox: Outbox, place: Place, *, shown: discord.Message | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        """`shown`: the message of an earlier run, which goes on growing."""
        self._outbox = outbox
        self._place = place
        self._clock = clock
        self._text = ""
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._busy = asyncio.Lock()
        self.shown = shown

    def hear(self, text: str) -> None:
        """All that is known of the answer."""
        self._text = next(iter(split(text)), "")
        self._news.set()
        if self._task is None and self._text:
            self._task = asyncio.create_task(self._show())

    async def stop(self) -> discord.Message | None:
        """Nothing is shown any more. The message that there is now, if there is one. Raises what made showing fail for good."""
        if self._task is None:
            return self.shown
        async with self._busy:  # a send is not cut off, or nobody would know of its message
            self._task.cancel()
        try:
            await self._task
        except asyncio.CancelledError:
            pass
        except (discord.HTTPException, aiohttp.ClientError, OSError, TroupeError) as exc:  # the whole answer is tried all the same
            log.info("An answer could not be shown while it was made: %s", exc)
        return self.shown

    async def _show(self) -> None:
        last: float | None = None
        while True:
            await self._news.wait()
            await asyncio.sleep(wait_s(last, self._clock()))
            async with self._busy:
                self._news.clear()
                if self.shown is None:
                    self.shown = await self._outbox.show(self._place, self._text)
                else:
                    await self._outbox.change(self.shown, self._text)
            last = self._clock()
