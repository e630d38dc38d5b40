"""What every member can ask for: silence, the budget, health, reasons, another take, and to be left out."""

from dataclasses import replace
from typing import Any

import pytest

from clients.api import Status, Troupe
from clients.discord_bot.commands import sentences
from clients.discord_bot.commands.budget import described
from clients.discord_bot.commands.health import of_gateway
from clients.discord_bot.commands.quiet import LONGEST_MINUTES
from clients.discord_bot.commands.roll import MOST_TAKES
from clients.discord_bot.store.handled import Handled, Stage
from clients.discord_bot.store.votes import Vote
from tests.clients.discord_bot.commands.scene import MEMBER, NOW, Scene
from tests.clients.discord_bot.fake_discord import ALICE, ATTIC, BOB, GUILD, LOUNGE
from tests.clients.stub_gateway import error_body

STATE = {
    "requests_per_minute": {"limit": 30, "remaining": 12, "reset_seconds": 3.0},
    "tokens_per_minute": {"limit": None, "remaining": None, "reset_seconds": None},
    "tokens_per_day": {"limit": 50_000, "used": 12_500, "reserved": 0, "remaining": 37_500, "resets_at": "2026-11-22T00:00:00+00:00"},
    "money_per_month": {"limit": "5", "used": "1.25", "reserved": "0", "remaining": "3.75", "resets_at": "2026-12-01T00:00:00+00:00"},
}


async def test_quiet_is_for_this_channel_and_ends_by_itself(scene: Scene) -> None:
    """Everybody there sees who is silent until when; nothing else that was chosen changes."""
    await (await scene.discord.command("troupe channel", mode="lively")).answered()
    asked = await (await scene.discord.command("quiet", minutes=10, permissions=MEMBER)).answered()
    assert not asked.is_ephemeral
    assert f"<t:{int(NOW) + 600}:R>" in asked.text
    chosen = await scene.store.channels.settings(LOUNGE)
    assert chosen is not None
    assert (chosen.hushed_until, chosen.mode.value) == (NOW + 600, "lively")
    assert await scene.store.channels.settings(ATTIC) is None


async def test_quiet_ends_when_somebody_says_so(scene: Scene) -> None:
    """Once."""
    await (await scene.discord.command("quiet", permissions=MEMBER)).answered()
    back = await (await scene.discord.command("quiet", minutes=0, permissions=MEMBER)).answered()
    again = await (await scene.discord.command("quiet", minutes=0, permissions=MEMBER)).answered()
    assert (back.text, again.text) == (sentences.LOUD_AGAIN, sentences.WAS_NOT_QUIET)


async def test_a_member_cannot_silence_the_bot_for_days(scene: Scene) -> None:
    """Somebody who manages the server can."""
    asked = await (await scene.discord.command("quiet", minutes=LONGEST_MINUTES + 1, permissions=MEMBER)).answered()
    assert asked.text == sentences.too_long_quiet(LONGEST_MINUTES)
    assert await scene.store.channels.settings(LOUNGE) is None
    asked = await (await scene.discord.command("quiet", minutes=LONGEST_MINUTES + 1)).answered()
    assert "<t:" in asked.text


async def test_a_member_cannot_end_what_an_admin_wants_for_days(scene: Scene) -> None:
    """Nor make it shorter."""
    await (await scene.discord.command("quiet", minutes=LONGEST_MINUTES + 10)).answered()
    for minutes in (0, 1):
        asked = await (await scene.discord.command("quiet", minutes=minutes, permissions=MEMBER)).answered()
        assert asked.text == sentences.HUSHED_FOR_LONG
    ended = await (await scene.discord.command("quiet", minutes=0)).answered()
    assert ended.text == sentences.LOUD_AGAIN


async def test_a_thread_that_was_quiet_still_has_its_channels_settings(scene: Scene) -> None:
    """Those that its admins choose later, too; and where the whole channel is quiet, nobody is told that a thread of it is not."""
    thread = await scene.discord.open_thread(channel=LOUNGE)
    await (await scene.discord.command("quiet", channel=thread, permissions=MEMBER)).answered()
    await (await scene.discord.command("quiet", channel=thread, minutes=0, permissions=MEMBER)).answered()
    await (await scene.discord.command("troupe channel", mode="lively")).answered()
    shown = await (await scene.discord.command("troupe channel", channel=thread)).answered()
    assert shown.text.startswith(sentences.channel_mode(thread, "lively"))
    await (await scene.discord.command("quiet", permissions=MEMBER)).answered()
    back = await (await scene.discord.command("quiet", channel=thread, minutes=0, permissions=MEMBER)).answered()
    assert back.text == sentences.CHANNEL_IS_QUIET


async def test_opting_out_holds_at_once_and_can_be_undone(scene: Scene) -> None:
    """Only the asker reads it."""
    out = await (await scene.discord.command("optout", who=BOB, permissions=MEMBER)).answered()
    assert (out.text, out.is_ephemeral) == (sentences.OPTED_OUT, True)
    assert await scene.store.people.is_out(BOB)
    back = await (await scene.discord.command("optin", who=BOB, permissions=MEMBER)).answered()
    assert back.text == sentences.OPTED_IN
    assert not await scene.store.people.is_out(BOB)
    again = await (await scene.discord.command("optin", who=BOB, permissions=MEMBER)).answered()
    assert again.text == sentences.NEVER_OUT


async def test_who_is_forgotten_is_out(scene: Scene) -> None:
    """And told what the bot itself cannot do; nothing that is kept names him any more but that he is out."""
    await scene.answered(asker=BOB)
    for message, stage in ((1, Stage.BEGUN), (2, Stage.DROPPED)):
        await scene.store.handled.begin(Handled(message, GUILD, LOUNGE, BOB, NOW, stage))
    await scene.store.votes.put(Vote(1, BOB, GUILD, "zizou@1", "zizou@2", NOW))
    asked = await (await scene.discord.command("forgetme", who=BOB, permissions=MEMBER)).answered()
    assert "troupe forget" in asked.text
    assert await scene.store.people.is_out(BOB)
    assert await scene.store.votes.tally(GUILD, "zizou@1", "zizou@2") == (0, 0)
    last = await scene.store.answers.last_in(LOUNGE)
    assert last is not None
    assert last.asker == 0
    begun, done = await scene.store.handled.of(1), await scene.store.handled.of(2)
    assert begun is not None
    assert done is not None
    assert (begun.author, done.author) == (BOB, 0)  # what is under way is dropped by who wrote it


async def test_budget_is_the_communitys(scene: Scene) -> None:
    """Each limit that there is, once, with the moment at which it begins anew in Discord's own way."""
    scene.gateway.usage = {"object": "usage", "currency": "EUR", "key": STATE, "communities": {"zizou": STATE}}
    asked = await (await scene.discord.command("budget", permissions=MEMBER)).answered()
    assert asked.text.splitlines() == [
        sentences.budget_of("zizou"),
        "Today: 12,500 of 50,000 tokens (25 %); anew <t:1795305600:R>.",
        "This month: 1.25 of 5 EUR (25 %); anew <t:1796083200:R>.",
        "Answers a minute: 12 of 30 left.",
    ]
    assert asked.is_ephemeral


@pytest.mark.parametrize("usage", [{}, {"communities": {"other": STATE}}, {"communities": {"zizou": {}}, "key": {}}])
def test_without_limits_the_budget_says_so(usage: dict[str, object]) -> None:
    """And never another community's."""
    assert described(usage, "zizou") == sentences.UNLIMITED


async def test_health_says_what_is_and_what_to_do(scene: Scene) -> None:
    """As whom it speaks and whether the voice is awake."""
    scene.gateway.ready = (200, {"ready": True, "engine": "asleep"})
    asked = await (await scene.discord.command("health", permissions=MEMBER)).answered()
    lines = asked.text.splitlines()
    assert lines[:3] == [sentences.speaks_as("zizou"), sentences.channel_mode(LOUNGE, "mentions"), sentences.GATEWAY_ASLEEP]
    assert asked.is_ephemeral


async def test_health_tells_of_a_key_and_a_voice_that_are_gone(scene: Scene) -> None:
    """An engine that is awake is of no use then."""
    scene.links.linked[GUILD] = replace(scene.links.linked[GUILD], model="zizou@1")
    gone = await (await scene.discord.command("health", permissions=MEMBER)).answered()
    assert gone.text.splitlines()[2] == sentences.voice_gone("zizou@1")
    await scene.links.linked[GUILD].troupe.aclose()
    scene.links.linked[GUILD] = replace(scene.links.linked[GUILD], troupe=Troupe(scene.gateway.url, "tr_revoked"))
    refused = await (await scene.discord.command("health", permissions=MEMBER)).answered()
    assert refused.text.splitlines()[2] == sentences.KEY_REFUSED


def test_a_gateway_that_is_not_ready_is_unwell() -> None:
    """Its own words are for whoever runs it."""
    assert of_gateway(Status(False, {"reason": "/dev/sda1 is full"})) == sentences.GATEWAY_UNWELL
    assert of_gateway(Status(True, {"engine": "waking"})) == sentences.GATEWAY_WAKING


async def test_a_refusal_of_the_gateway_is_told_in_the_bots_words(scene: Scene) -> None:
    """Nobody reads addresses or keys."""
    scene.gateway.failure = (503, error_body("engine on host-7 died", "engine_unavailable"), {})
    scene.gateway.told = {"zizou": {"adapter": "zizou@2"}, "zizou@1": {}, "zizou@2": {}}
    asked = await (await scene.discord.command("persona compare", question="who?", permissions=MEMBER)).answered()
    assert "host-7" not in asked.text


async def test_why_explains_the_last_answer_here(scene: Scene) -> None:
    """Version, sources and time; nothing of what was said, and for the asker alone."""
    scene.gateway.told = {"zizou@7": {"published_at": "2026-11-02T10:00:00+00:00", "learnt": {"examples": 2166}}}
    await scene.answered()
    asked = await (await scene.discord.command("why", permissions=MEMBER)).answered()
    assert asked.text.splitlines() == [
        "**zizou@7** said that.",
        sentences.learnt_from(2166, "2026-11-02T10:00:00+00:00"),
        "It took 3.2 s, of which 2.5 s for my voice to wake.",
        sentences.request("req_1"),
    ]
    assert asked.is_ephemeral


async def test_why_explains_without_the_gateway(scene: Scene) -> None:
    """With what the bot knows itself."""
    await scene.answered()
    scene.gateway.told = {}
    asked = await (await scene.discord.command("why", permissions=MEMBER)).answered()
    assert asked.text.startswith("**zizou@7** said that.\nIt took")


async def test_why_tells_nothing_of_another_channels_answers(scene: Scene) -> None:
    """In the same words as of a message that is none."""
    answer = await scene.answered(channel=ATTIC)
    [part] = await scene.store.answers.parts(answer.message)
    elsewhere = await (await scene.discord.command("why", message=str(part.sent), permissions=MEMBER)).answered()
    nowhere = await (await scene.discord.command("why", message="12", permissions=MEMBER)).answered()
    never = await (await scene.discord.command("why", message="9" * 19, permissions=MEMBER)).answered()
    none = await (await scene.discord.command("why", permissions=MEMBER)).answered()
    assert elsewhere.text == nowhere.text == never.text == sentences.UNKNOWN_ANSWER
    assert none.text == sentences.NO_ANSWER_HERE
    there = await (await scene.discord.command("why", message=str(part.sent), channel=ATTIC, permissions=MEMBER)).answered()
    assert there.text.startswith("**zizou@7**")


async def test_another_take_is_for_whoever_asked(scene: Scene) -> None:
    """Or for an admin; the answer says where it is."""
    scene.again.texts = ["ask Ravi", "never"]
    answer = await scene.answered(asker=ALICE)
    refused = await (await scene.discord.command("roll", who=BOB, permissions=MEMBER)).answered()
    assert refused.text == sentences.NOT_YOUR_ANSWER
    rolled = await (await scene.discord.command("roll", who=ALICE, permissions=MEMBER)).answered()
    assert "https://discord.com/channels/" in rolled.text
    assert rolled.is_ephemeral
    await (await scene.discord.command("roll", who=BOB)).answered()
    assert scene.again.asked == [(answer.message, ALICE), (answer.message, BOB)]


async def test_a_messages_own_menu_does_the_same(scene: Scene) -> None:
    """For that very message, and in kind words for one that is none of the bot's answers."""
    scene.again.texts = ["ask Ravi"]
    answer = await scene.answered()
    [part] = await scene.store.answers.parts(answer.message)
    assert part.sent is not None
    said, question = scene.discord.world.find(LOUNGE, part.sent), scene.discord.world.find(LOUNGE, answer.message)
    assert said is not None
    assert question is not None
    why = await (await scene.discord.menu("Why this answer?", said, who=BOB, permissions=MEMBER)).answered()
    assert why.text.startswith("**zizou@7** said that.")
    assert why.is_ephemeral
    await (await scene.discord.menu("Another take", said, permissions=MEMBER)).answered()
    assert scene.again.asked == [(answer.message, ALICE)]
    none = await (await scene.discord.menu("Why this answer?", question, permissions=MEMBER)).answered()
    assert none.text == sentences.UNKNOWN_ANSWER


@pytest.mark.parametrize("silence", [{"mode": "off"}, {"minutes": 5}])
async def test_no_command_is_a_way_around_silence(scene: Scene, silence: dict[str, Any]) -> None:
    """Neither in a channel that is off nor in one that is hushed, nor in its threads."""
    scene.again.texts = ["ask Ravi"] * 2
    await (await scene.discord.command("troupe channel" if "mode" in silence else "quiet", **silence)).answered()
    thread = await scene.discord.open_thread(channel=LOUNGE)
    for channel in (LOUNGE, thread):
        await scene.answered(channel=channel)
        rolled = await (await scene.discord.command("roll", channel=channel)).answered()
        compared = await (await scene.discord.command("persona compare", channel=channel, question="?")).answered()
        assert rolled.text == compared.text == sentences.SILENT_HERE
    assert scene.again.asked == []
    assert scene.gateway.asked == []


async def test_another_take_can_replace_the_first(scene: Scene) -> None:
    """The old message goes once the new one is there; what people thought of it stays counted."""
    scene.again.texts = ["ask Ravi"]
    answer = await scene.answered()
    [part] = await scene.store.answers.parts(answer.message)
    assert part.sent is not None
    await scene.store.reactions.add(part.sent, "👍", BOB, NOW)
    await (await scene.discord.command("roll", replace=True, permissions=MEMBER)).answered()
    assert [message["content"] for message in scene.discord.spoken()] == ["ask Ravi"]
    [told] = await scene.store.feedback.due(answer.guild, "zizou", 5)
    assert told.reactions == {"👍": 1}


async def test_takes_come_to_an_end(scene: Scene) -> None:
    """Who rolls on spends only the budget; nobody is asked for a take when the message is gone."""
    answer = await scene.answered()
    gone = scene.discord.world.find(LOUNGE, answer.message)
    assert gone is not None
    scene.discord.delete(gone)
    asked = await (await scene.discord.command("roll", permissions=MEMBER)).answered()
    assert asked.text == sentences.NO_OTHER_TAKE
    other = await scene.answered()
    for take in range(1, MOST_TAKES):
        await scene.store.answers.add(
            type(other)(other.message, take, other.guild, LOUNGE, ALICE, "zizou@7", "c", None, 1.0, None, None, NOW), ["x"]
        )
    asked = await (await scene.discord.command("roll", permissions=MEMBER)).answered()
    assert asked.text == sentences.ENOUGH_TAKES
    assert scene.again.asked == []
