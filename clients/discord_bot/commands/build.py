"""All commands in one place: a command that does not stand here is none."""

import discord

from clients.discord_bot.commands.budget import budget_command
from clients.discord_bot.commands.comparing import reveal_button, vote_button
from clients.discord_bot.commands.desk import Desk
from clients.discord_bot.commands.health import health_command
from clients.discord_bot.commands.persona import PersonaCommands
from clients.discord_bot.commands.privacy import privacy_commands
from clients.discord_bot.commands.quiet import quiet_command
from clients.discord_bot.commands.roll import roll_commands
from clients.discord_bot.commands.tree import Commands
from clients.discord_bot.commands.troupe import TroupeCommands
from clients.discord_bot.commands.why import why_commands


def build_commands(client: discord.Client, desk: Desk) -> Commands:
    """The commands of `client`, before its login; buttons that were shown before a restart work again, too."""
    client.add_dynamic_items(vote_button(desk), reveal_button(desk))
    return Commands(
        client,
        [
            TroupeCommands(desk),
            PersonaCommands(desk),
            *roll_commands(desk),
            *why_commands(desk),
            quiet_command(desk),
            *privacy_commands(desk),
            budget_command(desk),
            health_command(desk),
        ],
        monotonic=desk.monotonic,
    )
