"""`/persona`: as which version the bot speaks, who may change that, and two versions side by side."""

import asyncio
from dataclasses import replace

import discord
from discord import app_commands
from discord.abc import Messageable

from adapters.conversation import RENDERER
from clients.api import Troupe
from clients.discord_bot.commands import sentences
from clients.discord_bot.commands.comparing import Pair, buttons, shown
from clients.discord_bot.commands.desk import Desk, Voice
from clients.discord_bot.commands.place import must_not_be_silent
from clients.discord_bot.commands.refusal import Refusal
from clients.discord_bot.commands.replying import announce, think, whisper
from clients.discord_bot.commands.rights import channel_of, guild_of, may_manage, only_managers
from clients.discord_bot.filter import LEFT_OUT
from clients.discord_bot.guild_settings import GuildSettings
from clients.discord_bot.heard import Heard, readable
from clients.discord_bot.limits import Verdict
from clients.discord_bot.sentences import OTHER_RENDERER, SPEECHLESS
from clients.errors import TroupeError, UnknownModel
from clients.offer import Offer

LIVE = "live"
CHOICES = 25
"""Discord shows no more."""
TYPING_S = 2.0
"""Discord waits three seconds for what is offered while somebody types."""


class PersonaCommands(app_commands.Group):
    def __init__(self, desk: Desk) -> None:
        super().__init__(name="persona", description="Which voice I have")
        self._desk = desk

    @app_commands.command(description="As which version I speak here, and which others there are.")
    async def show(self, interaction: discord.Interaction) -> None:
        voice = await self._desk.voice(guild_of(interaction))
        await think(interaction)
        speaks = await self._speaks(voice)
        canary = speaks.canary if voice.model == voice.community else None
        await whisper(interaction, sentences.persona(voice.model, speaks.adapter, canary, speaks.canary_share))

    @app_commands.command(description="Speak as a version, as the canary, or as whatever is live.")
    @app_commands.describe(version="live, canary, or a version's number")
    async def choose(self, interaction: discord.Interaction, version: app_commands.Range[str, 1, 20]) -> None:
        only_managers(interaction)
        guild = guild_of(interaction)
        voice = await self._desk.voice(guild)
        await think(interaction)
        name = version.strip().lower().removeprefix(f"{voice.community}@")
        model = None if name == LIVE else f"{voice.community}@{name}"
        if model is not None:
            _usable(await self._known(voice.troupe, model))
        held = await self._desk.store.guilds.settings(guild)
        await self._desk.store.guilds.put(guild, replace(held, model=model))
        await whisper(interaction, sentences.speaks_now_as(model or voice.community))

    @choose.autocomplete("version")
    async def _versions(self, interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        """What is worth choosing, as far as the gateway tells in time."""
        if not may_manage(interaction):
            return []
        try:
            async with asyncio.timeout(TYPING_S):
                speaks = await self._speaks(await self._desk.voice(guild_of(interaction)))
        except (Refusal, TroupeError, TimeoutError):  # who types is told nothing: what he chooses is looked at when he sends it
            return []
        newest = max(speaks.canary or 0, _version(speaks.adapter))
        names = [LIVE, *(["canary"] if speaks.canary else []), *(str(number) for number in range(newest, 0, -1))]
        return [app_commands.Choice(name=name, value=name) for name in names if typed.lower() in name][:CHOICES]

    @app_commands.command(description="Ask two versions the same, without their names, and vote.")
    @app_commands.describe(
        question="What both are asked",
        one="The first version's number (admins); the live one if you do not say",
        other="The second one's number, 0 for the base (admins); the canary, or the version before, if you do not say",
    )
    async def compare(
        self,
        interaction: discord.Interaction,
        question: app_commands.Range[str, 1, 300],
        one: app_commands.Range[int, 0, 10**6] | None = None,
        other: app_commands.Range[int, 0, 10**6] | None = None,
    ) -> None:
        if one is not None or other is not None:
            only_managers(interaction)
        voice = await self._desk.voice(guild_of(interaction))
        await must_not_be_silent(self._desk, interaction)
        await self._admit(interaction)
        await think(interaction, aloud=True)
        pair = (await self._pair(voice, one, other)).shuffled(interaction.id)
        settings = await self._desk.store.guilds.settings(guild_of(interaction))
        answers = await self._both(interaction, voice, settings, pair, question)
        said_again = self._desk.filter.clean(question, settings.level).text or LEFT_OUT
        await announce(interaction, shown(said_again, answers), buttons(self._desk, pair, interaction.user.id))

    async def _both(
        self, interaction: discord.Interaction, voice: Voice, settings: GuildSettings, pair: Pair, question: str
    ) -> tuple[str, str]:
        """What both say, asked at once and as a message here would be. Raises TroupeError."""
        prompt = await self._desk.asking.prompt_here(_place(interaction), _heard(interaction, question), voice.community, settings)
        asked = [voice.troupe.complete_chat(model, prompt.messages, max_tokens=self._desk.max_tokens) for model in pair.names]
        replies = [prompt.cast.shown(reply.text) for reply in await asyncio.gather(*asked)]
        first, second = [self._desk.filter.clean(text, settings.level).text for text in replies]
        return first.strip() or SPEECHLESS, second.strip() or SPEECHLESS

    async def _admit(self, interaction: discord.Interaction) -> None:
        """Two answers cost what two questions cost. Raises Refusal."""
        if await self._desk.store.people.is_out(interaction.user.id):
            raise Refusal(sentences.OUT_CANNOT_VOTE)
        for _ in range(2):
            if self._desk.limits.asks(interaction.user.id, channel_of(interaction), self._desk.monotonic()) is not Verdict.ANSWER:
                raise Refusal(sentences.TOO_FAST)

    async def _pair(self, voice: Voice, one: int | None, other: int | None) -> Pair:
        """The versions to compare; each that was not said is the one that is worth it. Raises Refusal or TroupeError."""
        live = await voice.troupe.offer(voice.community)
        first = _version(live.adapter) if one is None else one
        canary = live.canary if live.canary != first else None
        second = other if other is not None else canary or max(first - 1, 0)
        if first == second:
            raise Refusal(sentences.SAME_VOICE)
        pair = Pair(voice.community, first, second)
        for name in pair.names:
            _usable(await self._known(voice.troupe, name))
        return pair

    async def _speaks(self, voice: Voice) -> Offer:
        return await self._known(voice.troupe, voice.model)

    async def _known(self, troupe: Troupe, model: str) -> Offer:
        """Raises Refusal for a version that is not there, TroupeError."""
        try:
            return await troupe.offer(model)
        except UnknownModel as exc:
            raise Refusal(sentences.no_such_voice(model)) from exc


def _place(interaction: discord.Interaction) -> Messageable:
    if isinstance(interaction.channel, Messageable):
        return interaction.channel
    return interaction.client.get_partial_messageable(channel_of(interaction), guild_id=interaction.guild_id)


def _heard(interaction: discord.Interaction, question: str) -> Heard:
    me = {interaction.client.user.id} if interaction.client.user is not None else set()
    return Heard(
        id=interaction.id,
        channel_id=channel_of(interaction),
        author=interaction.user.display_name,
        text=readable(question, mine=me, names={}),
        author_id=interaction.user.id,
        guild_id=guild_of(interaction),
    )


def _usable(offer: Offer) -> None:
    """Raises Refusal for a voice that was trained on chats in another form than the bot writes them."""
    if offer.renderer not in (None, RENDERER):
        raise Refusal(OTHER_RENDERER)


def _version(adapter: str | None) -> int:
    """0 for the base, and where the gateway does not tell."""
    number = (adapter or "").rpartition("@")[2]
    return int(number) if number.isdecimal() else 0
