"""`/why`: which voice gave an answer, what that voice learnt from, and where the time went. Nothing of what anybody said."""

import discord
from discord import app_commands

from clients.discord_bot.commands import sentences
from clients.discord_bot.commands.answers import meant, of_message
from clients.discord_bot.commands.desk import Desk
from clients.discord_bot.commands.replying import think, whisper
from clients.discord_bot.commands.tree import AnyCommand
from clients.discord_bot.store.answers import Answer
from clients.errors import TroupeError
from clients.offer import Offer


def why_commands(desk: Desk) -> list[AnyCommand]:
    @app_commands.command(name="why", description="Why did I say that? Which voice it was, what it learnt from, what took how long.")
    @app_commands.describe(message="The link of an answer of mine; without it, my last one here")
    async def why(interaction: discord.Interaction, message: app_commands.Range[str, 1, 120] | None = None) -> None:
        await think(interaction)
        await _explain(desk, interaction, await meant(desk, interaction, message))

    @app_commands.context_menu(name="Why this answer?")
    async def why_this(interaction: discord.Interaction, message: discord.Message) -> None:
        await think(interaction)
        await _explain(desk, interaction, await of_message(desk, interaction, message.id))

    return [why, why_this]


async def _explain(desk: Desk, interaction: discord.Interaction, answer: Answer) -> None:
    await whisper(interaction, described(answer, await _offer(desk, answer)))


async def _offer(desk: Desk, answer: Answer) -> Offer | None:
    """What the gateway tells of the version that answered; None where it cannot be asked, which is no reason to explain nothing."""
    voice = await desk.links.voice(answer.guild)
    if voice is None or answer.adapter is None:
        return None
    try:
        return await voice.troupe.offer(answer.adapter)
    except TroupeError:
        return None


def described(answer: Answer, offer: Offer | None) -> str:
    """The lines of the explanation."""
    lines = [sentences.spoke_as(answer.adapter)]
    if offer is not None and offer.learnt is not None:
        lines.append(sentences.learnt_from(offer.learnt, offer.published_at))
    lines.append(sentences.took(answer.seconds, answer.queue_seconds, answer.wake_seconds))
    if answer.take:
        lines.append(sentences.was_take(answer.take + 1))
    if answer.request_id is not None:
        lines.append(sentences.request(answer.request_id))
    return "\n".join(lines)
