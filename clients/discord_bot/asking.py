"""From a message to an answer in words: what stands before it, under which names, and what the gateway says to that. Sends nothing."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import discord
from discord.abc import Messageable

from adapters.conversation import RENDERER
from clients.api import Reply
from clients.deltas import Head
from clients.discord_bot.context import Hidden, Prompt, prompt
from clients.discord_bot.filter import Filter
from clients.discord_bot.guild_settings import GuildSettings, Names
from clients.discord_bot.heard import Heard
from clients.discord_bot.hearing import Hearing
from clients.discord_bot.links import BASE, Voice
from clients.discord_bot.naming import NamesKeys
from clients.discord_bot.outbox import Place
from clients.discord_bot.reporting import PlanOf, version_of
from clients.discord_bot.sentences import OTHER_RENDERER, SPEECHLESS, apology
from clients.discord_bot.showing import whole_words
from clients.discord_bot.store.store import Store
from clients.errors import NotTroupe, TroupeError, UnknownModel

log = logging.getLogger(__name__)

KNOWN_FOR_S = 60.0
"""So long it is believed which form a model was trained in: an alias may move."""


Hear = Callable[[str], None]


@dataclass(frozen=True)
class Question:
    """A message that is to be answered, by whom, and what its guild chose."""

    message: discord.Message
    heard: Heard
    voice: Voice
    settings: GuildSettings

    @property
    def place(self) -> Place:
        return Place(self.message.channel, self.heard.channel_id, self.heard.id)


@dataclass(frozen=True)
class Made:
    """An answer in words for people, and where it came from. `adapter` is None where there is only an apology."""

    text: str
    adapter: str | None = None
    request_id: str | None = None
    wake_seconds: float | None = None
    queue_seconds: float | None = None
    seconds: float = 0.0
    """That it took to make."""


class Asking:
    """Methods raise StateBroken, and what Discord raises while the channel is read."""

    def __init__(
        self,
        store: Store,
        hearing: Hearing,
        filter: Filter,
        names: NamesKeys,
        plan_of: PlanOf,
        *,
        max_tokens: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._hearing = hearing
        self._filter = filter
        self._names = names
        self._plan_of = plan_of
        self._max_tokens = max_tokens
        self._clock = clock
        self._renderers: dict[tuple[int, str], tuple[float, str | None]] = {}

    async def prompt(self, question: Question) -> Prompt:
        """What to ask: the conversation around the message as it stands in its channel at this moment."""
        recent = await self._hearing.before(question.message.channel, question.message)
        chain = await self._hearing.chain(question.message, {heard.id: heard for heard in recent})
        return await self._prompt(question.heard, chain, recent, question.voice.community, question.settings)

    async def prompt_here(self, channel: Messageable, asked: Heard, community: str, settings: GuildSettings) -> Prompt:
        """Likewise where somebody asks by a command: `asked` is no message, and what stands before it is how the channel ends."""
        recent = await self._hearing.before(channel, discord.Object(asked.id))
        return await self._prompt(asked, [], recent, community, settings)

    async def _prompt(
        self, asked: Heard, chain: Sequence[Heard], recent: Sequence[Heard], community: str, settings: GuildSettings
    ) -> Prompt:
        hidden = await self._hidden((asked, *chain, *recent))
        invented = await asyncio.to_thread(self._names.of, community) if settings.names is Names.TRAINED else None
        return prompt(asked, chain, recent, my_name=self._hearing.me.display_name, hidden=hidden, invented=invented)

    async def ask(
        self, question: Question, asked: Prompt, *, model: str | None = None, seed: int | None = None, hear: Hear | None = None
    ) -> Made:
        """What the voice says to it, or an apology. `model` instead of the guild's own; it has to be of the same community. `hear` is
        told what there is so far."""
        voice = question.voice
        began = self._clock()
        model = model or version_of(voice, self._plan_of(voice.guild), question.heard.id)
        try:
            if not await self.reads_as_we_write(voice, model):
                return Made(self._refused(question, model))
            if hear is None:
                reply = await voice.troupe.complete_chat(model, asked.messages, max_tokens=self._max_tokens, seed=seed)
            else:
                reply = await self._streamed(question, asked, model, hear)
            if reply.adapter not in (None, model) and not await self.reads_as_we_write(voice, reply.adapter):
                return Made(self._refused(question, reply.adapter))
        except TroupeError as error:
            log.warning("No answer to message %s: %s", question.heard.id, error)
            return Made(apology(error))
        text = self._for_people(question, asked, reply.text)
        seconds = self._clock() - began
        return Made(text or SPEECHLESS, reply.adapter or model, reply.request_id, reply.wake_seconds, reply.queue_seconds, seconds)

    async def _streamed(self, question: Question, asked: Prompt, model: str, hear: Hear) -> Reply:
        heads: list[Head] = []
        text = ""
        stream = question.voice.troupe.chat(model, asked.messages, heads.append, max_tokens=self._max_tokens)
        async with aclosing(stream) as deltas:
            async for delta in deltas:
                text += delta.text
                if delta.text and (so_far := self._for_people(question, asked, whole_words(text))):
                    hear(so_far)
        return Reply(text, "stop", None, model, request_id=heads[0].request_id, adapter=heads[0].adapter)

    def _for_people(self, question: Question, asked: Prompt, text: str) -> str:
        whole = text.encode(errors="replace").decode()  # JSON can say half a character, which neither Discord nor the bot's file takes
        return self._filter.clean(asked.cast.shown(whole.strip()), question.settings.level).text.strip()

    async def reads_as_we_write(self, voice: Voice, model: str) -> bool:
        """Whether `model` was trained on chats in the form that the bot writes; True where nobody knows. Raises TroupeError."""
        if model == BASE:
            return True
        known = self._renderers.get((voice.guild, model))
        if known is None or self._clock() - known[0] >= KNOWN_FOR_S:
            known = self._renderers[voice.guild, model] = (self._clock(), await _renderer(voice, model))
        return known[1] in (None, RENDERER)

    def _refused(self, question: Question, model: str) -> str:
        log.error(
            "%s was trained on chats in another form than %s, so it is not asked: train it again, or go back to another version.",
            model,
            RENDERER,
        )
        return OTHER_RENDERER

    async def _hidden(self, messages: Sequence[Heard]) -> Hidden:
        people = {person for heard in messages for person in (heard.author_id, *heard.mentions)}
        mine = [heard.id for heard in messages if heard.is_self]
        return Hidden(await self._store.people.out_among(sorted(people)), await self._store.handled.notices_among(mine))


async def _renderer(voice: Voice, model: str) -> str | None:
    try:
        return (await voice.troupe.offer(model)).renderer
    except (UnknownModel, NotTroupe):  # asking it says so, too, in words for people
        return None
