"""The way of one message, from "this one is mine" to the last part of the answer. What decides is pure and elsewhere; this is the order.

A row says that the bot took the message upon itself before anything else is done, and another one what it answers before anything of it is
sent. So whatever moment a kill comes at, the next start knows where to go on, and nothing is said twice.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

import aiohttp
import discord

from clients.discord_bot.asking import Asking, Made, Question
from clients.discord_bot.attention import Deleted
from clients.discord_bot.context import Prompt
from clients.discord_bot.guild_settings import GuildSettings
from clients.discord_bot.heard import Heard, written_at
from clients.discord_bot.metrics import Metrics
from clients.discord_bot.outbox import Outbox, Place, Unwanted
from clients.discord_bot.sentences import LATE
from clients.discord_bot.showing import Showing
from clients.discord_bot.splitting import split
from clients.discord_bot.store.answers import Answer, Part
from clients.discord_bot.store.handled import Handled
from clients.discord_bot.store.store import Store
from clients.discord_bot.store.words import Words
from clients.discord_bot.typing_shown import typing_shown
from clients.discord_bot.warming import Warming
from clients.errors import TroupeError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """`late_s`: after so many seconds without an answer people are told that it takes a while."""

    late_s: float = 25.0


Silenced = Callable[[Question], Awaitable[bool]]
"""Whether the bot was told to be silent there after it was asked."""


class Answering:
    """Methods raise StateBroken, and what Discord and the wire raise where trying again later may help."""

    def __init__(
        self,
        store: Store,
        asking: Asking,
        outbox: Outbox,
        warming: Warming,
        metrics: Metrics,
        silenced: Silenced,
        *,
        patience: Patience = Patience(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._asking = asking
        self._outbox = outbox
        self._warming = warming
        self._metrics = metrics
        self._silenced = silenced
        self._patience = patience
        self._clock = clock
        self._running: dict[int, asyncio.Task[object]] = {}
        self._deleted = Deleted()

    def is_running(self, message: int) -> bool:
        """Whether somebody is at it."""
        return message in self._running

    @asynccontextmanager
    async def taken(self, heard: Heard) -> AsyncIterator[bool]:
        """Take a message upon us, for as long as the block lasts. False if that was done before, by whichever process, or if it is gone."""
        with self._running_here(heard.id):
            row = Handled(heard.id, heard.guild_id, heard.channel_id, heard.author_id, self._clock())
            mine = await self._store.handled.begin(row)
            if mine and heard.id in self._deleted:
                await self._store.handled.drop(heard.id)
                mine = False
            yield mine

    async def answer(self, question: Question, *, noticed: bool = False, shown: discord.Message | None = None) -> None:
        """For who has taken it. `noticed`: people were told already that it takes a while. `shown`: the message that an earlier run's
        answer grew in."""
        async with self._at_work(question.heard.id):
            async with typing_shown(question.message.channel) as sign:
                self._warming.warm(question.voice)
                asked = await self._asking.prompt(question)
                showing = Showing(self._outbox, question.place, shown=shown)
                try:
                    made = await self._patiently(question, asked, noticed, showing)
                finally:
                    shown = await showing.stop()
                if shown is None and await self._silenced(question):
                    await self._store.handled.drop(question.heard.id)
                    self._metrics.dropped()
                    return
                parts = await self._keep(question.heard, made, words=words_of(question, asked, made), digest=asked.digest)
                await self._outbox.deliver(question.place, parts, sign, pauses=question.settings.pauses, shown=shown)
            self._metrics.answered("apology" if made.adapter is None else "answer", self._clock() - written_at(question.heard.id))

    async def say(self, place: Place, heard: Heard, text: str) -> None:
        """A sentence of the bot's own instead of an answer, for who has taken it."""
        async with self._at_work(heard.id):
            await self._outbox.deliver(place, await self._keep(heard, Made(text)))
            self._metrics.answered("notice", self._clock() - written_at(heard.id))

    async def finish(self, place: Place, parts: list[Part], settings: GuildSettings, *, shown: discord.Message | None = None) -> None:
        """Send what is left of an answer that was kept before a stop."""
        async with self._at_work(place.message), typing_shown(place.channel) as sign:
            await self._outbox.deliver(place, parts, sign, pauses=settings.pauses, shown=shown)

    async def deleted(self, message: int) -> None:
        """The message is gone: whatever is under way for it ends, and nothing more of it is said."""
        self._deleted.add(message)
        task = self._running.get(message)
        if task is not None:
            task.cancel()
        await self._store.handled.drop(message)

    async def close(self) -> None:
        """Stops in the middle of whatever is under way; the next start goes on with it."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @contextmanager
    def _running_here(self, message: int) -> Iterator[None]:
        """Nobody else goes on with this message meanwhile. The first who says so is the one who is stopped when it is deleted."""
        task = asyncio.current_task()
        first = message not in self._running
        if first and task is not None:
            self._running[message] = task
        try:
            yield
        finally:
            if first:
                self._running.pop(message, None)

    @asynccontextmanager
    async def _at_work(self, message: int) -> AsyncIterator[None]:
        try:
            with self._running_here(message):
                yield
        except Unwanted as exc:
            log.info("Message %s gets no answer: %s", message, exc)
            await self._store.handled.drop(message)
            self._metrics.dropped()
        except (discord.Forbidden, discord.NotFound) as exc:  # the bot may not even look there, or there is no there
            log.warning("Message %s gets no answer: %s", message, exc)
            await self._store.handled.drop(message)
            self._metrics.dropped()

    async def _patiently(self, question: Question, asked: Prompt, noticed: bool, showing: Showing) -> Made:
        hear = showing.hear if question.settings.streaming else None
        asking = asyncio.create_task(self._asking.ask(question, asked, hear=hear))
        try:
            await asyncio.wait({asking}, timeout=None if noticed else self._patience.late_s)
            # Who reads its beginning is not kept waiting.
            if not asking.done() and showing.shown is None and not await self._silenced(question):
                with suppress(discord.HTTPException, aiohttp.ClientError, OSError, TroupeError):  # what matters is the answer
                    await self._outbox.notice(question.place, question.settings.late or LATE)
            return await asking
        finally:
            asking.cancel()

    async def _keep(self, heard: Heard, made: Made, *, words: Words | None = None, digest: str = "") -> list[Part]:
        answer = answer_of(heard, made, now=self._clock(), digest=digest)
        return await self._store.answers.add(answer, split(made.text), words)


def answer_of(heard: Heard, made: Made, *, now: float, digest: str, take: int = 0, asker: int | None = None) -> Answer:
    """What to keep of an answer to this message."""
    return Answer(
        message=heard.id,
        take=take,
        guild=heard.guild_id,
        channel=heard.channel_id,
        asker=heard.author_id if asker is None else asker,
        adapter=made.adapter,
        context_hash=digest,
        request_id=made.request_id,
        seconds=made.seconds if take else now - heard.at,
        queue_seconds=made.queue_seconds,
        wake_seconds=made.wake_seconds,
        made_at=now,
    )


def words_of(question: Question, asked: Prompt, made: Made) -> Words | None:
    """What may be learnt from: only where the guild wants that, and only the community's own voice."""
    if not question.settings.learn or made.adapter is None:
        return None
    return Words(asked.said, asked.cast.told(made.text), asked.people)
