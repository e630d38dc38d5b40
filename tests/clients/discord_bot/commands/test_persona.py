"""As which version the bot speaks, and two versions side by side without their names."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clients.api import Troupe
from clients.discord_bot.commands import sentences
from clients.discord_bot.commands.comparing import SHOWN, Pair, shown
from clients.discord_bot.commands.desk import Desk
from clients.discord_bot.filter import Filter
from clients.discord_bot.limits import PER_PERSON, Limits
from clients.discord_bot.naming import invented
from clients.discord_bot.sentences import OTHER_RENDERER
from clients.discord_bot.splitting import LIMIT
from tests.clients.discord_bot.commands.scene import MEMBER, NOW, OneMore, Scene, asking_of, client_online
from tests.clients.discord_bot.fake_discord import ALICE, ATTIC, BOB, GUILD, LOUNGE

ABOUT: dict[str, dict[str, Any]] = {
    "zizou": {"adapter": "zizou@2", "canary": {"version": 3, "share": 10}},
    "zizou@1": {"adapter": "zizou@1"},
    "zizou@2": {"adapter": "zizou@2"},
    "zizou@3": {"adapter": "zizou@3"},
    "zizou@canary": {"adapter": "zizou@3"},
}


@pytest.fixture
def known(scene: Scene) -> Scene:
    """Three versions, the third as the canary."""
    scene.gateway.told = dict(ABOUT)
    return scene


async def test_persona_shows_the_live_version_and_the_canary(known: Scene) -> None:
    """For the asker alone."""
    asked = await (await known.discord.command("persona show", permissions=MEMBER)).answered()
    assert asked.text == sentences.persona("zizou", "zizou@2", 3, 10)
    assert asked.is_ephemeral


@pytest.mark.parametrize(("said", "model"), [("1", "zizou@1"), ("zizou@1", "zizou@1"), ("Canary", "zizou@canary"), ("live", None)])
async def test_an_admin_chooses_the_version(known: Scene, said: str, model: str | None) -> None:
    """By number, by alias, or whatever is live."""
    await (await known.discord.command("persona choose", version=said)).answered()
    assert (await known.store.guilds.settings(GUILD)).model == model


async def test_nobody_chooses_what_is_not_there_or_not_his(known: Scene) -> None:
    """Neither another community's voice, nor one that was never published, nor anything as a member."""
    for said in ("9", "greybeards@1", "base"):
        asked = await (await known.discord.command("persona choose", version=said)).answered()
        assert asked.text == sentences.no_such_voice(f"zizou@{said}")
    asked = await (await known.discord.command("persona choose", version="1", permissions=MEMBER)).answered()
    assert asked.text == sentences.ONLY_ADMINS
    assert (await known.store.guilds.settings(GUILD)).model is None


async def test_versions_are_offered_while_an_admin_types(known: Scene) -> None:
    """Those that the gateway tells of."""
    assert await known.discord.choices("persona choose", "version") == ["live", "canary", "3", "2", "1"]
    assert await known.discord.choices("persona choose", "version", "ca") == ["canary"]


async def test_nothing_is_offered_where_the_gateway_cannot_be_asked(known: Scene) -> None:
    """Nor to a server without a voice; whoever types is not left waiting."""
    await known.links.linked[GUILD].troupe.aclose()
    known.links.linked[GUILD] = replace(known.links.linked[GUILD], troupe=Troupe("http://127.0.0.1:1", "tr_x"))
    assert await known.discord.choices("persona choose", "version") == []
    await known.links.unlink(GUILD)
    assert await known.discord.choices("persona choose", "version") == []


async def test_a_comparison_hides_who_is_who_until_it_is_ended(known: Scene) -> None:
    """Both are asked the same in the adapter's own shape; votes are kept; the names come at the end, and the buttons go."""
    asked = await (await known.discord.command("persona compare", question="who won?", permissions=MEMBER)).answered()
    [message] = asked.messages
    assert not asked.is_ephemeral
    assert "zizou@" not in message["content"]
    assert sorted(body["model"] for body in known.gateway.asked) == ["zizou@2", "zizou@3"]
    assert [body["messages"] for body in known.gateway.asked] == [[{"role": "user", "content": "Alice: who won?"}]] * 2
    await (await known.discord.press(message, "A", who=BOB)).answered()
    changed = await (await known.discord.press(message, "B", who=BOB)).answered()
    assert (changed.text, changed.is_ephemeral) == (sentences.voted("B"), True)
    await (await known.discord.press(message, "B", who=ALICE)).answered()
    refused = await (await known.discord.press(message, sentences.REVEAL, who=BOB)).answered()
    assert refused.text == sentences.NOT_YOUR_COMPARISON
    ended = await (await known.discord.press(message, sentences.REVEAL, who=ALICE)).answered()
    assert ended.messages[0]["components"] == []
    assert "2 votes" in ended.text
    first, second = sorted(await known.store.votes.tally(GUILD, "zizou@2", "zizou@3"))
    assert (first, second) == (0, 2)


async def test_a_comparison_stands_where_the_conversation_is(known: Scene) -> None:
    """Both read what an ordinary question there would show them: nothing of another channel, of who opted out, or of comparisons."""
    cara = BOB + 100
    await known.store.people.opt_out(cara, NOW)
    known.discord.write("they lost again", who=BOB)
    known.discord.write("my own business", who=cara)
    known.discord.write("the attic's secret", who=BOB, channel=ATTIC)
    for question in ("why?", "and why not?"):
        await (await known.discord.command("persona compare", question=question, permissions=MEMBER)).answered()
    asked = [[message["content"] for message in body["messages"]] for body in known.gateway.asked]
    assert asked == [["Bob: they lost again\nAlice: why?"]] * 2 + [["Bob: they lost again\nAlice: and why not?"]] * 2


async def test_buttons_work_after_a_restart(known: Scene, tmp_path: Path) -> None:
    """All that a vote needs is in the button."""
    asked = await (await known.discord.command("persona compare", question="who won?")).answered()
    await known.client.close()
    desk = Desk(known.store, known.links, OneMore(), asking_of(known.store, tmp_path), Limits(), Filter(), 50, clock=lambda: NOW)
    async with client_online(known.discord, desk, times=2):
        await (await known.discord.press(asked.messages[0], "A", who=BOB)).answered()
    assert sum(await known.store.votes.tally(GUILD, "zizou@2", "zizou@3")) == 1


async def test_whose_opinion_is_not_kept_does_not_vote(known: Scene) -> None:
    """Who opted out is told so, and nothing is stored."""
    asked = await (await known.discord.command("persona compare", question="who won?")).answered()
    await known.store.people.opt_out(BOB, NOW)
    pressed = await (await known.discord.press(asked.messages[0], "A", who=BOB)).answered()
    assert pressed.text == sentences.OUT_CANNOT_VOTE
    assert sum(await known.store.votes.tally(GUILD, "zizou@2", "zizou@3")) == 0


async def test_members_compare_what_is_offered_and_admins_what_they_like(known: Scene) -> None:
    """A version that an admin did not put forward is not everybody's to call up; the same twice is refused."""
    refused = await (await known.discord.command("persona compare", question="?", one=1, permissions=MEMBER)).answered()
    assert refused.text == sentences.ONLY_ADMINS
    await (await known.discord.command("persona compare", question="?", one=1, other=0)).answered()
    assert sorted(body["model"] for body in known.gateway.asked) == ["base", "zizou@1"]
    same = await (await known.discord.command("persona compare", question="?", one=2, other=2)).answered()
    assert same.text == sentences.SAME_VOICE


async def test_an_admin_who_names_one_version_gets_another_one_beside_it(known: Scene) -> None:
    """Also where that is the canary; beside the base there is none but the canary."""
    await (await known.discord.command("persona compare", question="?", one=3)).answered()
    assert sorted(body["model"] for body in known.gateway.asked) == ["zizou@2", "zizou@3"]
    known.gateway.told["zizou"] = {"adapter": "zizou@2"}
    same = await (await known.discord.command("persona compare", question="?", one=0)).answered()
    assert same.text == sentences.SAME_VOICE


async def test_a_comparison_counts_as_two_questions(known: Scene) -> None:
    """Of the person's limit, and then there is a friendly word instead."""
    for _ in range(PER_PERSON.burst // 2):
        await (await known.discord.command("persona compare", question="?", channel=LOUNGE)).answered()
    asked = await (await known.discord.command("persona compare", question="?")).answered()
    assert asked.text == sentences.TOO_FAST
    assert len(known.gateway.asked) == PER_PERSON.burst // 2 * 2


async def test_what_the_filter_takes_out_of_answers_it_takes_out_here(known: Scene) -> None:
    """At the server's level, and out of the question, too: the bot says it once more."""
    known.gateway.answer = "see https://example.org"
    await (await known.discord.command("troupe settings", filter="strict")).answered()
    asked = await (await known.discord.command("persona compare", question="what is https://example.org/here?")).answered()
    assert "example.org" not in asked.messages[0]["content"]
    assert known.gateway.asked[0]["messages"][0]["content"] == "Alice: what is https://example.org/here?"


async def test_a_voice_that_reads_another_form_is_neither_chosen_nor_compared(known: Scene) -> None:
    """It would answer to something that it never saw; the admin reads it here and not in the channel."""
    known.gateway.told["zizou@3"] = {"adapter": "zizou@3", "renderer": "turns-0"}
    chosen = await (await known.discord.command("persona choose", version="3")).answered()
    compared = await (await known.discord.command("persona compare", question="?")).answered()
    assert chosen.text == compared.text == OTHER_RENDERER
    assert known.gateway.asked == []


async def test_the_asker_is_called_as_the_voice_knows_him(known: Scene, tmp_path: Path) -> None:
    """By the invented name of the training, and by his own where people read it."""
    key = tmp_path / "zizou" / "people" / "key"
    key.parent.mkdir(parents=True)
    key.write_bytes(b"k" * 32)
    name = invented(b"k" * 32)(ALICE)
    known.gateway.answer = f"ask {name}"
    asked = await (await known.discord.command("persona compare", question="who?")).answered()
    assert known.gateway.asked[0]["messages"] == [{"role": "user", "content": f"{name}: who?"}]
    assert "ask Alice" in asked.messages[0]["content"]
    assert name not in asked.messages[0]["content"]


def test_two_long_answers_fit_into_one_message() -> None:
    """With the longest question, and the names that are added at the end."""
    ending = sentences.revealed([(f"{'c' * 63}@999999", 10**6)] * 2)
    assert len(shown("?" * 300, ("x" * 5000, "y" * 5000))) + len(ending) + 2 <= LIMIT
    assert SHOWN > 700


def test_either_order_is_as_likely() -> None:
    """By the id of the command, which nobody chooses."""
    pair = Pair("zizou", 2, 3)
    turned = sum(pair.shuffled(seed) != pair for seed in range(1000))
    assert 400 < turned < 600
    assert {pair.shuffled(seed).names for seed in range(9)} == {("zizou@2", "zizou@3"), ("zizou@3", "zizou@2")}
