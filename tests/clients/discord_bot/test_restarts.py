"""A bot that starts finds what an earlier one left undone, and goes on with it; nothing is said twice."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from clients.discord_bot.sentences import ASLEEP
from clients.discord_bot.store.answers import Answer
from clients.discord_bot.store.handled import Handled
from clients.discord_bot.store.store import FILE, Store
from tests.clients.discord_bot.fake_discord import ALICE, BOT, GUILD, LOUNGE, FakeDiscord, discord_running
from tests.clients.discord_bot.scene import made_bot, online
from tests.clients.stub_gateway import StubGateway, serving

MENTION = f"<@{BOT}>"
TEXTS = ("one.", "two.")


@dataclass
class Left:
    """What an earlier bot left in its file, for one message."""

    message: int
    age: float = 5.0
    kept: bool = False
    """Whether the answer was kept already."""

    async def write(self, home: Path) -> None:
        async with Store(home / FILE) as store:
            await store.handled.begin(Handled(self.message, GUILD, LOUNGE, ALICE, time.time() - self.age))
            if self.kept:
                answer = Answer(self.message, 0, GUILD, LOUNGE, ALICE, "zizou@7", "c0ffee", None, 1.0, None, None, time.time())
                await store.answers.add(answer, TEXTS)


async def _after_a_start(home: Path, discord: FakeDiscord, gateway: StubGateway) -> list[str]:
    """What stands in the channel once a bot has started and nothing is left to be done."""
    async with made_bot(home, gateway.url) as bot, online(discord, gateway, bot):
        async with asyncio.timeout(20):
            while await bot.store.handled.unfinished():
                pass
    return [message["content"] for message in discord.spoken()]


async def test_a_message_that_was_begun_is_answered(tmp_path: Path) -> None:
    """As if nothing had happened; and its event, should it come again, is ignored."""
    async with discord_running() as discord, serving(StubGateway()) as gateway:
        asked = discord.write(f"{MENTION} who won?")
        await Left(int(asked["id"])).write(tmp_path)
        assert await _after_a_start(tmp_path, discord, gateway) == ["offside, as ever"]
        async with made_bot(tmp_path, gateway.url) as bot, online(discord, gateway, bot):
            await discord.tell(asked)
            await discord.say(f"{MENTION} and now?")
            await discord.said(2)
        assert len(gateway.asked) == 2


@pytest.mark.parametrize("arrived", [0, 1, 2])
async def test_of_an_answer_that_was_kept_only_the_rest_is_sent(tmp_path: Path, arrived: int) -> None:
    """Killed between a send and the note of it, what stands in the channel says how far it came; the model is not asked again."""
    async with discord_running() as discord, serving(StubGateway()) as gateway:
        asked = discord.write(f"{MENTION} who won?")
        for number, text in enumerate(TEXTS[:arrived]):
            discord.write(text, who=BOT, reply_to=asked if number == 0 else None)
        await Left(int(asked["id"]), kept=True).write(tmp_path)
        assert await _after_a_start(tmp_path, discord, gateway) == list(TEXTS)
        assert gateway.asked == []


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("why", ["it is old", "it was deleted"])
async def test_what_nobody_waits_for_is_dropped(tmp_path: Path, why: str, kept: bool) -> None:
    """Too late is worse than not at all."""
    async with discord_running() as discord, serving(StubGateway()) as gateway:
        asked = discord.write(f"{MENTION} who won?")
        if why == "it was deleted":
            discord.delete(asked)
        await Left(int(asked["id"]), age=700.0 if why == "it is old" else 5.0, kept=kept).write(tmp_path)
        assert await _after_a_start(tmp_path, discord, gateway) == []


async def test_a_stop_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    """What was being thought about is thought about again after the next start."""
    async with discord_running() as discord, serving(StubGateway(thinking=asyncio.Event())) as gateway:
        async with made_bot(tmp_path, gateway.url) as bot, online(discord, gateway, bot):
            await discord.say(f"{MENTION} who won?")
            await asyncio.wait_for(gateway.was_asked.wait(), 20)
        assert discord.spoken() == []
        assert gateway.thinking is not None
        gateway.thinking.set()
        assert await _after_a_start(tmp_path, discord, gateway) == ["offside, as ever"]


async def test_discord_that_fails_for_a_while_gets_the_answer_in_a_later_round(tmp_path: Path) -> None:
    """Though the library has given up trying; the model is asked once."""
    async with discord_running() as discord, serving(StubGateway()) as gateway:
        discord.fails(400, method="POST", path=r"/channels/\d+/messages", body={"code": 40001, "message": "Not now."})
        async with made_bot(tmp_path, gateway.url) as bot, online(discord, gateway, bot):
            await discord.say(f"{MENTION} who won?")
            await discord.answers(1)
        assert await _after_a_start(tmp_path, discord, gateway) == ["offside, as ever"]
        assert len(gateway.asked) == 1
        assert ASLEEP not in str(discord.sent)
