"""The whole bot between a fake Discord and a stand-in gateway, both over real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from clients.api import Troupe
from clients.discord_bot.bot import Bot, Manner
from clients.discord_bot.breaker import Breaker
from clients.discord_bot.links import Links, OwnVoice
from clients.discord_bot.metrics import Metrics
from clients.discord_bot.naming import NamesKeys
from clients.discord_bot.outgoing import Outgoing
from clients.discord_bot.sealing import Sealer
from clients.discord_bot.store.store import FILE, Store
from clients.discord_bot.wire import Wire
from tests.clients.discord_bot.fake_discord import TOKEN, FakeDiscord
from tests.clients.stub_gateway import KEY, StubGateway

SECRET = b"s" * 32
MANNER = Manner(max_tokens=50, round_s=3600.0)


@dataclass
class Scene:
    """The bot is online; what a test needs to make it speak."""

    discord: FakeDiscord
    gateway: StubGateway
    bot: Bot

    def prompt(self, number: int = -1) -> list[dict[str, str]]:
        messages: list[dict[str, str]] = self.gateway.asked[number]["messages"]
        return messages


class Hasty(Bot):
    """Does not wait five seconds before it identifies again: the fake does not mind."""

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """No wait."""


@asynccontextmanager
async def made_bot(
    home: Path, gateway_url: str, *, model: str | None = "zizou", key: str = KEY, manner: Manner = MANNER, kind: type[Bot] = Bot
) -> AsyncIterator[Bot]:
    """A bot that is not logged in. `model`: the settings' own voice; None: only linked guilds have one."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(Store(home / FILE))
        own = OwnVoice(model, key) if model else None
        links = Links(store, Sealer(SECRET), lambda key: Troupe(gateway_url, key), own=own)
        stack.push_async_callback(links.close)
        wire = Wire(Breaker(), Outgoing([TOKEN, key]))
        yield await stack.enter_async_context(kind(store, links, NamesKeys(home / "factory"), wire, Metrics(), manner))


@asynccontextmanager
async def online(discord: FakeDiscord, gateway: StubGateway, bot: Bot) -> AsyncIterator[Scene]:
    """The bot, logged in until the end of the block."""
    before = len(discord.gateway.identified)
    running = asyncio.create_task(bot.run_forever(TOKEN))
    await discord.online(before + 1)
    try:
        yield Scene(discord, gateway, bot)
    finally:
        await bot.close()
        await running


def in_the_past(seconds: float) -> str:
    """A message id of that long ago."""
    return str((int((time.time() - seconds) * 1000) - 1_420_070_400_000) << 22)
