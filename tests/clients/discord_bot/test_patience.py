"""What people see while an answer is made: the bot types from the first moment, and says so when it takes long."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from clients.discord_bot.answering import Patience
from clients.discord_bot.channels import ChannelSettings, Mode
from clients.discord_bot.guild_settings import GuildSettings
from clients.discord_bot.sentences import LATE
from tests.clients.discord_bot.fake_discord import BOT, GUILD, LOUNGE, discord_running
from tests.clients.discord_bot.scene import MANNER, made_bot, online
from tests.clients.stub_gateway import StubGateway, serving

MENTION = f"<@{BOT}>"
SOON = replace(MANNER, patience=Patience(late_s=0.05))


async def test_it_types_and_warms_before_it_has_anything_to_say(tmp_path: Path) -> None:
    """Both while the answer is still being made; nothing is said before it is there."""
    async with (
        discord_running() as discord,
        serving(StubGateway(thinking=asyncio.Event())) as gateway,
        made_bot(tmp_path, gateway.url) as bot,
        online(discord, gateway, bot),
    ):
        await discord.say(f"{MENTION} who won?")
        await discord.until(lambda: discord.typed_in == [LOUNGE])
        await asyncio.wait_for(gateway.was_warmed.wait(), 20)
        assert discord.sent == []
        assert gateway.thinking is not None
        gateway.thinking.set()
        [sent] = await discord.answers(1)
        assert sent["content"] == "offside, as ever"


async def test_a_long_wait_is_told_once_and_the_answer_comes_as_a_reply(tmp_path: Path) -> None:
    """In the bot's words; the notice is nobody's voice in later prompts."""
    async with (
        discord_running() as discord,
        serving(StubGateway(thinking=asyncio.Event())) as gateway,
        made_bot(tmp_path, gateway.url, manner=SOON) as bot,
        online(discord, gateway, bot) as scene,
    ):
        asked = await discord.say(f"{MENTION} who won?")
        [notice] = await discord.answers(1)
        assert notice["content"] == LATE
        assert gateway.thinking is not None
        gateway.thinking.set()
        _, answer = await discord.answers(2)
        assert answer["content"] == "offside, as ever"
        assert {str(sent["message_reference"]["message_id"]) for sent in (notice, answer)} == {asked["id"]}
        await discord.say(f"{MENTION} really?")
        await discord.answers(3)
        assert LATE not in str(scene.prompt())


async def test_the_community_has_its_own_words_for_a_long_wait(tmp_path: Path) -> None:
    """They are no part of a conversation either, though nobody could tell it by their text."""
    async with (
        discord_running() as discord,
        serving(StubGateway(thinking=asyncio.Event())) as gateway,
        made_bot(tmp_path, gateway.url, manner=SOON) as bot,
        online(discord, gateway, bot) as scene,
    ):
        await bot.store.guilds.put(GUILD, GuildSettings(late="un instant…"))
        await discord.say(f"{MENTION} who won?")
        assert [sent["content"] for sent in await discord.answers(1)] == ["un instant…"]
        assert gateway.thinking is not None
        gateway.thinking.set()
        await discord.answers(2)
        await discord.say(f"{MENTION} really?")
        await discord.answers(3)
        assert scene.prompt()[1] == {"role": "assistant", "content": "offside, as ever"}
        assert "instant" not in str(scene.prompt())


@pytest.mark.parametrize("silence", [ChannelSettings(Mode.OFF), ChannelSettings(hushed_until=9e9)])
async def test_who_asks_for_silence_gets_it_though_an_answer_is_on_its_way(tmp_path: Path, silence: ChannelSettings) -> None:
    """It is forgotten and not said later."""
    async with (
        discord_running() as discord,
        serving(StubGateway(thinking=asyncio.Event())) as gateway,
        made_bot(tmp_path, gateway.url) as bot,
        online(discord, gateway, bot),
    ):
        await discord.say(f"{MENTION} who won?")
        await asyncio.wait_for(gateway.was_asked.wait(), 20)
        await bot.store.channels.put(GUILD, LOUNGE, silence)
        assert gateway.thinking is not None
        gateway.thinking.set()
        while await bot.store.handled.unfinished():
            pass
        await bot.store.channels.remove(LOUNGE)
        asked = await discord.say(f"{MENTION} and now?")
        [sent] = await discord.answers(1)
        assert str(sent["message_reference"]["message_id"]) == asked["id"]


async def test_a_notice_that_cannot_be_sent_does_not_cost_the_answer(tmp_path: Path) -> None:
    """Discord fails for a moment, five times over."""
    async with (
        discord_running() as discord,
        serving(StubGateway(thinking=asyncio.Event())) as gateway,
        made_bot(tmp_path, gateway.url, manner=SOON) as bot,
        online(discord, gateway, bot),
    ):
        discord.fails(400, method="POST", path=r"/channels/\d+/messages", body={"code": 40001, "message": "Not now."})
        await discord.say(f"{MENTION} who won?")
        await discord.answers(1)
        assert gateway.thinking is not None
        gateway.thinking.set()
        [said] = await discord.said(1)
        assert said["content"] == "offside, as ever"


async def test_an_answer_does_not_depend_on_the_sign(tmp_path: Path) -> None:
    """Where the bot may not show that it types."""
    async with (
        discord_running() as discord,
        serving(StubGateway()) as gateway,
        made_bot(tmp_path, gateway.url) as bot,
        online(discord, gateway, bot),
    ):
        discord.fails(403, method="POST", path=r"/channels/\d+/typing", times=None)
        await discord.say(f"{MENTION} who won?")
        [said] = await discord.said(1)
        assert said["content"] == "offside, as ever"
