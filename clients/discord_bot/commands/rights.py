"""Who may change what the bot does here. The bot looks for itself: what Discord shows to whom can be changed by any admin."""

import discord

from clients.discord_bot.commands.refusal import Refusal
from clients.discord_bot.commands.sentences import ONLY_ADMINS, ONLY_IN_SERVERS

MANAGERS = discord.Permissions(manage_guild=True)
"""To whom Discord offers the commands that change something."""


def may_manage(interaction: discord.Interaction) -> bool:
    """Whether the asker may manage the server, by what Discord says of him in this very interaction."""
    return interaction.guild_id is not None and (interaction.permissions.manage_guild or interaction.permissions.administrator)


def only_managers(interaction: discord.Interaction) -> None:
    """Raises Refusal for everybody else."""
    if not may_manage(interaction):
        raise Refusal(ONLY_ADMINS)


def guild_of(interaction: discord.Interaction) -> int:
    """The server's id. Raises Refusal in a direct message."""
    if interaction.guild_id is None:
        raise Refusal(ONLY_IN_SERVERS)
    return interaction.guild_id


def channel_of(interaction: discord.Interaction) -> int:
    """The id of the channel or thread in which the command was given. Raises Refusal where there is none."""
    if interaction.channel_id is None:
        raise Refusal(ONLY_IN_SERVERS)
    return interaction.channel_id
