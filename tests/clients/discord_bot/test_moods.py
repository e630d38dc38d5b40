"""When the bot speaks in a channel, as its guild's people chose, and what it leaves unsaid."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clients.discord_bot.channels import ChannelSettings, Mode
from clients.discord_bot.sentences import MISCONFIGURED, OTHER_RENDERER, SLOWER, UNLINKED
from clients.discord_bot.store.links import LinkRow
from tests.clients.discord_bot.fake_discord import ALICE, ATTIC, BOB, BOT, GUILD, LOUNGE, discord_running
from tests.clients.discord_bot.scene import Scene, in_the_past, made_bot, online
from tests.clients.stub_gateway import StubGateway, serving

MENTION = f"<@{BOT}>"
ELSEWHERE, THEIR_LOUNGE = 10**17 + 21, 10**17 + 22


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with (
        discord_running() as discord,
        serving(StubGateway(keys={"tr_greybeards": ("base", "greybeards")})) as gateway,
        made_bot(tmp_path, gateway.url) as bot,
        online(discord, gateway, bot) as scene,
    ):
        yield scene


async def test_a_lively_channel_hears_the_bot_on_wake_words_and_by_chance(scene: Scene) -> None:
    """A silent one does not even where it is mentioned, and others as ever."""
    await scene.bot.store.channels.put(GUILD, LOUNGE, ChannelSettings(Mode.LIVELY, chance=0.0, wake_words=("goal",)))
    await scene.bot.store.channels.put(GUILD, ATTIC, ChannelSettings(Mode.OFF))
    await scene.discord.say("nothing to see")
    await scene.discord.say(f"{MENTION} hello?", channel=ATTIC)
    await scene.discord.say("what a goal!")
    [sent] = await scene.discord.answers(1)
    assert sent["channel_id"] == LOUNGE
    assert scene.prompt()[-1]["content"].endswith("Alice: what a goal!")
    await scene.bot.store.channels.put(GUILD, LOUNGE, ChannelSettings(Mode.LIVELY, chance=1.0, cooldown_s=0.0))
    await scene.discord.say("nobody asks")
    assert len(await scene.discord.answers(2)) == 2


async def test_the_cooldown_is_from_the_bots_last_word_in_that_channel(scene: Scene) -> None:
    """Whatever made it speak."""
    settings = ChannelSettings(Mode.LIVELY, chance=1.0, cooldown_s=3600.0)
    for channel in (LOUNGE, ATTIC):
        await scene.bot.store.channels.put(GUILD, channel, settings)
    await scene.discord.say(f"{MENTION} hello")
    await scene.discord.said(1)
    await scene.discord.say("just talking")
    await scene.discord.say("just talking there", channel=ATTIC)
    await scene.discord.said(1, ATTIC)
    assert len(scene.gateway.asked) == 2


async def test_threads_have_what_their_channel_has(scene: Scene) -> None:
    """And their conversation is their own."""
    await scene.bot.store.channels.put(GUILD, ATTIC, ChannelSettings(Mode.OFF))
    await scene.discord.say("out here")
    silent = await scene.discord.open_thread(channel=ATTIC)
    thread = await scene.discord.open_thread(channel=LOUNGE)
    await scene.discord.say(f"{MENTION} hello?", channel=silent)
    await scene.discord.say(f"{MENTION} in here", channel=thread)
    [sent] = await scene.discord.answers(1)
    assert sent["channel_id"] == thread
    assert scene.prompt() == [{"role": "user", "content": "Alice: in here"}]


async def test_a_hushed_channel_is_left_alone_until_its_time(scene: Scene) -> None:
    """Not even a mention is answered."""
    await scene.bot.store.channels.put(GUILD, LOUNGE, ChannelSettings(hushed_until=time.time() + 3600))
    await scene.discord.say(f"{MENTION} hello?")
    await scene.discord.say(f"{MENTION} hello?", channel=ATTIC)
    assert [sent["channel_id"] for sent in await scene.discord.answers(1)] == [ATTIC]


async def test_what_was_missed_long_ago_stays_unanswered(scene: Scene) -> None:
    """A connection that was away for an hour brings its messages, and the talk has gone on."""
    old = scene.discord.write(f"{MENTION} hello?", id=in_the_past(3600))
    await scene.discord.tell(old)
    await scene.discord.say(f"{MENTION} now")
    await scene.discord.answers(1)
    assert len(scene.gateway.asked) == 1


async def test_who_opted_out_is_neither_answered_nor_shown(scene: Scene) -> None:
    """By name neither, and their reactions count for nothing."""
    await scene.bot.store.people.opt_out(BOB, time.time())
    scene.discord.write("my secret", who=BOB)
    await scene.discord.say(f"{MENTION} hello?", who=BOB)
    await scene.discord.say(f"{MENTION} what does <@{BOB}> think?")
    await scene.discord.answers(1)
    assert scene.prompt() == [{"role": "user", "content": "Alice: what does @somebody think?"}]
    assert "secret" not in str(scene.gateway.asked)


async def test_one_bot_serves_many_guilds_each_with_its_own_voice(scene: Scene) -> None:
    """A guild that nobody linked is told how, and gets no other's voice."""
    await scene.discord.invite(ELSEWHERE, "Neighbours", {THEIR_LOUNGE: "lounge"})
    await scene.discord.say(f"{MENTION} hello?", channel=THEIR_LOUNGE)
    assert [sent["content"] for sent in await scene.discord.said(1, THEIR_LOUNGE)] == [UNLINKED]
    await scene.bot.links.link(ELSEWHERE, "tr_greybeards", by=ALICE)
    await scene.discord.say(f"{MENTION} hello?", channel=THEIR_LOUNGE)
    await scene.discord.say(f"{MENTION} hello?")
    await scene.discord.said(2, THEIR_LOUNGE)
    await scene.discord.said(1, LOUNGE)
    by_model = {asked["model"]: key for asked, key in zip(scene.gateway.asked, scene.gateway.asked_with, strict=True)}
    assert by_model == {"greybeards": "tr_greybeards", "zizou": "tr_test_key"}


async def test_a_key_that_does_not_open_is_told_in_words(scene: Scene) -> None:
    """The reason stands in the log; the other guilds talk on."""
    await scene.discord.invite(ELSEWHERE, "Neighbours", {THEIR_LOUNGE: "lounge"})
    await scene.bot.store.links.put(LinkRow(ELSEWHERE, "zizou", b"sealed by somebody else", ALICE, 1.0))
    await scene.discord.say(f"{MENTION} hello?", channel=THEIR_LOUNGE)
    await scene.discord.say(f"{MENTION} hello?")
    assert [sent["content"] for sent in await scene.discord.said(1, THEIR_LOUNGE)] == [MISCONFIGURED]
    assert [sent["content"] for sent in await scene.discord.said(1, LOUNGE)] == ["offside, as ever"]


async def test_who_asks_too_much_is_told_once(scene: Scene) -> None:
    """Then not heard for a while; another person is."""
    for number in range(9):
        await scene.discord.say(f"{MENTION} {number}")
    await scene.discord.say(f"{MENTION} and me?", who=BOB)
    said = await scene.discord.said(8)
    assert sorted(message["content"] for message in said) == sorted([SLOWER] + ["offside, as ever"] * 7)
    assert len(scene.gateway.asked) == 7


async def test_a_voice_that_reads_chats_in_another_form_is_not_asked(scene: Scene) -> None:
    """People read why, and so does the log; one that says nothing of its form is asked."""
    scene.gateway.told = {"zizou": {"renderer": "turns-99"}}
    await scene.discord.say(f"{MENTION} hello?")
    assert [sent["content"] for sent in await scene.discord.answers(1)] == [OTHER_RENDERER]
    assert scene.gateway.asked == []


async def test_a_canary_that_reads_chats_in_another_form_is_not_heard(scene: Scene) -> None:
    """Which version answered is known only afterwards."""
    scene.gateway.told = {"zizou": {"renderer": "turns-1", "adapter": "zizou@8"}, "zizou@8": {"renderer": "turns-99"}}
    await scene.discord.say(f"{MENTION} hello?")
    assert [sent["content"] for sent in await scene.discord.answers(1)] == [OTHER_RENDERER]


@pytest.mark.parametrize("how", ["before it is taken up", "while it is thought about", "unseen"])
async def test_a_message_that_was_deleted_gets_no_answer(scene: Scene, how: str) -> None:
    """Whenever that happens, also where the bot was not told; nothing is said, and nothing is left to be said."""
    scene.gateway.thinking = asyncio.Event()
    asked = scene.discord.write(f"{MENTION} hello?")
    if how == "before it is taken up":
        await scene.discord.take_back(asked)
        await scene.discord.tell(asked)
    else:
        await scene.discord.tell(asked)
        await asyncio.wait_for(scene.gateway.was_asked.wait(), 20)
        if how == "unseen":
            scene.discord.delete(asked)
        else:
            await scene.discord.take_back(asked)
    scene.gateway.thinking.set()
    await scene.discord.say(f"{MENTION} still there?")
    said = await scene.discord.said(1)
    assert [message["message_reference"]["message_id"] for message in said] != [asked["id"]]
    async with asyncio.timeout(20):
        while await scene.bot.store.handled.unfinished():
            pass
    assert len(scene.discord.spoken()) == 1
