"""docs/discord.md, followed from its first command to its last: a real gateway, the whole bot, and a Discord that is not there."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from clients.cli.main import main
from clients.discord_bot.commands import sentences
from clients.discord_bot.invitation import invitation
from clients.discord_bot.sentences import SENTENCES
from server.gateway.settings import GatewaySettings
from tests.clients.discord_bot.fake_discord import ALICE, APPLICATION, BOT, TOKEN, FakeDiscord, discord_running
from tests.clients.discord_bot.guide import GUIDE, LINES, SHELL, typed
from tests.clients.discord_bot.pictures import portal, scenes
from tests.clients.discord_bot.scene import made_bot
from tests.end_to_end.stack import ROOT
from tests.server.gateway.stage import ADMIN_KEY, CHAT_KEY, Stage, open_stage, read_tiny_base

FAILED = frozenset(
    {sentences.WENT_WRONG, sentences.NO_SUCH_COMMAND, sentences.NOT_LINKED, sentences.NO_ANSWER_HERE, sentences.UNKNOWN_ANSWER}
)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A gateway with room for a conversation."""
    settings = GatewaySettings(home=tmp_path / "gateway", api_key=SecretStr(CHAT_KEY), admin_key=SecretStr(ADMIN_KEY), context_length=4096)
    async with open_stage(tmp_path, read_tiny_base(tmp_path / "base"), settings) as stage:
        yield stage


@pytest.fixture
async def discord(stage: Stage, tmp_path: Path) -> AsyncIterator[FakeDiscord]:
    """With a bot in one of its servers that knows no key."""
    async with discord_running() as discord, made_bot(tmp_path / "home", f"http://127.0.0.1:{stage.port}", model=None) as bot:
        running = asyncio.create_task(bot.run_forever(TOKEN))
        await discord.until(lambda: None in discord.interactions.commands)
        await discord.online()
        yield discord
        await bot.close()
        await running


async def test_every_command_of_the_guide_does_what_it_says(discord: FakeDiscord, stage: Stage) -> None:
    """In its order: a key is made, the server linked with it, the bot talks; every further line gets an answer that is no excuse."""
    key = await _key_of_the_guide(stage)
    for line in LINES:
        answer = await _given(discord, line, key)
        assert answer, line
        assert answer not in FAILED, line
        assert answer not in SENTENCES, line
        if line == "/troupe link":
            assert answer == sentences.linked("zizou")
            await _talk(discord)


def test_every_command_of_the_bot_stands_in_the_guide() -> None:
    """Whoever reads it knows all of them."""
    described = {"troupe link", "troupe unlink", "troupe channel", "troupe settings", "troupe learn", "persona show", "persona choose"}
    for name in (*described, "persona compare", "roll", "why", "quiet", "optout", "optin", "forgetme", "budget", "health"):
        assert f"/{name}" in GUIDE, name


async def test_the_guides_pictures_show_what_there_is(tmp_path: Path) -> None:
    """Each has words for those who do not see it, and is what the bot says."""
    shown = re.findall(r"!\[.+?\]\(pictures/([\w.-]+)\)", GUIDE)
    drawn = portal.pictures() | await scenes.pictures(tmp_path)
    assert sorted(shown) == sorted(drawn)
    for name, content in drawn.items():
        assert _lasting((ROOT / "docs" / "pictures" / name).read_text()) == _lasting(content), f"{name}: draw it anew"


def test_the_address_of_the_guide_is_the_one_that_the_bot_gives() -> None:
    """With the rights that it needs, and no others."""
    assert invitation(APPLICATION) in GUIDE


def _lasting(svg: str) -> str:
    """Without how long it took, and without which of the two versions the draw put first."""
    for answer in scenes.OTHERS.values():
        svg = svg.replace(answer, "an answer")
    return re.sub(r"\d+(\.\d)? (s|ms)\b", "some time", svg).replace("zizou@2:", "zizou@1:")


async def _key_of_the_guide(stage: Stage) -> str:
    """What `troupe keys create` prints, as the guide has it."""
    [line] = SHELL
    name = re.search(r'"(.+?)"', line)
    assert name is not None
    words = line.replace(name[0], "NAME").split()[1:]
    environment = {"TROUPE_URL": f"http://127.0.0.1:{stage.port}", "TROUPE_ADMIN_KEY": ADMIN_KEY}
    arguments = [name[1] if word == "NAME" else word for word in words]
    ran = await asyncio.to_thread(CliRunner().invoke, main, arguments, env=environment)
    assert ran.exit_code == 0, ran.output
    found = re.search(r"tr_\w+", ran.output)
    assert found is not None, ran.output
    return found[0]


async def _given(discord: FakeDiscord, line: str, key: str) -> str:
    """What a person who gives the command reads."""
    path, options = typed(discord, line)
    asked = await discord.command(path, who=ALICE, **options)
    if path == "troupe link":
        asked = await discord.submit(asked, {"Key": key})
    return (await asked.answered()).text


async def _talk(discord: FakeDiscord) -> None:
    before = len(discord.spoken())
    await discord.say(f"<@{BOT}> who won?")
    [answer] = (await discord.said(before + 1))[before:]
    await discord.react(answer, "😂")
