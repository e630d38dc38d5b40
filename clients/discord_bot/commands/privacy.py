"""`/optout`, `/optin` and `/forgetme`: a person's own word on what the bot may read, keep and pass on. It holds at once, and everywhere.

What has to be told to Troupe itself is told by whoever tells it of reactions, as soon as it can be reached; nobody waits for that here.
"""

import discord
from discord import app_commands

from clients.discord_bot.commands import sentences
from clients.discord_bot.commands.desk import Desk
from clients.discord_bot.commands.replying import think, whisper
from clients.discord_bot.commands.tree import AnyCommand


def privacy_commands(desk: Desk) -> list[AnyCommand]:
    @app_commands.command(name="optout", description="I no longer read your messages, and nothing is learnt from you.")
    async def optout(interaction: discord.Interaction) -> None:
        await think(interaction)
        await desk.store.people.opt_out(interaction.user.id, desk.clock())
        await whisper(interaction, sentences.OPTED_OUT)

    @app_commands.command(name="optin", description="Undo /optout: I read your messages again.")
    async def optin(interaction: discord.Interaction) -> None:
        await think(interaction)
        was_out = await desk.store.people.opt_in(interaction.user.id)
        await whisper(interaction, sentences.OPTED_IN if was_out else sentences.NEVER_OUT)

    @app_commands.command(name="forgetme", description="Delete what I keep of you, and learn nothing from you any more.")
    async def forgetme(interaction: discord.Interaction) -> None:
        await think(interaction)
        await desk.store.people.forget(interaction.user.id, desk.clock())
        await whisper(interaction, sentences.FORGOTTEN)

    return [optout, optin, forgetme]
