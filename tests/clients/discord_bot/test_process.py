"""The bot as a process: how it ends, what it tells Prometheus, and its connections to Discord."""

import asyncio
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from clients.discord_bot.command import serve
from clients.discord_bot.metrics import Metrics, Served
from clients.discord_bot.settings import BotSettings, read_bot_settings
from clients.errors import BadSettings
from tests.clients.discord_bot.fake_discord import BOT, GUILD, LOUNGE, TOKEN, discord_running
from tests.clients.discord_bot.scene import MANNER, made_bot, online
from tests.clients.stub_gateway import KEY, StubGateway, serving

MENTION = f"<@{BOT}>"


def _settings(home: Path, gateway: StubGateway, **more: object) -> BotSettings:
    return read_bot_settings(bot_token=TOKEN, bot_model="zizou", api_key=KEY, url=gateway.url, home=home, bot_state_key=None, **more)


async def test_told_to_end_it_ends_and_the_next_start_goes_on(tmp_path: Path) -> None:
    """In the middle of an answer; as if nothing had happened."""
    async with discord_running() as discord, serving(StubGateway(thinking=asyncio.Event())) as gateway:
        running = asyncio.create_task(serve(_settings(tmp_path, gateway)))
        await discord.online()
        await discord.say(f"{MENTION} who won?")
        await asyncio.wait_for(gateway.was_asked.wait(), 20)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, 20)
        assert discord.spoken() == []
        assert gateway.thinking is not None
        gateway.thinking.set()
        again = asyncio.create_task(serve(_settings(tmp_path, gateway)))
        [said] = await discord.said(1)
        assert said["content"] == "offside, as ever"
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(again, 20)


async def test_its_numbers_are_there_for_prometheus_and_name_nobody(tmp_path: Path) -> None:
    """At the port that was set, for as long as the bot runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    async with discord_running() as discord, serving(StubGateway()) as gateway:
        running = asyncio.create_task(serve(_settings(tmp_path, gateway, bot_metrics_port=port)))
        await discord.online()
        await discord.say(f"{MENTION} who won?")
        await discord.said(1)
        async with httpx.AsyncClient(trust_env=False) as http:
            numbers = ""
            while 'troupe_bot_answers_total{kind="answer"} 1.0' not in numbers:
                numbers = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
        assert "troupe_bot_guilds 1.0" in numbers
        assert "troupe_bot_breaker_open 0.0" in numbers
        assert not any(name in numbers for name in ("zizou", "Alice", str(GUILD)))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


def test_a_port_that_is_taken_is_said() -> None:
    """In one sentence that names the variable."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BadSettings, match="TROUPE_BOT_METRICS_PORT"), Served(Metrics(), int(taken.getsockname()[1])):
            pass


async def test_several_connections_are_one_bot(tmp_path: Path) -> None:
    """Each has its own guilds, and the settings' voice is given away only when all of them are there."""
    other, their_lounge = GUILD + (1 << 22), GUILD + 500
    async with discord_running() as discord, serving(StubGateway()) as gateway:
        await discord.invite(other, "Neighbours", {their_lounge: "lounge"})
        async with made_bot(tmp_path, gateway.url, manner=replace(MANNER, shard_count=2)) as bot, online(discord, gateway, bot):
            await discord.online(2)
            await bot.links.link(other, KEY, by=1, community="greybeards")
            await bot.links.link(GUILD, KEY, by=1, community="zizou")
            await discord.say(f"{MENTION} hi")
            await discord.say(f"{MENTION} hi", channel=their_lounge)
            await discord.said(1, LOUNGE)
            await discord.said(1, their_lounge)
        assert sorted(asked["model"] for asked in gateway.asked) == ["greybeards", "zizou"]
