"""Reactions to what the bot said reach the gateway, as the state that they are in, and nobody's who does not want that."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.api import Troupe
from clients.discord_bot.guild_settings import GuildSettings
from clients.discord_bot.links import Voice
from clients.discord_bot.metrics import Metrics
from clients.discord_bot.reporting import Reporting, version_of
from clients.feedback import Plan
from tests.clients.discord_bot.fake_discord import ALICE, BOB, BOT, GUILD, OTHER_BOT, discord_running
from tests.clients.discord_bot.scene import Scene, made_bot, online
from tests.clients.stub_gateway import StubGateway, serving

MENTION = f"<@{BOT}>"


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    told = {"zizou": {"adapter": "zizou@7", "renderer": "turns-1"}, "zizou@7": {"renderer": "turns-1"}}
    async with (
        discord_running() as discord,
        serving(StubGateway(told=told)) as gateway,
        made_bot(tmp_path, gateway.url) as bot,
        online(discord, gateway, bot) as scene,
    ):
        yield scene


async def _answered(scene: Scene) -> dict[str, object]:
    """An answer of the bot's, and the bot knows that it was sent."""
    await scene.discord.say(f"{MENTION} who won?")
    [said] = await scene.discord.said(1)
    await _until(scene, lambda due: bool(due))
    return said


async def _until(scene: Scene, fits: object) -> None:
    assert callable(fits)
    while not fits(await scene.bot.store.feedback.due(GUILD, "zizou", 10)):
        pass


async def _told(scene: Scene) -> None:
    await Reporting(scene.bot.store, scene.bot.links, Metrics()).round()


async def test_every_answer_is_told_with_its_version_and_then_its_reactions(scene: Scene) -> None:
    """Once it is out, also where nobody reacts; people and not clicks are counted, no bots, and no words."""
    said = await _answered(scene)
    await _told(scene)
    [new] = scene.gateway.fed
    assert (new["message_id"], new["adapter"], new["reactions"], new["people"]) == (said["id"], "zizou@7", {}, 0)
    assert len(new["context_hash"]) == 64
    assert (new["context"], new["reply"], new["authors"]) == (None, None, None)
    assert abs(datetime.fromisoformat(new["sent_at"]) - datetime.now(UTC)).total_seconds() < 60
    for who, emoji in ((ALICE, "👍"), (ALICE, "😂"), (BOB, "👍"), (OTHER_BOT, "👍"), (BOT, "👍")):
        await scene.discord.react(said, emoji, who=who)
    await _until(scene, lambda due: due and due[0].people == 2 and dict(due[0].reactions) == {"👍": 2, "😂": 1})
    await scene.discord.react(said, "👍", who=BOB, removed=True)
    await _until(scene, lambda due: due and due[0].people == 1)
    await _told(scene)
    assert (scene.gateway.fed[1]["reactions"], scene.gateway.fed[1]["people"]) == ({"👍": 1, "😂": 1}, 1)
    await _told(scene)
    assert len(scene.gateway.fed) == 2


async def test_a_reaction_to_an_answer_that_still_grows_counts_for_it(scene: Scene) -> None:
    """People do not wait for the last word; and what the bot says otherwise gets no score by it."""
    scene.gateway.answer, scene.gateway.pause_s = "he shoots he scores", 0.3
    await scene.bot.store.guilds.put(GUILD, GuildSettings(streaming=True))
    notice = scene.discord.write("I am here", who=BOT)
    await scene.discord.react(notice, "👍", who=BOB)
    await scene.discord.say(f"{MENTION} who won?")
    [_, said] = await scene.discord.said(2)
    await scene.discord.react(said, "👍", who=BOB)
    await _until(scene, lambda due: bool(due))
    assert said["content"] == "he shoots he scores"
    [told] = await scene.bot.store.feedback.due(GUILD, "zizou", 10)
    assert (told.sent, told.people) == (int(said["id"]), 1)


async def test_a_reaction_that_is_taken_back_is_a_later_state(scene: Scene) -> None:
    """Or the gateway would take what it was told before for the newer one."""
    said = await _answered(scene)
    await scene.discord.react(said, "👍", who=ALICE)
    await _until(scene, lambda due: due and due[0].people == 1)
    await _told(scene)
    await scene.discord.react(said, "👍", who=ALICE, removed=True)
    await _until(scene, lambda due: due and due[0].people == 0)
    await _told(scene)
    with_it, without = scene.gateway.fed
    assert (with_it["people"], without["people"]) == (1, 0)
    assert without["reacted_at"] > with_it["reacted_at"]


async def test_what_a_deaf_gateway_missed_is_told_again(scene: Scene) -> None:
    """Nothing is lost, and the bot lives on."""
    said = await _answered(scene)
    scene.gateway.is_deaf = True
    await _told(scene)
    assert scene.gateway.fed == []
    scene.gateway.is_deaf = False
    await _told(scene)
    assert [item["message_id"] for item in scene.gateway.fed] == [said["id"]]


async def test_words_are_told_only_where_the_guild_wants_to_learn(scene: Scene) -> None:
    """As the model saw them, with who said what."""
    await scene.bot.store.guilds.put(GUILD, GuildSettings(learn=True))
    await _answered(scene)
    await _told(scene)
    [item] = scene.gateway.fed
    assert item["context"] == [{"author": str(ALICE), "name": "Alice", "text": "who won?", "is_self": False}]
    assert (item["reply"], item["authors"]) == ("offside, as ever", [str(ALICE)])


async def test_words_are_taken_back_where_the_guild_wants_to_learn_no_more(scene: Scene) -> None:
    """The answer stays, and the gateway is told of it once more, without them."""
    await scene.bot.store.guilds.put(GUILD, GuildSettings(learn=True))
    said = await _answered(scene)
    await _told(scene)
    await scene.bot.store.guilds.put(GUILD, GuildSettings(learn=False))
    await scene.bot.store.feedback.take_words_back(GUILD + 1, time.time())
    await _told(scene)
    await scene.bot.store.feedback.take_words_back(GUILD, time.time())
    await _told(scene)
    await _told(scene)
    assert [(item["message_id"], item["context"] is None, item["reply"]) for item in scene.gateway.fed] == [
        (said["id"], False, "offside, as ever"),
        (said["id"], True, None),
    ]


async def test_a_no_is_told_before_anything_else_and_takes_words_back(scene: Scene) -> None:
    """Also those that the gateway has already; a yes is told, too, and brings nothing back."""
    await scene.bot.store.guilds.put(GUILD, GuildSettings(learn=True))
    said = await _answered(scene)
    await scene.bot.store.people.opt_out(ALICE, time.time())
    await _told(scene)
    assert [(wish["optout"], wish["optin"], wish["community"]) for wish in scene.gateway.wishes] == [([str(ALICE)], [], "zizou")]
    assert [(item["message_id"], item["context"]) for item in scene.gateway.fed] == [(said["id"], None)]
    await scene.bot.store.people.opt_in(ALICE)
    await _told(scene)
    assert scene.gateway.wishes[1]["optin"] == [str(ALICE)]


async def test_however_many_said_no_all_are_told(scene: Scene) -> None:
    """A gateway takes a hundred at once; a server that is linked later hears of everybody."""
    for person in range(1, 251):
        await scene.bot.store.people.opt_out(person, time.time())
    for person in range(251, 401):
        await scene.bot.store.people.forget(person, time.time())
    await _told(scene)
    out, forgotten = ({int(person) for wish in scene.gateway.wishes for person in wish[kind]} for kind in ("optout", "forget"))
    assert (out - forgotten, forgotten) == (set(range(1, 251)), set(range(251, 401)))


async def test_an_answer_that_the_gateway_refuses_costs_no_other(scene: Scene) -> None:
    """It is left out and not tried again; what was to be told beside it is."""
    for _ in range(5):
        await scene.discord.say(f"{MENTION} who won?")
    said = [str(message["id"]) for message in await scene.discord.said(5)]
    await _until(scene, lambda due: len(due) == 5)
    scene.gateway.unwanted = said[2]
    await _told(scene)
    assert sorted(item["message_id"] for item in scene.gateway.fed) == sorted({*said} - {said[2]})
    assert not await scene.bot.store.feedback.due(GUILD, "zizou", 10)


async def test_words_with_too_many_people_in_them_are_left_out(scene: Scene) -> None:
    """Whoever mentions a whole server spoils no count by it."""
    await scene.bot.store.guilds.put(GUILD, GuildSettings(learn=True))
    named = [
        {"id": str(each), "username": f"u{each}", "discriminator": "0", "avatar": None} for each in (BOT, *range(10**18, 10**18 + 100))
    ]
    await scene.discord.say(f"{MENTION} who won?", mentions=named)
    [said] = await scene.discord.said(1)
    await _until(scene, lambda due: bool(due))
    await _told(scene)
    assert [(item["message_id"], item["context"], item["authors"]) for item in scene.gateway.fed] == [(said["id"], None, None)]


async def test_an_apology_is_nobodys_answer(scene: Scene) -> None:
    """It counts for no version."""
    scene.gateway.failure = (500, {"error": {"message": "no"}}, {})
    await scene.discord.say(f"{MENTION} who won?")
    await scene.discord.said(1)
    while await scene.bot.store.handled.unfinished():
        pass
    await _told(scene)
    assert scene.gateway.fed == []


async def test_the_gateways_plan_says_which_version_answers(scene: Scene) -> None:
    """By message: the canary gets its share, whoever asks."""
    scene.gateway.plans = {"zizou": {"live": "zizou@7", "canary": "zizou@8", "share": 100.0, "decided_by_reactions": True}}
    scene.gateway.told["zizou@8"] = {"renderer": "turns-1", "adapter": "zizou@8"}
    reporting = scene.bot.reporting
    await reporting.round()
    await scene.discord.say(f"{MENTION} who won?")
    await scene.discord.said(1)
    assert scene.gateway.asked[0]["model"] == "zizou@8"


def test_a_message_always_gets_the_same_version() -> None:
    """As many as the share says; never where a guild chose a version, or there is no canary, which is chosen only while there is one."""
    voice = Voice(GUILD, "zizou", "zizou", Troupe("http://127.0.0.1:1", "tr_x"))
    plan = Plan("zizou@7", "zizou@8", 30.0)
    chosen = [version_of(voice, plan, message) for message in range(2000)]
    assert 500 < chosen.count("zizou@8") < 700
    assert set(chosen) == {"zizou@7", "zizou@8"}
    assert chosen == [version_of(voice, plan, message) for message in range(2000)]
    for other in (None, Plan("zizou@7"), Plan("zizou@7", "zizou@8", 0.0)):
        assert version_of(voice, other, 5) == "zizou"
    tries = Voice(GUILD, "zizou", "zizou@canary", voice.troupe)
    assert [version_of(tries, plan, 5) for plan in (None, plan, Plan("zizou@8"))] == ["zizou@canary", "zizou@canary", "zizou"]
    picked = Voice(GUILD, "zizou", "zizou@6", voice.troupe)
    assert {version_of(picked, plan, message) for message in range(50)} == {"zizou@6"}
