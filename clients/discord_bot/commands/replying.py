"""How a command answers: to the asker alone or to the channel, at once or after a while. Knows Discord's interactions and no command.

Every message of a command leaves through here: none can ping anybody, none opens a preview of a link.
"""

import logging

import discord

from clients.discord_bot.commands.refusal import Refusal
from clients.discord_bot.commands.sentences import MAY_NOT, WENT_WRONG
from clients.discord_bot.errors import BadChoice, LinkRefused, NotSent, StateBroken
from clients.discord_bot.sentences import apology
from clients.discord_bot.splitting import split
from clients.errors import TroupeError

log = logging.getLogger(__name__)

_TOO_LATE = 10062
"""Discord knows the interaction for three seconds, unless it was answered by then."""


async def whisper(interaction: discord.Interaction, text: str, view: discord.ui.View | None = None) -> None:
    """Say something that only the asker sees. Raises discord.HTTPException."""
    await _say(interaction, text, view, ephemeral=True)


async def announce(interaction: discord.Interaction, text: str, view: discord.ui.View | None = None) -> discord.Message | None:
    """Say something that the channel sees; the message, where Discord tells which one it became. Raises discord.HTTPException."""
    return await _say(interaction, text, view, ephemeral=False)


async def think(interaction: discord.Interaction, *, aloud: bool = False) -> None:
    """Discord waits three seconds for an answer; from here on it waits a quarter of an hour. `aloud`: the channel sees the answer."""
    await interaction.response.defer(ephemeral=not aloud, thinking=True)


async def excuse(interaction: discord.Interaction, error: Exception) -> None:
    """Tell the asker in words what went wrong; what is no news to the log is not written there."""
    if isinstance(error, NotSent):  # and so nobody can be told
        log.warning("A command stays unanswered: %s", error)
        return
    if isinstance(error, Refusal | BadChoice | LinkRefused):
        sentence = str(error)
    elif isinstance(error, TroupeError) and not isinstance(error, StateBroken):
        log.warning("A command found the gateway unwilling: %s", error)
        sentence = apology(error)
    elif isinstance(error, discord.NotFound) and error.code == _TOO_LATE:
        log.warning("A command came too late to be answered, which Discord tells who gave it.")
        return
    elif isinstance(error, discord.Forbidden):
        sentence = MAY_NOT
    else:
        log.error("A command failed.", exc_info=error)
        sentence = WENT_WRONG
    try:
        await whisper(interaction, sentence)
    except (discord.HTTPException, NotSent) as exc:  # the asker is gone, or Discord no longer takes an answer
        log.info("Nobody could be told: %s", exc)


async def _say(interaction: discord.Interaction, text: str, view: discord.ui.View | None, *, ephemeral: bool) -> discord.Message | None:
    message: discord.Message | None = None
    shown = discord.utils.MISSING if view is None else view
    for part in split(text):
        if interaction.response.is_done():
            message = await interaction.followup.send(
                part,
                view=shown,
                ephemeral=ephemeral,
                allowed_mentions=discord.AllowedMentions.none(),
                suppress_embeds=True,
                wait=True,
            )
        else:
            answered = await interaction.response.send_message(
                part, view=shown, ephemeral=ephemeral, allowed_mentions=discord.AllowedMentions.none(), suppress_embeds=True
            )
            message = answered.resource if isinstance(answered.resource, discord.Message) else None
        shown = discord.utils.MISSING
    return message
