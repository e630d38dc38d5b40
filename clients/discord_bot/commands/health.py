"""`/health`: whether all is well here, and if not, who can do what about it."""

import math

import discord
from discord import app_commands

from clients.api import Status
from clients.discord_bot.commands import sentences
from clients.discord_bot.commands.choices import described_channel
from clients.discord_bot.commands.desk import Desk, Voice
from clients.discord_bot.commands.place import in_force, place_of
from clients.discord_bot.commands.replying import think, whisper
from clients.discord_bot.commands.rights import guild_of
from clients.discord_bot.commands.tree import AnyCommand
from clients.errors import BadKey, TroupeError, UnknownModel


def health_command(desk: Desk) -> AnyCommand:
    @app_commands.command(name="health", description="Is all well with me?")
    async def health(interaction: discord.Interaction) -> None:
        guild, place = guild_of(interaction), place_of(interaction)
        await think(interaction)
        lines = [of_rights(interaction.app_permissions, in_thread=isinstance(interaction.channel, discord.Thread))]
        voice = await desk.links.voice(guild)
        if voice is None:
            lines.append(sentences.NOT_LINKED)
        else:
            lines.append(sentences.speaks_as(voice.model))
            lines.append(described_channel(place.channel, await in_force(desk, place), desk.clock()))
            lines.append(await _of_voice(voice))
        if math.isfinite(interaction.client.latency):  # before the first heartbeat nobody knows
            lines.append(sentences.heard_from_discord(interaction.client.latency))
        await whisper(interaction, "\n".join(line for line in lines if line))

    return health


async def _of_voice(voice: Voice) -> str:
    """Whether it would answer: the gateway is there, it still takes the server's key, and it still has what the server speaks as."""
    try:
        status = await voice.troupe.status()
        if status.ready:
            await voice.troupe.offer(voice.model)
    except BadKey:
        return sentences.KEY_REFUSED
    except UnknownModel:
        return sentences.voice_gone(voice.model)
    except TroupeError:
        return sentences.GATEWAY_AWAY
    return of_gateway(status)


def of_gateway(status: Status) -> str:
    """What the gateway's readiness means for somebody who wants an answer."""
    if not status.ready:
        return sentences.GATEWAY_UNWELL
    by_state = {"asleep": sentences.GATEWAY_ASLEEP, "waking": sentences.GATEWAY_WAKING}
    return by_state.get(str(status.details.get("engine")), sentences.GATEWAY_READY)


def of_rights(has: discord.Permissions, *, in_thread: bool) -> str:
    """Which of the rights that the bot needs in a channel it lacks; empty if none."""
    needed = dict(sentences.NEEDED_RIGHTS)
    del needed["send_messages" if in_thread else "send_messages_in_threads"]
    missing = [name for right, name in needed.items() if not getattr(has, right)]
    return sentences.rights_missing(missing) if missing else ""
