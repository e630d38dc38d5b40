"""What the bot remembers: once is once, a no is a no, and all of it is still there when the file is opened again."""

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from clients.discord_bot.channels import ChannelSettings, Mode, Quiet
from clients.discord_bot.errors import StateBroken
from clients.discord_bot.guild_settings import GuildSettings, Level, Names
from clients.discord_bot.store.answers import Answer
from clients.discord_bot.store.facts import COMMANDS
from clients.discord_bot.store.feedback import Wishes
from clients.discord_bot.store.file import StateFile
from clients.discord_bot.store.handled import Handled, Stage
from clients.discord_bot.store.links import LinkRow
from clients.discord_bot.store.store import Store
from clients.discord_bot.store.votes import Vote
from clients.discord_bot.store.words import Words
from clients.feedback import SaidTurn

GUILD, CHANNEL, ALICE, BOB, CARA = 1, 2, 11, 12, 13
WORDS = Words(
    [SaidTurn("Bob", "they lost", author=str(BOB)), SaidTurn("zizou", "again", is_self=True), SaidTurn("Alice", "why?", author=str(ALICE))],
    "offside",
    frozenset({ALICE, BOB}),
)


def answer(message: int, take: int = 0, *, made_at: float = 100.0, channel: int = CHANNEL) -> Answer:
    return Answer(message, take, GUILD, channel, ALICE, "zizou@7", "c0ffee", "req-1", 1.5, None, None, made_at)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(tmp_path / "bot" / "state.sqlite3") as store:
        yield store


async def sent_answer(store: Store, message: int, first: int, *, words: Words | None = None, take: int = 0) -> None:
    """An answer of two parts, as the messages `first` and `first + 1`."""
    await store.handled.begin(Handled(message, GUILD, CHANNEL, ALICE, 90.0))
    for part in await store.answers.add(answer(message, take), ["one.", "two."], words):
        await store.answers.sent(part, first + part.number, 101.0)


async def test_only_the_first_who_begins_a_message_may_answer_it(store: Store) -> None:
    """However many ask at once, and for ever."""
    begun = Handled(5, GUILD, CHANNEL, ALICE, 90.0)
    assert sorted(await asyncio.gather(*(store.handled.begin(begun) for _ in range(20)))) == [False] * 19 + [True]
    await store.handled.drop(5)
    assert not await store.handled.begin(begun)


async def test_what_was_acknowledged_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    """And the file is its owner's alone, as is everything beside it."""
    path = tmp_path / "bot" / "state.sqlite3"
    async with Store(path) as store:
        await store.handled.begin(Handled(5, GUILD, CHANNEL, ALICE, 90.0))
        await store.answers.add(answer(5), ["one.", "two."])
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in (path.parent, *path.parent.iterdir())}
    assert modes.pop("bot") == 0o700
    assert set(modes.values()) == {0o600}
    async with Store(path) as store:
        [left] = await store.handled.unfinished()
        assert (left.message, left.stage) == (5, Stage.ANSWERED)
        assert [(part.text, part.sent) for part in await store.answers.parts(5)] == [("one.", None), ("two.", None)]


async def test_a_second_bot_on_the_same_file_is_refused(tmp_path: Path) -> None:
    """In one sentence; when the first has ended, it may."""
    path = tmp_path / "state.sqlite3"
    async with Store(path):
        with pytest.raises(StateBroken, match="Another bot"):
            await StateFile(path).open()
    async with Store(path):
        pass


async def test_a_file_of_a_younger_version_is_left_alone(tmp_path: Path) -> None:
    """It is not guessed what its tables mean."""
    path = tmp_path / "state.sqlite3"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 999")
    with pytest.raises(StateBroken, match="younger"):
        await StateFile(path).open()


async def test_work_that_fails_leaves_nothing_half_done(store: Store) -> None:
    """A second answer of the same take is refused whole, its parts with it."""
    await store.handled.begin(Handled(5, GUILD, CHANNEL, ALICE, 90.0))
    await store.answers.add(answer(5), ["one."])
    with pytest.raises(StateBroken):
        await store.answers.add(answer(5), ["other.", "parts."])
    assert [part.text for part in await store.answers.parts(5)] == ["one."]


async def test_an_answer_is_sent_with_its_last_part(store: Store) -> None:
    """Its text is kept no longer than it takes to send it; it is found by each of its messages."""
    await store.handled.begin(Handled(5, GUILD, CHANNEL, ALICE, 90.0))
    first, second = await store.answers.add(answer(5), ["one.", "two."])
    await store.answers.sent(first, 50, 101.0)
    assert [left.stage for left in await store.handled.unfinished()] == [Stage.ANSWERED]
    assert await store.answers.last_in(CHANNEL) is None
    await store.answers.sent(second, 51, 102.0)
    assert await store.handled.unfinished() == []
    assert [(part.text, part.sent) for part in await store.answers.parts(5)] == [("", 50), ("", 51)]
    assert await store.answers.of_sent(50) == await store.answers.of_sent(51) == await store.answers.last_in(CHANNEL) == answer(5)
    assert await store.answers.of_sent(52) is None


async def test_another_take_is_an_answer_of_its_own(store: Store) -> None:
    """With parts, nonces and reactions of its own."""
    await sent_answer(store, 5, 50)
    await sent_answer(store, 5, 60, take=1)
    assert await store.answers.takes(5) == 2
    nonces = {part.nonce for take in (0, 1) for part in await store.answers.parts(5, take)}
    assert len(nonces) == 4
    assert max(map(len, nonces)) <= 25
    assert [(told.take, told.sent) for told in await store.feedback.due(GUILD, "zizou", 10)] == [(0, 50), (1, 60)]


def test_a_nonce_fits_discords_limit_for_the_largest_ids() -> None:
    """25 characters."""
    assert len(f"{2**63 - 1:x}-{15:x}-{15:x}") <= 25


async def test_a_drop_forgets_what_was_not_sent_and_nothing_else(store: Store) -> None:
    """A message that was deleted in the middle of its answer."""
    await store.handled.begin(Handled(5, GUILD, CHANNEL, ALICE, 90.0))
    first, _ = await store.answers.add(answer(5), ["one.", "two."])
    await store.answers.sent(first, 50, 101.0)
    await store.handled.drop(5)
    assert await store.handled.unfinished() == []
    assert [part.sent for part in await store.answers.parts(5)] == [50]


async def test_notices_are_known_as_such(store: Store) -> None:
    """Among messages of all kinds, and among none."""
    await store.handled.begin(Handled(5, GUILD, CHANNEL, ALICE, 90.0))
    await store.handled.noticed(5, 49)
    assert await store.handled.notices_among([48, 49, 50]) == {49}
    assert await store.handled.notices_among([]) == frozenset()


async def test_feedback_is_the_state_of_an_answer_and_is_told_until_it_arrived(store: Store) -> None:
    """New answers count, too; a person who reacts twice is one person; what changes while it is told is told again."""
    await sent_answer(store, 5, 50)
    [new] = await store.feedback.due(GUILD, "zizou", 10)
    assert (new.sent, new.adapter, dict(new.reactions), new.people, new.reacted_at) == (50, "zizou@7", {}, 0, None)
    await store.feedback.told([new])
    assert await store.feedback.due(GUILD, "zizou", 10) == []
    assert await store.reactions.add(50, "👍", BOB, 110.0)
    await store.reactions.add(50, "👍", BOB, 111.0)
    await store.reactions.add(51, "👍", BOB, 112.0)
    await store.reactions.add(51, "😂", BOB, 113.0)
    await store.reactions.add(51, "😂", CARA, 114.0)
    [told] = await store.feedback.due(GUILD, "zizou", 10)
    assert (dict(told.reactions), told.people, told.reacted_at) == ({"👍": 1, "😂": 2}, 2, 114.0)
    await store.reactions.remove(51, "😂", CARA, 115.0)
    await store.feedback.told([told])
    [again] = await store.feedback.due(GUILD, "zizou", 10)
    assert (dict(again.reactions), again.people) == ({"👍": 1, "😂": 1}, 1)
    await store.reactions.clear(50, 116.0)
    await store.reactions.clear(51, 116.0, emoji="😂")
    [left] = await store.feedback.due(GUILD, "zizou", 10)
    assert (dict(left.reactions), left.people) == ({"👍": 1}, 1)


async def test_a_clock_that_is_put_back_hides_no_change(store: Store) -> None:
    """A reaction, one that is taken back, and one of somebody who opts out are told, each as a later state."""
    await sent_answer(store, 5, 50)
    seen = [0.0]
    for change in (
        store.reactions.add(50, "👍", BOB, 110.0),
        store.reactions.add(50, "👍", CARA, 90.0),
        store.reactions.remove(50, "👍", CARA, 80.0),
        store.people.opt_out(BOB, 70.0),
    ):
        await change
        [told] = await store.feedback.due(GUILD, "zizou", 10)
        await store.feedback.told([told])
        seen.append(told.changed_at)
    assert seen == sorted(set(seen))


async def test_half_an_answer_is_not_told_however_people_react_to_it(store: Store) -> None:
    """Where the bot lost the right to speak in the middle of it; the others are told as ever."""
    [first, _] = await store.answers.add(answer(6), ["one.", "two."])
    await store.answers.sent(first, 60, 101.0)
    assert await store.reactions.add(60, "👍", BOB, 110.0)
    await sent_answer(store, 5, 50)
    assert [told.message for told in await store.feedback.due(GUILD, "zizou", 10)] == [5]


async def test_reactions_to_other_messages_count_for_nothing(store: Store) -> None:
    """Nor to a guild's, by another guild's feedback."""
    assert not await store.reactions.add(77, "👍", BOB, 110.0)
    await sent_answer(store, 5, 50)
    assert await store.feedback.due(GUILD + 1, "zizou", 10) == []


async def test_who_opts_out_is_in_nothing_that_is_kept(store: Store) -> None:
    """Reactions and conversations with them go at once, and none of theirs is kept from then on."""
    await sent_answer(store, 5, 50, words=WORDS)
    await store.reactions.add(50, "👍", BOB, 110.0)
    await store.reactions.add(50, "👍", CARA, 110.0)
    [before] = await store.feedback.due(GUILD, "zizou", 10)
    assert before.words == WORDS
    await store.feedback.told([before])
    assert await store.people.opt_out(BOB, 120.0)
    [after] = await store.feedback.due(GUILD, "zizou", 10)
    assert (dict(after.reactions), after.people, after.words) == ({"👍": 1}, 1, None)
    assert not await store.reactions.add(50, "😂", BOB, 130.0)
    await sent_answer(store, 6, 60, words=WORDS)
    assert all(told.words is None for told in await store.feedback.due(GUILD, "zizou", 10))
    assert await store.people.out_among([ALICE, BOB]) == {BOB}
    assert await store.people.opt_in(BOB)
    assert not await store.people.is_out(BOB)
    assert await store.reactions.add(50, "😂", BOB, 140.0)


async def test_wishes_are_told_to_each_guilds_community_until_they_arrived(store: Store) -> None:
    """Also that somebody is in again; a guild that is linked anew is told from the start."""
    await store.people.opt_out(BOB, 100.0)
    await store.people.opt_out(CARA, 101.0)
    assert await store.feedback.wishes_due(GUILD, 9) == Wishes([BOB, CARA], [], [])
    await store.feedback.wishes_told(GUILD, Wishes([BOB, CARA]))
    assert not await store.feedback.wishes_due(GUILD, 9)
    assert await store.feedback.wishes_due(GUILD + 1, 9) == Wishes([BOB, CARA], [], [])
    await store.people.opt_in(CARA)
    assert await store.feedback.wishes_due(GUILD, 9) == Wishes([], [], [CARA])
    await store.feedback.wishes_told(GUILD, Wishes(back=[CARA]))
    assert not await store.feedback.wishes_due(GUILD, 9)
    await store.links.put(LinkRow(GUILD, "zizou", b"sealed", ALICE, 102.0))
    assert await store.feedback.wishes_due(GUILD, 9) == Wishes([BOB], [], [])


async def test_the_wish_to_be_forgotten_is_told_also_of_somebody_who_was_out(store: Store) -> None:
    """Once, and an /optout after it does not take it back; being in again does."""
    await store.people.opt_out(BOB, 100.0)
    await store.feedback.wishes_told(GUILD, Wishes([BOB]))
    await store.people.forget(BOB, 101.0)
    await store.people.opt_out(BOB, 102.0)
    assert await store.feedback.wishes_due(GUILD, 9) == Wishes([], [BOB], [])
    await store.feedback.wishes_told(GUILD, Wishes(forget=[BOB]))
    assert not await store.feedback.wishes_due(GUILD, 9)
    await store.people.opt_in(BOB)
    assert await store.feedback.wishes_due(GUILD, 9) == Wishes([], [], [BOB])


async def test_settings_come_back_as_they_were_chosen(store: Store) -> None:
    """Where nothing was chosen, the defaults of a guild, and nothing of a channel."""
    assert await store.guilds.settings(GUILD) == GuildSettings()
    assert await store.channels.settings(CHANNEL) is None
    chosen = GuildSettings(learn=True, model="zizou@7", names=Names.DISPLAY, level=Level.STRICT, late="Un instant…", streaming=True)
    await store.guilds.put(GUILD, chosen)
    await store.facts.put(COMMANDS, "abc")
    channel = ChannelSettings(Mode.LIVELY, 0.1, 60.0, Quiet("22:00", "08:00", "Europe/Paris"), ("goal",), 99.0)
    await store.channels.put(GUILD, CHANNEL, channel)
    assert (await store.guilds.settings(GUILD), await store.facts.get(COMMANDS)) == (chosen, "abc")
    assert await store.channels.settings(CHANNEL) == channel
    assert await store.channels.of_guild(GUILD) == {CHANNEL: channel}
    await store.channels.remove(CHANNEL)
    assert await store.channels.settings(CHANNEL) is None


async def test_a_guild_that_sent_the_bot_away_is_forgotten(store: Store) -> None:
    """Its key first of all, and what was to be said there; others stay."""
    for guild in (GUILD, GUILD + 1):
        await store.links.put(LinkRow(guild, "zizou", b"sealed", ALICE, 102.0))
        await store.guilds.put(guild, GuildSettings(learn=True))
    await sent_answer(store, 5, 50, words=WORDS)
    for message in (6, 7):
        await store.handled.begin(Handled(message, GUILD, CHANNEL, ALICE, 90.0))
    await store.answers.add(answer(7), ["never said"])
    await store.guilds.forget(GUILD)
    assert await store.handled.unfinished() == []
    assert await store.answers.parts(7) == []
    assert [link.guild for link in await store.links.all()] == [GUILD + 1]
    assert await store.guilds.settings(GUILD) == GuildSettings()
    assert [told.words for told in await store.feedback.due(GUILD, "zizou", 10)] == [None]
    assert "sealed" not in repr(await store.links.of(GUILD + 1))


async def test_the_last_vote_of_a_person_counts(store: Store) -> None:
    """For one message; the tally is between two versions, in one guild."""
    await store.votes.put(Vote(9, ALICE, GUILD, "zizou@7", "zizou@6", 1.0))
    await store.votes.put(Vote(9, ALICE, GUILD, "zizou@6", "zizou@7", 2.0))
    await store.votes.put(Vote(9, BOB, GUILD, "zizou@6", "zizou@7", 2.0))
    await store.votes.put(Vote(9, CARA, GUILD, "zizou@7", "zizou@6", 2.0))
    assert await store.votes.tally(GUILD, "zizou@7", "zizou@6") == (1, 2)
    assert await store.votes.tally(GUILD + 1, "zizou@7", "zizou@6") == (0, 0)


async def test_another_communitys_answers_are_not_told_to_this_one(store: Store) -> None:
    """After a guild was linked anew, or where nobody knows the version."""
    await sent_answer(store, 5, 50)
    assert await store.feedback.due(GUILD, "greybeards", 10) == []
    assert await store.feedback.due(GUILD, "zizo", 10) == []
    assert len(await store.feedback.due(GUILD, "zizou", 10)) == 1


async def test_what_is_old_is_forgotten_and_choices_stay(store: Store) -> None:
    """With its reactions and its words; what is younger is still there."""
    await sent_answer(store, 5, 50, words=WORDS)
    await store.reactions.add(50, "👍", BOB, 110.0)
    await store.people.opt_out(CARA, 90.0)
    await store.guilds.put(GUILD, GuildSettings(learn=True))
    await store.sweep(99.0)
    assert await store.answers.of_sent(50) == answer(5)
    await store.sweep(101.0)
    assert await store.answers.of_sent(50) is None
    assert not await store.reactions.add(50, "👍", BOB, 120.0)
    assert await store.handled.of(5) is None
    assert await store.people.is_out(CARA)
    assert (await store.guilds.settings(GUILD)).learn
