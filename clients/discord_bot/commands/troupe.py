"""`/troupe`: what a server's admins decide. Each of its commands looks itself whether the asker may.

Without a choice a command shows what holds; so nobody needs to know it by heart.
"""

from dataclasses import replace
from typing import Literal

import discord
from discord import app_commands

from clients.discord_bot.commands import sentences
from clients.discord_bot.commands.choices import chosen_channel, described_channel, described_guild
from clients.discord_bot.commands.desk import Desk
from clients.discord_bot.commands.link_form import LinkForm
from clients.discord_bot.commands.place import chosen_in, place_of
from clients.discord_bot.commands.replying import think, whisper
from clients.discord_bot.commands.rights import MANAGERS, guild_of, only_managers
from clients.discord_bot.guild_settings import Level, Names


class TroupeCommands(app_commands.Group):
    def __init__(self, desk: Desk) -> None:
        super().__init__(name="troupe", description="How I am in this server", default_permissions=MANAGERS)
        self._desk = desk

    async def interaction_check(self, interaction: discord.Interaction[discord.Client], /) -> bool:
        only_managers(interaction)
        return True

    @app_commands.command(description="Give this server its voice: a form asks for the key.")
    async def link(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_modal(LinkForm(self._desk))

    @app_commands.command(description="Take this server's voice away and delete its key here.")
    async def unlink(self, interaction: discord.Interaction) -> None:
        await think(interaction)
        was_linked = await self._desk.links.unlink(guild_of(interaction))
        await whisper(interaction, sentences.UNLINKED if was_linked else sentences.NOTHING_LINKED)

    @app_commands.command(description="Where and when I speak; without a choice, what holds.")
    @app_commands.describe(
        channel="Another channel than this one",
        mode="off: never; mentions: when I am mentioned or replied to; lively: also by chance and on wake words",
        chance="Lively: of a hundred messages, how many I answer unasked",
        cooldown="Lively: minutes after my last word before I speak unasked again",
        quiet="Hours in which I speak only when asked: 22:00-07:00 Europe/Paris, or none",
        wake="Lively: words that call me, with commas between them, or none",
    )
    async def channel(
        self,
        interaction: discord.Interaction,
        channel: app_commands.AppCommandChannel | app_commands.AppCommandThread | None = None,
        mode: Literal["off", "mentions", "lively"] | None = None,
        chance: app_commands.Range[float, 0.0, 100.0] | None = None,
        cooldown: app_commands.Range[int, 0, 10_080] | None = None,
        quiet: app_commands.Range[str, 1, 80] | None = None,
        wake: app_commands.Range[str, 1, 400] | None = None,
    ) -> None:
        await think(interaction)
        place = place_of(interaction, channel)
        held = await chosen_in(self._desk, place)
        chosen = chosen_channel(held, mode=mode, chance=chance, cooldown=cooldown, quiet=quiet, wake=wake)
        if chosen != held:
            await self._desk.store.channels.put(guild_of(interaction), place.channel, chosen)
        await whisper(interaction, described_channel(place.channel, chosen, self._desk.clock()))

    @app_commands.command(description="How I speak in this server; without a choice, what holds.")
    @app_commands.describe(
        filter="What is left out of what I say: off, mild (slurs), strict (swearing, too)",
        streaming="Whether you see my answer while I make it",
        pauses="Whether I pause before each further message of a long answer",
        names="How my voice is told who speaks: by the invented names that it learnt, or by the names that you see",
        late="What I say when an answer takes long, in your own words; none for mine",
    )
    async def settings(
        self,
        interaction: discord.Interaction,
        filter: Literal["off", "mild", "strict"] | None = None,
        streaming: bool | None = None,
        pauses: bool | None = None,
        names: Literal["trained", "display"] | None = None,
        late: app_commands.Range[str, 1, 200] | None = None,
    ) -> None:
        guild = guild_of(interaction)
        await think(interaction)
        held = await self._desk.store.guilds.settings(guild)
        chosen = replace(
            held,
            level=held.level if filter is None else Level(filter),
            streaming=held.streaming if streaming is None else streaming,
            pauses=held.pauses if pauses is None else pauses,
            names=held.names if names is None else Names(names),
            late=held.late if late is None else None if late.strip().lower() == sentences.NONE else late.strip(),
        )
        if chosen != held:
            await self._desk.store.guilds.put(guild, chosen)
        await whisper(interaction, described_guild(chosen))

    @app_commands.command(description="Whether the next voice may learn from what is said to me here.")
    async def learn(self, interaction: discord.Interaction, switch: Literal["on", "off"]) -> None:
        guild = guild_of(interaction)
        await think(interaction)
        held = await self._desk.store.guilds.settings(guild)
        await self._desk.store.guilds.put(guild, replace(held, learn=switch == "on"))
        if switch == "off":
            await self._desk.store.feedback.take_words_back(guild, self._desk.clock())
        await whisper(interaction, sentences.LEARNS if switch == "on" else sentences.LEARNS_NOT)
