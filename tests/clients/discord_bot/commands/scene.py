"""A client with nothing but the commands, online at the fake Discord, with a stand-in gateway behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import discord

from clients.api import Troupe
from clients.discord_bot.asking import Asking
from clients.discord_bot.commands.build import build_commands
from clients.discord_bot.commands.desk import Desk
from clients.discord_bot.commands.tree import Commands
from clients.discord_bot.errors import LinkRefused
from clients.discord_bot.filter import Filter
from clients.discord_bot.hearing import Hearing
from clients.discord_bot.limits import Limits
from clients.discord_bot.naming import NamesKeys
from clients.discord_bot.store.answers import Answer
from clients.discord_bot.store.store import Store
from clients.errors import BadKey
from tests.clients.discord_bot.fake_discord import ALICE, BOT, GUILD, LOUNGE, TOKEN, FakeDiscord, discord_running
from tests.clients.stub_gateway import KEY, StubGateway, serving

NOW = 1_795_000_000.0
MEMBER = 1 << 11
"""May send messages, and manages nothing."""


@dataclass(frozen=True)
class Voice:
    community: str
    model: str
    troupe: Troupe


@dataclass
class FewLinks:
    """Links in memory; keys are tried at the gateway."""

    url: str
    linked: dict[int, Voice] = field(default_factory=dict)

    async def voice(self, guild: int, /) -> Voice | None:
        return self.linked.get(guild)

    async def link(self, guild: int, key: str, /, *, by: int, community: str | None = None) -> str:
        troupe = Troupe(self.url, key)
        try:
            names = [name for name in await troupe.models() if name != "base"]
        except BadKey as exc:
            await troupe.aclose()
            raise LinkRefused("The gateway does not accept this key.") from exc
        name = community or names[0]
        self.linked[guild] = Voice(name, name, troupe)
        return name

    async def unlink(self, guild: int, /) -> bool:
        voice = self.linked.pop(guild, None)
        if voice is not None:
            await voice.troupe.aclose()
        return voice is not None


@dataclass
class OneMore:
    """Answers again with whatever is written here, as the bot would."""

    texts: list[str] = field(default_factory=list)
    asked: list[tuple[int, int]] = field(default_factory=list)
    bug: Exception | None = None

    async def another(self, question: discord.Message, /, *, asker: int) -> discord.Message | None:
        if self.bug is not None:
            raise self.bug
        self.asked.append((question.id, asker))
        return await question.reply(self.texts.pop(0)) if self.texts else None


@dataclass
class Scene:
    discord: FakeDiscord
    gateway: StubGateway
    store: Store
    links: FewLinks
    again: OneMore
    client: "CommandsAlone"
    now: list[float]
    """Unix time, to be set."""

    async def answered(self, *, asker: int = ALICE, channel: int = LOUNGE, take: int = 0) -> Answer:
        """An answer of the bot's that was given here before."""
        question = self.discord.write("who won?", who=asker, channel=channel)
        said = self.discord.write("offside, as ever", who=self.client.me, channel=channel, reply_to=question)
        asked, heard = int(question["id"]), self.now[0]
        answer = Answer(asked, take, GUILD, channel, asker, "zizou@7", "c0ffee", "req_1", 3.25, 0.0, 2.5, heard)
        [part] = await self.store.answers.add(answer, ["offside, as ever"])
        await self.store.answers.sent(part, int(said["id"]), heard)
        return answer


class CommandsAlone(discord.Client):
    commands: Commands
    store: Store
    published: int = 0

    @property
    def me(self) -> int:
        assert self.user is not None
        return self.user.id

    async def setup_hook(self) -> None:
        self.published += await self.commands.publish(self.store.facts)


@asynccontextmanager
async def commands_online(tmp_path: Path, *, linked: bool = True) -> AsyncIterator[Scene]:
    async with discord_running() as fake, serving(StubGateway()) as gateway, Store(tmp_path / "state.sqlite3") as store:
        links, again, now = FewLinks(gateway.url), OneMore(), [NOW]
        if linked:
            await links.link(GUILD, KEY, by=ALICE, community="zizou")
        asking = asking_of(store, tmp_path)
        desk = Desk(store, links, again, asking, Limits(), Filter(), 50, clock=lambda: now[0], monotonic=lambda: now[0])
        async with client_online(fake, desk) as client:
            yield Scene(fake, gateway, store, links, again, client, now)
        await links.unlink(GUILD)


def asking_of(store: Store, names: Path) -> Asking:
    """The bot's own, for a bot that is known before it is there."""
    me = cast("discord.ClientUser", SimpleNamespace(id=BOT, display_name="zizou"))
    return Asking(store, Hearing(lambda: me), Filter(), NamesKeys(names), lambda _: None, max_tokens=50)


@asynccontextmanager
async def client_online(fake: FakeDiscord, desk: Desk, *, times: int = 1) -> AsyncIterator[CommandsAlone]:
    """`times`: how many clients that makes at this Discord."""
    client = CommandsAlone(intents=discord.Intents(guilds=True), allowed_mentions=discord.AllowedMentions.none())
    client.store, client.commands = desk.store, build_commands(client, desk)
    async with client:
        running = asyncio.create_task(client.start(TOKEN))
        await fake.online(times)
        yield client
    await running
