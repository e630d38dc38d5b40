"""Two servers of one bot, each with its own community: no command of one reaches into the other."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from clients.discord_bot.commands import sentences
from tests.clients.discord_bot.fake_discord import ALICE, BOT, GUILD, LOUNGE, TOKEN, FakeDiscord, discord_running
from tests.clients.discord_bot.scene import made_bot
from tests.clients.stub_gateway import KEY, StubGateway, serving

OTHER, YARD = GUILD + 500, GUILD + 501
VOICES = {LOUNGE: "zizou", YARD: "greybeards"}
USAGE = {"tokens_per_day": {"limit": 100, "used": 1, "reserved": 0, "remaining": 99, "resets_at": "2026-11-22T00:00:00+00:00"}}


@pytest.fixture
def gateway() -> StubGateway:
    told: dict[str, dict[str, Any]] = {f"{voice}@1": {"adapter": f"{voice}@1"} for voice in VOICES.values()}
    told |= {voice: {"adapter": f"{voice}@1"} for voice in VOICES.values()}
    return StubGateway(told=told, usage={"communities": dict.fromkeys(VOICES.values(), USAGE)})


@pytest.fixture
async def discord(gateway: StubGateway, tmp_path: Path) -> AsyncIterator[FakeDiscord]:
    """Alice manages both, and has linked each to its own community."""
    async with discord_running() as discord, serving(gateway), made_bot(tmp_path, gateway.url, model=None) as bot:
        discord.world.add_guild(OTHER, "Elders", {YARD: "yard"})
        running = asyncio.create_task(bot.run_forever(TOKEN))
        await discord.until(lambda: None in discord.interactions.commands)
        await discord.online()
        for channel, community in VOICES.items():
            form = await (await discord.command("troupe link", channel=channel)).acknowledged()
            sent = await discord.submit(form, {sentences.LINK_KEY: KEY, sentences.LINK_COMMUNITY: community}, channel=channel)
            assert (await sent.answered()).text == sentences.linked(community)
        yield discord
        await bot.close()
        await running


async def _told(discord: FakeDiscord, line: str, channel: int, **options: Any) -> str:
    return (await (await discord.command(line, channel=channel, **options)).answered()).text


async def test_each_server_is_told_of_its_own_voice(discord: FakeDiscord, gateway: StubGateway) -> None:
    """What it is, what it costs, and who answers."""
    for channel, community in VOICES.items():
        assert f"**{community}@1**" in await _told(discord, "persona show", channel)
        assert (await _told(discord, "budget", channel)).startswith(sentences.budget_of(community))
        await _told(discord, "persona compare", channel, question="?", one=1, other=0)
        assert {body["model"] for body in gateway.asked[-2:]} == {f"{community}@1", "base"}


async def test_nobody_borrows_the_other_servers_voice(discord: FakeDiscord) -> None:
    """Not by name either."""
    assert await _told(discord, "persona choose", YARD, version="zizou@1") == sentences.no_such_voice("greybeards@zizou@1")
    assert "**greybeards@1**" in await _told(discord, "persona show", YARD)


async def test_what_one_server_chooses_the_other_does_not_have(discord: FakeDiscord) -> None:
    """Settings, silence and the end of a link."""
    before = await _told(discord, "troupe settings", YARD)
    await _told(discord, "troupe settings", LOUNGE, filter="strict", streaming=True)
    await _told(discord, "quiet", LOUNGE)
    await _told(discord, "troupe unlink", LOUNGE)
    assert await _told(discord, "troupe settings", YARD) == before
    assert await _told(discord, "persona show", LOUNGE) == sentences.NOT_LINKED
    assert "**greybeards@1**" in await _told(discord, "persona show", YARD)


async def test_an_answer_is_explained_only_where_it_was_given(discord: FakeDiscord) -> None:
    """By its number or by its link; to the other server it was never said."""
    await discord.say(f"<@{BOT}> who won?", who=ALICE)
    [said] = await discord.said(1, LOUNGE)
    link = f"https://discord.com/channels/{GUILD}/{LOUNGE}/{said['id']}"
    for pointed in (said["id"], link):
        assert await _told(discord, "why", YARD, message=pointed) == sentences.UNKNOWN_ANSWER
        assert await _told(discord, "roll", YARD, message=pointed) == sentences.UNKNOWN_ANSWER
        assert (await _told(discord, "why", LOUNGE, message=pointed)).startswith("**zizou@1** said that.")


async def test_a_key_is_never_said_nor_logged(discord: FakeDiscord, caplog: pytest.LogCaptureFixture) -> None:
    """Not when it is refused either."""
    with caplog.at_level(logging.DEBUG):
        form = await (await discord.command("troupe link")).acknowledged()
        sent = await (await discord.submit(form, {sentences.LINK_KEY: "tr_refused_key_of_somebody"})).answered()
    assert "does not accept this key" in sent.text
    said = str([body for *_, body in discord.calls]) + "".join(
        record.getMessage() for record in caplog.records if record.name[:7] == "clients"
    )
    assert "tr_refused" not in said
    assert KEY not in said
