"""The commands as Discord knows them: which there are, when to tell Discord of them, and what a failed one says.

All of them are the application's own and not a server's: one call tells Discord for every server, and it is made only when the commands
have changed since the last one, which Discord would otherwise limit.
"""

import json
import time
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any

import discord
from discord import app_commands

from clients.discord_bot.commands.refusal import Refusal
from clients.discord_bot.commands.replying import excuse
from clients.discord_bot.commands.sentences import NO_SUCH_COMMAND, TOO_FAST
from clients.discord_bot.limits import Limits, Rate, Verdict
from clients.discord_bot.store.facts import COMMANDS, Facts

PER_PERSON, PER_CHANNEL = Rate(30, 60.0), Rate(90, 60.0)
"""Commands, whatever they cost; those that ask the voice something count as questions besides."""
AnyCommand = app_commands.Command[Any, ..., Any] | app_commands.Group | app_commands.ContextMenu


class Commands(app_commands.CommandTree[discord.Client]):
    """Build it with the client, before the login; `publish` once the client knows its application."""

    def __init__(self, client: discord.Client, commands: Iterable[AnyCommand], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(
            client,
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
        )
        for command in commands:
            self.add_command(command)
        self._limits = Limits(PER_PERSON, PER_CHANNEL)
        self._monotonic = monotonic

    @property
    def mark(self) -> str:
        """A hash of all that Discord is told: another one for other commands."""
        told = [command.to_dict(self) for command in self.get_commands()]
        return sha256(json.dumps([self.client.application_id, told], sort_keys=True).encode()).hexdigest()

    async def publish(self, facts: Facts) -> bool:
        """Tell Discord of the commands, unless it was told of the very same; whether it was told. Raises discord.HTTPException."""
        mark = self.mark
        if await facts.get(COMMANDS) == mark:
            return False
        await self.sync()
        await facts.put(COMMANDS, mark)
        return True

    async def interaction_check(self, interaction: discord.Interaction[discord.Client], /) -> bool:
        """Whoever gives commands faster than anybody can read is asked to wait; what is offered while somebody types counts for nothing."""
        given = interaction.type is discord.InteractionType.application_command
        if given and self._limits.asks(interaction.user.id, interaction.channel_id or 0, self._monotonic()) is not Verdict.ANSWER:
            raise Refusal(TOO_FAST)
        return True

    async def on_error(self, interaction: discord.Interaction[discord.Client], error: app_commands.AppCommandError, /) -> None:
        if isinstance(error, app_commands.CommandInvokeError):
            await excuse(interaction, error.original)
        elif isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
            await excuse(interaction, Refusal(NO_SUCH_COMMAND))
        else:
            await excuse(interaction, error)
