"""`/roll`: another take of an answer. The earlier one keeps its reactions and its row; the new one gets its own."""

import logging

import discord
from discord import app_commands

from clients.discord_bot.commands import sentences
from clients.discord_bot.commands.answers import meant, of_message
from clients.discord_bot.commands.desk import Desk
from clients.discord_bot.commands.place import must_not_be_silent
from clients.discord_bot.commands.refusal import Refusal
from clients.discord_bot.commands.replying import think, whisper
from clients.discord_bot.commands.rights import may_manage
from clients.discord_bot.commands.tree import AnyCommand
from clients.discord_bot.limits import Verdict
from clients.discord_bot.store.answers import Answer

log = logging.getLogger(__name__)

MOST_TAKES = 5
"""Of one message: who rolls on only spends the community's budget."""


def roll_commands(desk: Desk) -> list[AnyCommand]:
    @app_commands.command(name="roll", description="Another take of my last answer here, for whoever asked me.")
    @app_commands.describe(replace="Take the earlier answer away once the new one is there", message="The link of another answer of mine")
    async def roll(interaction: discord.Interaction, replace: bool = False, message: app_commands.Range[str, 1, 120] | None = None) -> None:
        await think(interaction)
        await _roll(desk, interaction, await meant(desk, interaction, message), replace=replace)

    @app_commands.context_menu(name="Another take")
    async def another(interaction: discord.Interaction, message: discord.Message) -> None:
        await think(interaction)
        await _roll(desk, interaction, await of_message(desk, interaction, message.id), replace=False)

    return [roll, another]


async def _roll(desk: Desk, interaction: discord.Interaction, answer: Answer, *, replace: bool) -> None:
    channel = interaction.channel
    if not isinstance(channel, discord.abc.Messageable):
        raise Refusal(sentences.NO_ANSWER_HERE)
    if answer.asker != interaction.user.id and not may_manage(interaction):
        raise Refusal(sentences.NOT_YOUR_ANSWER)
    await must_not_be_silent(desk, interaction)
    if desk.limits.asks(interaction.user.id, answer.channel, desk.monotonic()) is not Verdict.ANSWER:
        raise Refusal(sentences.TOO_FAST)
    if await desk.store.answers.takes(answer.message) >= MOST_TAKES:
        raise Refusal(sentences.ENOUGH_TAKES)
    sent = await desk.answering.another(await _question(answer, channel), asker=interaction.user.id)
    if sent is None:
        raise Refusal(sentences.NO_OTHER_TAKE)
    if replace:
        await _take_away(desk, answer, channel)
    await whisper(interaction, sentences.another_take(sent.jump_url))


async def _question(answer: Answer, channel: discord.abc.Messageable) -> discord.Message:
    try:
        return await channel.fetch_message(answer.message)
    except (discord.NotFound, discord.Forbidden) as exc:
        raise Refusal(sentences.NO_OTHER_TAKE) from exc


async def _take_away(desk: Desk, answer: Answer, channel: discord.abc.Messageable) -> None:
    for part in await desk.store.answers.parts(answer.message, answer.take):
        if part.sent is not None:
            try:
                await (await channel.fetch_message(part.sent)).delete()
            except discord.HTTPException as exc:  # somebody else took it away
                log.info("Message %s could not be taken away: %s", part.sent, exc)
