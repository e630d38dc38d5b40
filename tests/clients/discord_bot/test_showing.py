"""An answer that is shown while it is made: one message that grows, seldom enough for Discord, and whole in the end."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.discord_bot.answering import Patience
from clients.discord_bot.bot import Manner
from clients.discord_bot.guild_settings import GuildSettings
from clients.discord_bot.sentences import SENTENCES
from clients.discord_bot.showing import EVERY_S, wait_s, whole_words
from clients.discord_bot.store.handled import Handled
from clients.discord_bot.store.store import FILE, Store
from tests.clients.discord_bot.fake_discord import ALICE, BOT, GUILD, LOUNGE, FakeDiscord, discord_running
from tests.clients.discord_bot.scene import made_bot, online
from tests.clients.stub_gateway import StubGateway, serving

MENTION = f"<@{BOT}>"
STREAMING = GuildSettings(streaming=True)
LONG = "he shoots he scores and they all sing"


def _edits(discord: FakeDiscord) -> list[str]:
    return [str(body["content"]) for method, _, status, body in discord.calls if method == "PATCH" and status == 200]


def test_edits_are_a_second_apart() -> None:
    """The first needs no wait; a clock that stands still waits the whole second."""
    assert wait_s(None, 5.0) == 0.0
    assert wait_s(5.0, 5.0) == EVERY_S >= 1.0
    assert wait_s(5.0, 5.25) == pytest.approx(EVERY_S - 0.25)
    assert wait_s(5.0, 60.0) == 0.0


@given(st.text(st.sampled_from("ab \n"), max_size=30))
def test_only_whole_words_are_shown(text: str) -> None:
    """What is shown is the beginning of the answer, and ends where a word ended."""
    shown = whole_words(text)
    assert text.startswith(shown)
    assert shown in ("", text) or text[len(shown)].isspace()


async def test_one_message_grows_into_the_answer(tmp_path: Path) -> None:
    """It is a reply that can ping nobody, in every edit; what the bot keeps of it is as for any other answer."""
    told = {"zizou": {"adapter": "zizou@7"}}
    async with (
        discord_running() as discord,
        serving(StubGateway(answer=LONG, pause_s=0.3, told=told)) as gateway,
        made_bot(tmp_path, gateway.url) as bot,
        online(discord, gateway, bot),
    ):
        await bot.store.guilds.put(GUILD, STREAMING)
        asked = await discord.say(f"{MENTION} and?")
        await discord.until(lambda: [said["content"] for said in discord.spoken()] == [LONG])
        [said] = discord.spoken()
        assert said["message_reference"]["message_id"] == asked["id"]
        [sent] = discord.sent
        assert LONG.startswith(sent["content"])
        assert sent["content"] != LONG
        grown = [sent["content"], *_edits(discord)]
        assert grown == sorted(grown, key=len)
        assert len(grown) <= 5
        bodies = [body for method, path, _, body in discord.calls if method in ("POST", "PATCH") and path.count("/messages")]
        assert all(body["allowed_mentions"]["parse"] == [] for body in bodies)
        while await bot.store.handled.unfinished():
            pass
        kept = await bot.store.answers.of_sent(int(said["id"]))
        assert kept is not None
        assert kept.adapter == "zizou@7"


async def test_who_reads_the_beginning_is_not_told_to_wait(tmp_path: Path) -> None:
    """However long the whole answer takes."""
    manner = Manner(max_tokens=50, patience=Patience(1.5), round_s=3600.0)
    async with (
        discord_running() as discord,
        serving(StubGateway(answer=LONG, pause_s=0.3)) as gateway,
        made_bot(tmp_path, gateway.url, manner=manner) as bot,
        online(discord, gateway, bot),
    ):
        await bot.store.guilds.put(GUILD, STREAMING)
        await discord.say(f"{MENTION} and?")
        await discord.until(lambda: LONG in [said["content"] for said in discord.spoken()])
        assert len(discord.sent) == 1


async def test_an_answer_that_breaks_off_becomes_an_apology(tmp_path: Path) -> None:
    """Half an answer does not stay where people take it for a whole one."""
    async with (
        discord_running() as discord,
        serving(StubGateway(answer=LONG, pause_s=0.1, breaks_after=6)) as gateway,
        made_bot(tmp_path, gateway.url) as bot,
        online(discord, gateway, bot),
    ):
        await bot.store.guilds.put(GUILD, STREAMING)
        await discord.say(f"{MENTION} and?")
        await discord.until(lambda: any(said["content"] in SENTENCES for said in discord.spoken()))
        [sent] = discord.sent
        assert LONG.startswith(sent["content"])
        assert len(discord.spoken()) == 1


async def test_a_message_that_grew_goes_on_growing_after_a_restart(tmp_path: Path) -> None:
    """There is no second one."""
    async with discord_running() as discord, serving(StubGateway(answer=LONG)) as gateway:
        asked = discord.write(f"{MENTION} and?")
        half = discord.write("he shoots", who=BOT, reply_to=asked)
        async with Store(tmp_path / FILE) as store:
            begun = Handled(int(asked["id"]), GUILD, LOUNGE, ALICE, time.time())
            assert await store.handled.begin(begun)
            await store.handled.showing(begun.message, int(half["id"]))
            await store.guilds.put(GUILD, STREAMING)
        async with made_bot(tmp_path, gateway.url) as bot, online(discord, gateway, bot):
            await discord.until(lambda: [said["content"] for said in discord.spoken()] == [LONG])
            while await bot.store.handled.unfinished():
                pass
        assert [said["id"] for said in discord.spoken()] == [half["id"]]
        assert discord.sent == []
