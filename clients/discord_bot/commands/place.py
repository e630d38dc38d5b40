"""Which channel or thread a command is about, and whether the bot may speak there at all."""

from dataclasses import dataclass, replace

import discord
from discord import app_commands

from clients.discord_bot.channels import ChannelSettings, effective
from clients.discord_bot.commands.desk import Desk
from clients.discord_bot.commands.refusal import Refusal
from clients.discord_bot.commands.rights import channel_of
from clients.discord_bot.commands.sentences import SILENT_HERE

Chosen = app_commands.AppCommandChannel | app_commands.AppCommandThread
"""What Discord hands over for an option that is a channel, also of one that the bot cannot see."""


@dataclass(frozen=True)
class Place:
    """A channel or thread, and the channel that a thread is of."""

    channel: int
    parent: int | None = None


def place_of(interaction: discord.Interaction, other: Chosen | None = None) -> Place:
    """`other`, or where the command was given. Raises Refusal outside of channels."""
    if other is not None:
        return Place(other.id, other.parent_id if isinstance(other, app_commands.AppCommandThread) else None)
    channel = interaction.channel
    return Place(channel_of(interaction), channel.parent_id if isinstance(channel, discord.Thread) else None)


async def chosen_in(desk: Desk, place: Place) -> ChannelSettings:
    """What somebody chose for the place; for a thread that has nothing of its own, a copy of its channel's."""
    own = await desk.store.channels.settings(place.channel)
    if place.parent is None or (own is not None and not own.follows):
        return own or ChannelSettings()
    parent = await desk.store.channels.settings(place.parent) or ChannelSettings()
    return parent if own is None else replace(parent, hushed_until=own.hushed_until)


async def in_force(desk: Desk, place: Place) -> ChannelSettings:
    """What holds there: a hush of its channel holds in a thread, whatever it chose."""
    parent = None if place.parent is None else await desk.store.channels.settings(place.parent)
    return effective(await desk.store.channels.settings(place.channel), parent)


async def must_not_be_silent(desk: Desk, interaction: discord.Interaction) -> None:
    """Raises Refusal where the bot was told to say nothing: no command is a way around it."""
    if (await in_force(desk, place_of(interaction))).is_silent(desk.clock()):
        raise Refusal(SILENT_HERE)
