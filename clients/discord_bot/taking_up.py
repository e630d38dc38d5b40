"""What an earlier run of the bot, or a Discord that was away, left undone: taken up again while it is young, dropped when it is not."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace

import discord
from discord.abc import Messageable

from clients.discord_bot.answering import Answering
from clients.discord_bot.asking import Question
from clients.discord_bot.attention import STALE_S
from clients.discord_bot.hearing import Hearing
from clients.discord_bot.links import Links
from clients.discord_bot.outbox import LOOK_AHEAD, Place, Standing, arrived
from clients.discord_bot.store.answers import Part
from clients.discord_bot.store.handled import Handled, Stage
from clients.discord_bot.store.store import Store

log = logging.getLogger(__name__)

FindChannel = Callable[[int, int], Messageable]
"""(channel, guild) → where to write, without asking Discord."""


class TakingUp:
    def __init__(
        self,
        store: Store,
        links: Links,
        hearing: Hearing,
        answering: Answering,
        find_channel: FindChannel,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._links = links
        self._hearing = hearing
        self._answering = answering
        self._find_channel = find_channel
        self._clock = clock

    async def round(self) -> list[Handled]:
        """What can be taken up now; what is too old is dropped. Raises StateBroken."""
        left = []
        for handled in await self._store.handled.unfinished():
            if self._answering.is_running(handled.message):
                continue
            if self._clock() - handled.begun_at > STALE_S:
                await self._store.handled.drop(handled.message)
            else:
                left.append(handled)
        return left

    async def take_up(self, handled: Handled) -> None:
        """Go on where it was left. Raises what `Answering.answer` does."""
        channel = self._find_channel(handled.channel, handled.guild)
        try:
            message = await channel.fetch_message(handled.message)
            shown = None if handled.shown is None else await channel.fetch_message(handled.shown)
        except (discord.NotFound, discord.Forbidden):
            await self._store.handled.drop(handled.message)
            return
        if self._answering.is_running(handled.message):
            return
        log.info("Message %s is taken up again.", handled.message)
        settings = await self._store.guilds.settings(handled.guild)
        if handled.stage is Stage.ANSWERED:
            parts = await self._reconciled(message, await self._store.answers.parts(handled.message))
            await self._answering.finish(Place(channel, handled.channel, handled.message), parts, settings, shown=shown)
            return
        voice = await self._links.voice(handled.guild)
        if voice is None or await self._store.people.is_out(handled.author):
            await self._store.handled.drop(handled.message)
            return
        question = Question(message, self._hearing.heard(message), voice, settings)
        await self._answering.answer(question, noticed=handled.notice is not None, shown=shown)

    async def _reconciled(self, message: discord.Message, parts: list[Part]) -> list[Part]:
        """The parts, with those noted as sent that turn out to have arrived."""
        me = self._hearing.me.id
        below = [each async for each in message.channel.history(limit=LOOK_AHEAD, after=message, oldest_first=True) if each.author.id == me]
        standing = [Standing(each.id, each.content, each.reference.message_id if each.reference else None) for each in below]
        found = arrived(message.id, parts, standing)
        for part in parts:
            if part.sent is None and part.number in found:
                await self._store.answers.sent(part, found[part.number], self._clock())
        return [replace(part, sent=found.get(part.number)) for part in parts]
