"""A bot that is killed at any moment of an answer: when it is back, the answer is there, whole and once."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from clients.discord_bot.splitting import split
from tests.clients.discord_bot.bot_process import start
from tests.clients.discord_bot.fake_discord import BOT, GUILD, FakeDiscord, discord_running
from tests.clients.stub_gateway import StubGateway, serving

MENTION = f"<@{BOT}>"
LONG = "Nobody passes like him. " * 200
ROOMS = [GUILD + 1_000 + number for number in range(20)]
MESSAGES = r"/channels/\d+/messages"


@dataclass
class SlowGateway(StubGateway):
    """Answers when it is let."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        self.reached.set()
        await self.may_answer.wait()
        return await super().complete(request)


@dataclass
class Stage:
    discord: FakeDiscord
    gateway: SlowGateway
    home: Path
    bot: BaseProcess
    starts: int = 1

    async def restart(self) -> None:
        """Without a moment to say goodbye."""
        self.bot.kill()
        await asyncio.to_thread(self.bot.join)
        self.bot = start(self.discord.url, self.gateway.url, self.home)
        self.starts += 1
        await self.discord.online(self.starts)

    async def has_answered(self, asked: dict[str, Any]) -> None:
        """The whole answer stands below the question, once, in order, and nothing is left to do after another start."""
        await self.discord.said(len(split(LONG)))
        await self.restart()
        await self.discord.say(f"{MENTION} and now?", who=BOT + 50)
        spoken = await self.discord.said(2 * len(split(LONG)))
        answers = [message["content"] for message in spoken]
        assert answers == split(LONG) * 2
        assert [message.get("message_reference", {}).get("message_id") for message in spoken][: len(split(LONG))] == [
            asked["id"],
            *[None] * (len(split(LONG)) - 1),
        ]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with discord_running() as discord, serving(SlowGateway(answer=LONG)) as gateway:
        assert isinstance(gateway, SlowGateway)
        discord.world.add_guild(GUILD, "Friends", {room: f"room-{room}" for room in ROOMS})
        stage = Stage(discord, gateway, tmp_path, start(discord.url, gateway.url, tmp_path))
        await discord.online()
        yield stage
        stage.bot.kill()
        await asyncio.to_thread(stage.bot.join)


@asynccontextmanager
async def _asking(stage: Stage, *, answers: bool = True) -> AsyncIterator[dict[str, Any]]:
    if answers:
        stage.gateway.may_answer.set()
    asked = await stage.discord.say(f"{MENTION} tell me")
    yield asked
    stage.gateway.may_answer.set()
    await stage.has_answered(asked)


@pytest.mark.parametrize("path", [r"/channels/\d+/typing", MESSAGES])
async def test_killed_before_the_gateway_was_asked(stage: Stage, path: str) -> None:
    """While the sign is put up, while the channel is read."""
    hold = stage.discord.holds("POST|GET", path)
    async with _asking(stage):
        await asyncio.wait_for(hold.reached.wait(), 20)
        await stage.restart()
        hold.lose()


async def test_killed_while_the_gateway_thinks(stage: Stage) -> None:
    """It is asked again."""
    async with _asking(stage, answers=False):
        await asyncio.wait_for(stage.gateway.reached.wait(), 20)
        await stage.restart()


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("stored", [False, True])
async def test_killed_while_a_part_is_sent(stage: Stage, part: int, stored: bool) -> None:
    """Before Discord has it, or when Discord has it and the bot has not heard of it."""
    holds = [stage.discord.holds("POST", MESSAGES, stored=stored) for _ in range(part + 1)]
    async with _asking(stage):
        for hold in holds[:-1]:
            await asyncio.wait_for(hold.reached.wait(), 20)
            hold.go_on()
        await asyncio.wait_for(holds[-1].reached.wait(), 20)
        await stage.restart()
        holds[-1].lose()


async def test_ended_politely_in_the_middle_of_an_answer(stage: Stage) -> None:
    """A SIGTERM is obeyed at once and is no error; the next start goes on with the answer."""
    async with _asking(stage, answers=False):
        await asyncio.wait_for(stage.gateway.reached.wait(), 20)
        stage.bot.terminate()
        await asyncio.to_thread(stage.bot.join, 20)
        assert stage.bot.exitcode == 0
        await stage.restart()


async def test_killed_at_any_moment(stage: Stage, soak: bool) -> None:
    """Again and again while answers are made: each comes once and whole."""
    stage.gateway.may_answer.set()
    stage.gateway.answer = "short"
    draw, asked = random.Random(12), []
    for number in range(200 if soak else 6):
        room = ROOMS[number % len(ROOMS)]
        hold = stage.discord.holds("POST", f"/channels/{room}/typing")  # from here on the bot has taken the message upon itself
        message = await stage.discord.say(f"{MENTION} {number}", who=BOT + 100 + number, channel=room)
        asked.append(message["id"])
        await asyncio.wait_for(hold.reached.wait(), 20)
        hold.go_on()
        await asyncio.sleep(draw.uniform(0, 0.03))
        await stage.restart()
        await stage.discord.said(number + 1)
    replied = [message["message_reference"]["message_id"] for message in stage.discord.spoken()]
    assert replied == asked
