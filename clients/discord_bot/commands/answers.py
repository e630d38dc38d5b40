"""Which of the bot's answers a command is about: the one in a message that was pointed at, else the last in the channel."""

import re

import discord

from clients.discord_bot.commands import sentences
from clients.discord_bot.commands.desk import Desk
from clients.discord_bot.commands.refusal import Refusal
from clients.discord_bot.commands.rights import channel_of, guild_of
from clients.discord_bot.store.answers import Answer

_LARGEST = 2**63 - 1
"""No message has it, and nothing larger can be looked up."""
_LINK = re.compile(r"https://(?:\w+\.)?discord(?:app)?\.com/channels/(?P<guild>\d+)/(?P<channel>\d+)/(?P<message>\d+)", re.ASCII)


async def meant(desk: Desk, interaction: discord.Interaction, pointed_at: str | None = None) -> Answer:
    """`pointed_at`: a message's id, or its link. Raises Refusal where it is no answer that was given in this very channel."""
    if pointed_at is None:
        answer = await desk.store.answers.last_in(channel_of(interaction))
        if answer is None:
            raise Refusal(sentences.NO_ANSWER_HERE)
        return answer
    return await of_message(desk, interaction, _message_id(pointed_at.strip()))


async def of_message(desk: Desk, interaction: discord.Interaction, message: int | None) -> Answer:
    """Who asks for an answer of another channel is told what he is told of one that never was: he may not be able to read there."""
    answer = None if message is None else await desk.store.answers.of_sent(message)
    if answer is None or answer.channel != channel_of(interaction) or answer.guild != guild_of(interaction):
        raise Refusal(sentences.UNKNOWN_ANSWER)
    return answer


def _message_id(said: str) -> int | None:
    link = _LINK.fullmatch(said)
    number = link["message"] if link else said
    if not number.isascii() or not number.isdecimal() or len(number) > len(str(_LARGEST)):
        return None
    return min(int(number), _LARGEST)
