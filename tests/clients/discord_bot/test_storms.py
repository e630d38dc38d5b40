"""A Discord that refuses everything, or ends the connection for good; and a model that says its worst."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from clients.discord_bot.bot import Bot
from clients.discord_bot.breaker import LIMIT
from clients.discord_bot.guild_settings import GuildSettings, Level
from clients.discord_bot.outgoing import SUPPRESS_EMBEDS
from clients.errors import TroupeError
from tests.clients.discord_bot.fake_discord import BOT, GUILD, TOKEN, discord_running
from tests.clients.discord_bot.fake_discord.faults import Fault, too_many
from tests.clients.discord_bot.scene import Hasty, made_bot, online
from tests.clients.discord_bot.test_wire import worst_outputs
from tests.clients.stub_gateway import StubGateway, serving

MENTION = f"<@{BOT}>"
ROOMS = {GUILD + 1_000 + number: f"room-{number}" for number in range(80)}


@asynccontextmanager
async def _dealt_with(bot: Bot, event: str, tasks: str, check: Callable[[Any], bool] | None = None) -> AsyncIterator[None]:
    """Until what the block did came to the bot as `event`, and the library's `tasks` for it are done."""
    come = asyncio.create_task(bot.wait_for(event, check=check))
    await asyncio.sleep(0)  # it listens
    yield
    await asyncio.wait_for(come, 20)
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == tasks))


@pytest.mark.parametrize(
    "fault", [Fault(401, times=None), Fault(403, times=None), too_many(0.001, via=False, times=None)], ids=["401", "403", "429"]
)
async def test_a_storm_of_refusals_ends_however_many_people_ask(tmp_path: Path, fault: Fault) -> None:
    """Three hundred questions at once: Discord gets a hundred calls at most, and the bot stays."""
    async with discord_running() as discord, serving(StubGateway()) as gateway, made_bot(tmp_path, gateway.url, kind=Hasty) as bot:
        discord.world.add_guild(GUILD, "Friends", ROOMS)
        async with online(discord, gateway, bot):
            before = len(discord.calls)
            storm = discord.goes_wrong(fault)
            for number in range(299):
                await discord.say(f"{MENTION} {number}", who=BOT + 1_000 + number, channel=list(ROOMS)[number % len(ROOMS)])
            async with _dealt_with(bot, "message", "discord.py: on_message", lambda message: message.content.endswith("last")):
                await discord.say(f"{MENTION} last")
            assert 0 < len(discord.calls) - before <= LIMIT
            assert {status for _, _, status, _ in discord.calls[before:]} == {storm.status}
            assert not bot.is_closed()


async def test_a_command_that_cannot_be_answered_is_a_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While the bot leaves Discord alone: the line says why, and nothing is reported as broken."""
    async with (
        discord_running() as discord,
        serving(StubGateway()) as gateway,
        made_bot(tmp_path, gateway.url) as bot,
        online(discord, gateway, bot),
    ):
        await discord.until(lambda: bool(discord.interactions.commands))
        discord.fails(401, times=None)
        async with _dealt_with(bot, "message", "discord.py: on_message"):
            await discord.say(f"{MENTION} hi")
        async with _dealt_with(bot, "interaction", "CommandTree-invoker"):
            await discord.command("health")
    assert [path for _, path, _, _ in discord.calls if path.startswith("/interactions")] == []
    assert "A command stays unanswered: Discord does not accept the bot's token" in caplog.text
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_command_that_comes_too_late_is_a_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And no failure of the bot's."""
    async with (
        discord_running() as discord,
        serving(StubGateway()) as gateway,
        made_bot(tmp_path, gateway.url) as bot,
        online(discord, gateway, bot),
    ):
        await discord.until(lambda: bool(discord.interactions.commands))
        discord.fails(404, method="POST", path=r"/interactions/.*", body={"code": 10062, "message": "Unknown interaction"})
        async with _dealt_with(bot, "interaction", "CommandTree-invoker"):
            await discord.command("budget")
    assert "too late" in caplog.text
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize(
    ("code", "what"), [(4004, "TROUPE_BOT_TOKEN"), (4011, "TROUPE_BOT_SHARDS"), (4012, "younger Troupe"), (4014, "Intent")]
)
async def test_a_connection_that_is_over_for_good_is_one_sentence(tmp_path: Path, code: int, what: str) -> None:
    """It says what to set, and the bot ends."""
    async with discord_running() as discord, made_bot(tmp_path, "http://127.0.0.1:1", kind=Hasty) as bot:
        running = asyncio.create_task(bot.run_forever(TOKEN))
        await discord.online()
        await discord.gateway.drop(code)
        with pytest.raises(TroupeError, match=what):
            await asyncio.wait_for(running, 20)


@pytest.mark.parametrize("level", list(Level))
async def test_whatever_the_model_writes_no_payload_allows_a_mention(tmp_path: Path, level: Level, soak: bool) -> None:
    """Through the whole bot, at every level of its filter; and what people read is never longer than Discord takes."""
    async with discord_running() as discord, serving(StubGateway()) as gateway, made_bot(tmp_path, gateway.url) as bot:
        discord.world.add_guild(GUILD, "Friends", ROOMS)
        await bot.store.guilds.put(GUILD, GuildSettings(level=level))
        async with online(discord, gateway, bot):
            for number, text in enumerate(worst_outputs(1000 if soak else 120)):
                gateway.answer = text
                await discord.say(f"{MENTION} {number}", who=BOT + 1_000 + number, channel=list(ROOMS)[number % len(ROOMS)])
                await discord.until(lambda number=number: len(discord.world.answered()) > number)  # type: ignore[misc]
    assert [body for body in discord.sent if body["allowed_mentions"] != {"parse": [], "replied_user": False}] == []
    assert all(body["flags"] & SUPPRESS_EMBEDS for body in discord.sent)
    assert {status for _, path, status, _ in discord.calls if path.endswith("/messages")} == {200}
