"""Another take of an answer, because somebody asked for one. The earlier takes keep their rows and their reactions."""

import asyncio
import random
import time
from collections.abc import Callable

import discord

from clients.discord_bot.answering import answer_of, words_of
from clients.discord_bot.asking import Asking, Question
from clients.discord_bot.hearing import Hearing
from clients.discord_bot.links import Links
from clients.discord_bot.outbox import Outbox, Unwanted
from clients.discord_bot.splitting import split
from clients.discord_bot.store.store import Store
from clients.discord_bot.typing_shown import typing_shown

_SEEDS = 2**31


class Retaking:
    def __init__(
        self, store: Store, links: Links, hearing: Hearing, asking: Asking, outbox: Outbox, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._links = links
        self._hearing = hearing
        self._asking = asking
        self._outbox = outbox
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    async def another(self, question: discord.Message, /, *, asker: int) -> discord.Message | None:
        """Another answer to `question`, sent as a reply to it; None where there can be none: the server has no voice, who wrote it opted
        out, or there was only an apology to give. Raises StateBroken, and what Discord and the wire raise."""
        heard = self._hearing.heard(question)
        voice = await self._links.voice(heard.guild_id)
        if voice is None or await self._store.people.is_out(heard.author_id):
            return None
        asked_again = Question(question, heard, voice, await self._store.guilds.settings(heard.guild_id))
        async with typing_shown(question.channel) as sign:
            asked = await self._asking.prompt(asked_again)
            made = await self._asking.ask(asked_again, asked, seed=random.randrange(_SEEDS))
            if made.adapter is None:
                return None
            async with self._one_at_a_time:  # two who ask at once get two numbers
                take = await self._store.answers.takes(heard.id)
                answer = answer_of(heard, made, now=self._clock(), digest=asked.digest, take=take, asker=asker)
                parts = await self._store.answers.add(answer, split(made.text), words_of(asked_again, asked, made))
            try:
                await self._outbox.deliver(asked_again.place, parts, sign, pauses=asked_again.settings.pauses)
            except Unwanted:
                return None
        first, *_ = await self._store.answers.parts(heard.id, take)
        return None if first.sent is None else await question.channel.fetch_message(first.sent)
