"""What the commands work with, put together once. Knows no command, and nothing of how an answer is made."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import discord
from discord.abc import Messageable

from clients.api import Troupe
from clients.discord_bot.commands.refusal import Refusal
from clients.discord_bot.commands.sentences import NOT_LINKED
from clients.discord_bot.context import Prompt
from clients.discord_bot.filter import Filter
from clients.discord_bot.guild_settings import GuildSettings
from clients.discord_bot.heard import Heard
from clients.discord_bot.limits import Limits
from clients.discord_bot.store.store import Store


class Voice(Protocol):
    """As whom the bot speaks in one server, and with which key."""

    @property
    def community(self) -> str: ...
    @property
    def model(self) -> str:
        """`zizou`, or the version that the server's admins chose: `zizou@7`."""

    @property
    def troupe(self) -> Troupe: ...


class Links(Protocol):
    """The servers' voices. A server's own admins link it; no server ever gets another one's."""

    async def voice(self, guild: int, /) -> Voice | None: ...

    async def link(self, guild: int, key: str, /, *, by: int, community: str | None = None) -> str:
        """The community that the server speaks as now. Raises LinkRefused or another TroupeError, and then nothing has changed."""

    async def unlink(self, guild: int, /) -> bool:
        """Whether there was a link of its own."""


class Answering(Protocol):
    """Who can answer a message once more."""

    async def another(self, question: discord.Message, /, *, asker: int) -> discord.Message | None:
        """Another answer to `question`, sent as a reply to it; None if there is none. Raises TroupeError or discord.HTTPException."""


class Asking(Protocol):
    """Who knows what stands before a question."""

    async def prompt_here(self, channel: Messageable, asked: Heard, community: str, settings: GuildSettings, /) -> Prompt:
        """What to ask where `asked` was said by a command, after how the channel ends. Raises StateBroken or discord.HTTPException."""


@dataclass(frozen=True)
class Desk:
    store: Store
    links: Links
    answering: Answering
    asking: Asking
    limits: Limits
    filter: Filter
    max_tokens: int
    clock: Callable[[], float] = time.time
    """Unix time."""
    monotonic: Callable[[], float] = time.monotonic

    async def voice(self, guild: int) -> Voice:
        """Raises Refusal where the server has none."""
        voice = await self.links.voice(guild)
        if voice is None:
            raise Refusal(NOT_LINKED)
        return voice
