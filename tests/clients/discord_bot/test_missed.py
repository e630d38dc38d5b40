"""What people say to a bot that is not there: it is answered when the bot is back, once, and only what was meant for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from clients.discord_bot.channels import ChannelSettings, Mode
from clients.discord_bot.missed import MESSAGES, PLACES
from clients.discord_bot.store.facts import HEARD_UNTIL
from tests.clients.discord_bot.fake_discord import ALICE, ATTIC, BOB, BOT, GUILD, LOUNGE, OTHER_BOT, FakeDiscord, discord_running
from tests.clients.discord_bot.scene import Hasty, in_the_past, made_bot, online
from tests.clients.stub_gateway import StubGateway, serving

MENTION = f"<@{BOT}>"
LONG_AGO, LATELY = 900.0, 240.0
VIEW = 1 << 10


@asynccontextmanager
async def _away(home: Path, *, heard_until: str | None) -> AsyncIterator[tuple[FakeDiscord, StubGateway]]:
    """A Discord on which a bot was before, and heard everything up to then."""
    async with discord_running() as discord, serving(StubGateway()) as gateway:
        if heard_until is not None:
            async with made_bot(home, gateway.url) as bot:
                await bot.store.facts.put(HEARD_UNTIL, heard_until)
        yield discord, gateway


async def _back(home: Path, discord: FakeDiscord, gateway: StubGateway, answers: int) -> list[str]:
    """The messages that the bot replies to once it is back, which are so many, before one that comes afterwards."""
    before = len(discord.spoken())
    async with made_bot(home, gateway.url) as bot, online(discord, gateway, bot):
        await bot.wait_until_ready()
        await discord.said(before + answers)
        last = await discord.say(f"{MENTION} and now?", who=BOB)
        await discord.said(before + answers + 1)
    replied = [message["message_reference"]["message_id"] for message in discord.spoken()[before:]]
    assert replied[-1] == last["id"]
    return sorted(replied[:-1])


async def test_what_was_said_meanwhile_is_answered(tmp_path: Path) -> None:
    """A mention and a reply, in a channel and in a thread; not what was meant for others, was said by a program, where the bot is off,
    or too long ago. A second start finds nothing to do."""
    async with _away(tmp_path, heard_until="0.0") as (discord, gateway):
        spoken = discord.write("hello", who=BOT, id=in_the_past(LONG_AGO))
        discord.write(f"{MENTION} long ago", id=in_the_past(LONG_AGO))
        asked = [
            discord.write(f"{MENTION} who won?", id=in_the_past(LATELY)),
            discord.write("and why?", who=BOB, reply_to=spoken, id=in_the_past(LATELY - 1)),
            discord.write(f"{MENTION} here, too", who=BOB + 50, channel=discord.world.open_thread("a thread", LOUNGE).id),
        ]
        discord.write("nobody's business")
        discord.write(f"{MENTION} beep", who=OTHER_BOT)
        discord.write(f"{MENTION} hush", channel=ATTIC)
        async with made_bot(tmp_path, gateway.url) as bot:
            await bot.store.channels.put(GUILD, ATTIC, ChannelSettings(Mode.OFF))
        assert await _back(tmp_path, discord, gateway, 3) == sorted(message["id"] for message in asked)
        assert await _back(tmp_path, discord, gateway, 0) == []


@pytest.mark.parametrize("fault", ["it may not read", "it was told all", "it was never there"])
async def test_nothing_is_made_up(tmp_path: Path, fault: str) -> None:
    """Where the bot may not look, what it had heard and left alone, and what was said before its very first start."""
    until = {"it may not read": "0.0", "it was told all": "9999999999.0", "it was never there": None}[fault]
    async with _away(tmp_path, heard_until=until) as (discord, gateway):
        discord.write(f"{MENTION} who won?", id=in_the_past(LATELY))
        async with made_bot(tmp_path, gateway.url) as bot, online(discord, gateway, bot):
            if fault == "it may not read":
                discord.history_refused = True
                await discord.until(lambda: any(status == 403 for _, _, status, _ in discord.calls))
            else:
                await bot.wait_until_ready()
                await asyncio.sleep(0.1)
            await discord.say(f"{MENTION} and now?", who=BOB)
            await discord.said(1)
        assert len(discord.spoken()) == 1


async def test_a_session_that_is_lost_loses_nothing(tmp_path: Path) -> None:
    """What Discord did not tell before it forgot the session is read in the channel."""
    async with discord_running() as discord, serving(StubGateway()) as gateway, made_bot(tmp_path, gateway.url, kind=Hasty) as bot:
        async with online(discord, gateway, bot):
            await bot.wait_until_ready()
            asked = discord.write(f"{MENTION} are you there?")
            await discord.gateway.invalidate(resumable=False)
            (answer,) = await discord.said(1)
        assert answer["message_reference"]["message_id"] == asked["id"]


async def test_only_so_many_places_are_looked_into(tmp_path: Path) -> None:
    """Those where somebody wrote last, in a server of any size."""
    async with _away(tmp_path, heard_until="0.0") as (discord, gateway):
        rooms = {GUILD + 1_000 + number: f"room-{number}" for number in range(PLACES + 20)}
        discord.world.add_guild(GUILD, "Friends", rooms)
        asked = [discord.write(f"{MENTION} hello", who=ALICE + 100 + room, channel=room) for room in rooms]
        assert await _back(tmp_path, discord, gateway, PLACES) == [message["id"] for message in asked[-PLACES:]]


async def test_rooms_that_are_closed_to_the_bot_are_not_looked_into(tmp_path: Path) -> None:
    """Each would be a refusal, and a large server has a hundred of them."""
    async with _away(tmp_path, heard_until="0.0") as (discord, gateway):
        discord.world.places[ATTIC].denied = VIEW
        discord.write(f"{MENTION} secret", channel=ATTIC)
        asked = discord.write(f"{MENTION} are you there?")
        assert await _back(tmp_path, discord, gateway, 1) == [asked["id"]]
        assert [path for _, path, _, _ in discord.calls if str(ATTIC) in path] == []


async def test_who_asked_last_is_found_in_a_busy_place(tmp_path: Path) -> None:
    """However much was said since the bot went."""
    async with _away(tmp_path, heard_until="0.0") as (discord, gateway):
        for number in range(2 * MESSAGES):
            discord.write(f"just talking {number}")
        asked = discord.write(f"{MENTION} are you there?")
        assert await _back(tmp_path, discord, gateway, 1) == [asked["id"]]
