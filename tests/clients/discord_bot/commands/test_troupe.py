"""What admins decide: the link, channels, settings, learning."""

import pytest

from clients.discord_bot.channels import Mode, Quiet
from clients.discord_bot.commands import sentences
from clients.discord_bot.commands.choices import hours, words
from clients.discord_bot.errors import BadChoice
from clients.discord_bot.store.answers import Answer
from clients.discord_bot.store.words import Words
from clients.feedback import SaidTurn
from tests.clients.discord_bot.commands.scene import MEMBER, Scene
from tests.clients.discord_bot.fake_discord import ADMIN, ALICE, ATTIC, GUILD, LOUNGE
from tests.clients.stub_gateway import KEY


async def test_a_key_is_asked_for_in_a_form_and_shown_to_nobody(scene: Scene) -> None:
    """The answer names the community, is for the admin alone and holds nothing of the key."""
    await scene.links.unlink(GUILD)
    form = await (await scene.discord.command("troupe link")).acknowledged()
    sent = await (await scene.discord.submit(form, {"Key": f" {KEY} ", "Community": "Zizou"})).answered()
    assert sent.text == sentences.linked("zizou")
    assert sent.is_ephemeral
    assert KEY not in str(sent.changes)
    assert scene.links.linked[GUILD].community == "zizou"


async def test_a_key_that_opens_nothing_changes_nothing(scene: Scene) -> None:
    """And the admin reads why."""
    form = await (await scene.discord.command("troupe link")).acknowledged()
    sent = await (await scene.discord.submit(form, {"Key": "tr_wrong"})).answered()
    assert sent.text == "The gateway does not accept this key."
    assert scene.links.linked[GUILD].community == "zizou"


async def test_a_form_that_was_opened_by_an_admin_is_sent_by_one(scene: Scene) -> None:
    """Rights may have gone between the two."""
    form = await (await scene.discord.command("troupe link")).acknowledged()
    sent = await (await scene.discord.submit(form, {"Key": KEY, "Community": "greybeards"}, permissions=MEMBER)).answered()
    assert sent.text == sentences.ONLY_ADMINS
    assert scene.links.linked[GUILD].community == "zizou"


async def test_unlinking_says_what_it_did(scene: Scene) -> None:
    """Twice is told as such."""
    first = await (await scene.discord.command("troupe unlink")).answered()
    second = await (await scene.discord.command("troupe unlink")).answered()
    assert (first.text, second.text) == (sentences.UNLINKED, sentences.NOTHING_LINKED)


async def test_a_channels_settings_change_one_by_one(scene: Scene) -> None:
    """What is not said stays; without a choice the command only shows."""
    await (await scene.discord.command("troupe channel", mode="lively", chance=5.0, wake="zizou, old  man")).answered()
    await (await scene.discord.command("troupe channel", cooldown=3, quiet="22:00-07:00 Europe/Paris")).answered()
    shown = await (await scene.discord.command("troupe channel")).answered()
    chosen = await scene.store.channels.settings(LOUNGE)
    assert chosen is not None
    assert (chosen.mode, chosen.chance, chosen.cooldown_s) == (Mode.LIVELY, 0.05, 180.0)
    assert (chosen.wake_words, chosen.quiet) == (("zizou", "old man"), Quiet("22:00", "07:00", "Europe/Paris"))
    assert "about 5 unasked" in shown.text
    assert "From 22:00 to 07:00 (Europe/Paris)" in shown.text
    assert await scene.store.channels.settings(ATTIC) is None


async def test_a_thread_begins_with_its_channels_settings(scene: Scene) -> None:
    """And changes only its own."""
    await (await scene.discord.command("troupe channel", mode="lively", chance=5.0)).answered()
    thread = await scene.discord.open_thread(channel=LOUNGE)
    await (await scene.discord.command("troupe channel", channel=thread, cooldown=1)).answered()
    own, parent = await scene.store.channels.settings(thread), await scene.store.channels.settings(LOUNGE)
    assert own is not None
    assert parent is not None
    assert (own.mode, own.chance, own.cooldown_s, parent.cooldown_s) == (Mode.LIVELY, 0.05, 60.0, 600.0)


async def test_another_channel_can_be_named(scene: Scene) -> None:
    """A thread as well, which is known to be one."""
    world, thread = scene.discord.world, await scene.discord.open_thread(channel=ATTIC)
    for place, mode in ((world.places[ATTIC], "lively"), (world.places[thread], "off")):
        asked = scene.discord.interactions.command(
            "troupe channel", {"channel": place, "mode": mode}, who=ALICE, channel=LOUNGE, permissions=ADMIN
        )
        await scene.discord.gateway.tell("INTERACTION_CREATE", asked.body, GUILD)
        assert f"<#{place.id}>" in (await asked.answered()).text
        chosen = await scene.store.channels.settings(place.id)
        assert chosen is not None
        assert chosen.mode.value == mode
    assert await scene.store.channels.settings(LOUNGE) is None


async def test_nonsense_is_refused_with_the_words_for_it(scene: Scene) -> None:
    """And nothing is stored."""
    asked = await (await scene.discord.command("troupe channel", quiet="when it is dark")).answered()
    assert asked.text == sentences.QUIET_HOURS_UNREAD
    asked = await (await scene.discord.command("troupe channel", quiet="22:00-07:00 Paris/Europe")).answered()
    assert "time zone" in asked.text
    assert await scene.store.channels.settings(LOUNGE) is None


async def test_a_servers_settings_change_one_by_one(scene: Scene) -> None:
    """The community's own words can be taken back."""
    await (await scene.discord.command("troupe settings", filter="strict", late="warming up…")).answered()
    shown = await (await scene.discord.command("troupe settings", streaming=True)).answered()
    chosen = await scene.store.guilds.settings(GUILD)
    assert (chosen.level.value, chosen.late, chosen.streaming) == ("strict", "warming up…", True)
    assert "warming up…" in shown.text
    await (await scene.discord.command("troupe settings", late="none")).answered()
    assert (await scene.store.guilds.settings(GUILD)).late is None


async def test_learning_is_off_until_somebody_switches_it_on(scene: Scene) -> None:
    """And says what it means: switched off, no words are kept, none of before either."""
    assert not (await scene.store.guilds.settings(GUILD)).learn
    on = await (await scene.discord.command("troupe learn", switch="on")).answered()
    assert on.text == sentences.LEARNS
    assert (await scene.store.guilds.settings(GUILD)).learn
    words_said = Words([SaidTurn("Alice", "why?", author=str(ALICE))], "offside", frozenset({ALICE}))
    answer = Answer(5, 0, GUILD, LOUNGE, ALICE, "zizou@7", "c0ffee", "req-1", 1.5, None, None, 100.0)
    (part,) = await scene.store.answers.add(answer, ["offside"], words_said)
    await scene.store.answers.sent(part, 50, 101.0)
    off = await (await scene.discord.command("troupe learn", switch="off")).answered()
    assert off.text == sentences.LEARNS_NOT
    assert not (await scene.store.guilds.settings(GUILD)).learn
    assert [told.words for told in await scene.store.feedback.due(GUILD, "zizou", 9)] == [None]


@pytest.mark.parametrize(
    ("said", "read"),
    [("22:00-07:00", Quiet("22:00", "07:00")), ("22 to 7 Asia/Tokyo", Quiet("22", "7", "Asia/Tokyo")), ("None", None)],
)
def test_quiet_hours_are_read_as_people_write_them(said: str, read: Quiet | None) -> None:
    """With a time zone or without."""
    assert hours(said) == read


@pytest.mark.parametrize("said", ["", "22:00", "22:00-22:00", "25:00-07:00", "22:00-07:00 ../etc/passwd"])
def test_other_hours_are_no_choice(said: str) -> None:
    """A sentence instead of a stack trace."""
    with pytest.raises(BadChoice):
        hours(said)


def test_wake_words_are_a_list() -> None:
    """White space and repetitions do not count."""
    assert words(" zizou ,old   man,, zizou") == ("zizou", "old man")
    assert words("none") == ()
