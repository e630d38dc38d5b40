"""`/budget`: what is left of the community's limits, in words."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import discord
from discord import app_commands

from clients.discord_bot.commands import sentences
from clients.discord_bot.commands.desk import Desk
from clients.discord_bot.commands.replying import think, whisper
from clients.discord_bot.commands.rights import guild_of
from clients.discord_bot.commands.tree import AnyCommand


def budget_command(desk: Desk) -> AnyCommand:
    @app_commands.command(name="budget", description="How much may I still talk?")
    async def budget(interaction: discord.Interaction) -> None:
        voice = await desk.voice(guild_of(interaction))
        await think(interaction)
        await whisper(interaction, described(await voice.troupe.usage(voice.community), voice.community))

    return budget


def described(usage: Mapping[str, Any], community: str) -> str:
    """What `GET /v1/usage` says of the community and of the key, as lines; limits that nobody set are not spoken of."""
    currency = str(usage.get("currency", ""))
    states = [(usage.get("communities") or {}).get(community) or {}, usage.get("key") or {}]
    lines = dict.fromkeys(line for state in states for line in _lines(state, currency))  # the key's may be the community's again
    return "\n".join([sentences.budget_of(community), *lines]) if lines else sentences.UNLIMITED


def _lines(state: Mapping[str, Any], currency: str) -> list[str]:
    lines = []
    day, month = state.get("tokens_per_day") or {}, state.get("money_per_month") or {}
    if day.get("limit") is not None:
        lines.append(sentences.tokens_today(int(day["used"]), int(day["limit"]), _moment(day["resets_at"])))
    if month.get("limit") is not None:
        lines.append(sentences.money_this_month(str(month["used"]), str(month["limit"]), currency, _moment(month["resets_at"])))
    for name, what in (("requests_per_minute", "Answers"), ("tokens_per_minute", "Tokens")):
        rate = state.get(name) or {}
        if rate.get("limit") is not None:
            lines.append(sentences.at_once(what, int(rate["remaining"]), int(rate["limit"])))
    return lines


def _moment(iso: str) -> int:
    return int(datetime.fromisoformat(iso).timestamp())
