"""`/quiet`: the bot says nothing in this channel for a while, nor in its threads, whoever asks it."""

from dataclasses import replace

import discord
from discord import app_commands

from clients.discord_bot.channels import ChannelSettings
from clients.discord_bot.commands import sentences
from clients.discord_bot.commands.desk import Desk
from clients.discord_bot.commands.place import in_force, place_of
from clients.discord_bot.commands.refusal import Refusal
from clients.discord_bot.commands.replying import announce
from clients.discord_bot.commands.rights import guild_of, may_manage
from clients.discord_bot.commands.tree import AnyCommand

USUAL_MINUTES = 30
LONGEST_MINUTES = 120
"""For somebody who does not manage the server."""
LONGEST_EVER = 7 * 24 * 60


def quiet_command(desk: Desk) -> AnyCommand:
    @app_commands.command(name="quiet", description="I say nothing in this channel for a while.")
    @app_commands.describe(minutes=f"For so many minutes, {USUAL_MINUTES} if you do not say; 0 brings me back.")
    async def quiet(interaction: discord.Interaction, minutes: app_commands.Range[int, 0, LONGEST_EVER] = USUAL_MINUTES) -> None:
        guild, place = guild_of(interaction), place_of(interaction)
        if minutes > LONGEST_MINUTES and not may_manage(interaction):
            raise Refusal(sentences.too_long_quiet(LONGEST_MINUTES))
        now, held = desk.clock(), (await in_force(desk, place)).hushed_until
        if held - now > 60 * LONGEST_MINUTES and not may_manage(interaction):
            raise Refusal(sentences.HUSHED_FOR_LONG)
        if not minutes and held <= now:
            raise Refusal(sentences.WAS_NOT_QUIET)
        until = now + 60 * minutes if minutes else 0.0
        chosen = await desk.store.channels.settings(place.channel) or ChannelSettings(follows=place.parent is not None)
        await desk.store.channels.put(guild, place.channel, replace(chosen, hushed_until=until))
        if not minutes and (await in_force(desk, place)).hushed_until > now:
            raise Refusal(sentences.CHANNEL_IS_QUIET)
        await announce(interaction, sentences.quiet_until(int(until)) if minutes else sentences.LOUD_AGAIN)

    return quiet
