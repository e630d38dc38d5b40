from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.conversation import Turn, to_chat
from adapters.curation.context import ANSWERS_NOBODY, MISSING, Scene, Windows, people_in, visible
from adapters.curation.recipe import CurationRecipe
from adapters.sources.message import Mention, Message
from clients.discord_bot.context import conversation
from clients.discord_bot.heard import Heard
from clients.discord_bot.hearing import LOOK_BACK
from tests.adapters.curation.world import Said, said

RECIPE = CurationRecipe()


def scene(messages: Sequence[Message], recipe: CurationRecipe = RECIPE) -> Scene | str:
    """Of the last message."""
    windows = Windows(recipe, Said(messages).find)
    for message in messages:
        windows.add(message)
    return windows.scene(messages[-1])


def screen(messages: Sequence[Message]) -> list[int]:
    found = scene(messages)
    assert isinstance(found, Scene), found
    return [message.id for message in found.screen]


def parts(messages: Sequence[Message], recipe: CurationRecipe = RECIPE) -> list[int]:
    found = scene(messages, recipe)
    assert isinstance(found, Scene), found
    return [message.id for message in found.parts]


def test_a_message_answers_the_last_one_before_it() -> None:
    """Without a reply it is what stands right above."""
    assert screen([said(1, "bo"), said(2, "cy"), said(3, "ann")]) == [1, 2]


def test_a_reply_answers_what_it_replies_to() -> None:
    """What was said in between is not shown: the bot would have answered before it."""
    assert screen([said(1, "bo"), said(2, "cy"), said(3, "dee"), said(4, "ann", reply_to=2)]) == [1, 2]


def test_the_chain_comes_before_what_is_nearer() -> None:
    """Of the room for six, the chain of replies takes its part first; it is rendered in the order of time."""
    talk = [said(1, "bo"), *(said(number, "noise") for number in range(2, 12)), said(12, "cy", reply_to=1), said(13, "ann")]
    assert screen(talk) == [1, 8, 9, 10, 11, 12]


def test_another_channel_is_not_on_the_screen() -> None:
    """A neighbour in time, in another room."""
    assert screen([said(1, "bo"), said(2, "cy", channel="other"), said(3, "ann")]) == [1]


def test_a_long_screen_is_cut() -> None:
    """Never more than the recipe's turns, and a wall of text is left out."""
    talk = [said(1, "bo"), said(2, "cy", "wall " * 700), *(said(number, "dee") for number in (3, 4)), said(5, "ann")]
    assert screen(talk) == [1, 3, 4]
    found = scene(talk, CurationRecipe(context_turns=2))
    assert isinstance(found, Scene)
    assert [message.id for message in found.screen] == [3, 4]


def test_what_lies_beyond_the_window_is_found() -> None:
    """A reply to a message of a hundred messages ago still answers it."""
    talk = [said(1, "bo"), said(2, "cy", reply_to=1), *(said(number, "noise") for number in range(3, 110)), said(110, "ann", reply_to=2)]
    assert screen(talk) == [1, 2]


def test_nobody_looks_back_further_than_the_bot() -> None:
    """Where the last messages do not fit, older ones are not fetched in their place."""
    walls = [said(number, "noise", "wall " * 700) for number in range(2, 2 + LOOK_BACK)]
    assert screen([said(1, "bo"), *walls, said(40, "cy"), said(41, "ann")]) == [40]


def test_a_thread_shows_nothing_of_the_channel_it_was_opened_from() -> None:
    """The bot stays in the channel that it is asked in, whatever a reply points to; only what a target itself answers may be elsewhere."""
    talk = [said(1, "bo"), said(2, "cy", channel="thread", reply_to=1), said(3, "ann", channel="thread")]
    assert screen(talk) == [2]
    assert screen(talk[:2]) == [1]


def test_the_first_on_the_screen_is_somebody_else() -> None:
    """The author's own words at the top have nothing before them that they answer."""
    assert screen([said(1, "ann"), said(2, "bo"), said(20, "ann", minute=3)]) == [2]


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        ([said(1, "ann")], ANSWERS_NOBODY),
        ([said(1, "bo"), said(100, "ann")], ANSWERS_NOBODY),
        ([said(1, "bo"), said(2, "ann"), said(10, "ann")], ANSWERS_NOBODY),
        ([said(1, "ann"), said(2, "bo"), said(3, "ann", reply_to=1)], ANSWERS_NOBODY),
        ([said(1, "bo"), said(3, "ann", reply_to=2)], MISSING),
        ([said(1, "bo"), said(2, "ann", reply_to=2)], ANSWERS_NOBODY),
    ],
    ids=["alone", "after a long silence", "after own words", "to own words", "to a deleted message", "to itself"],
)
def test_what_answers_nobody_is_not_learnt(talk: list[Message], reason: str) -> None:
    """There must be somebody else's message to answer."""
    assert scene(talk) == reason


def test_one_thought_in_several_messages_is_learnt_as_one() -> None:
    """What was said in one breath belongs together, and answers what stands before all of it."""
    talk = [said(1, "bo"), said(2, "ann", minute=2), said(3, "ann", minute=3), said(4, "ann", minute=5)]
    assert parts(talk) == [2, 3, 4]
    assert screen(talk) == [1]


@pytest.mark.parametrize(
    "talk",
    [
        [said(1, "bo"), said(2, "ann", minute=2), said(3, "bo", minute=2.5), said(4, "ann", minute=3)],
        [said(1, "bo"), said(2, "ann", "!play", minute=2), said(3, "bo", minute=3), said(4, "ann", minute=4)],
        [said(1, "bo"), said(2, "ann", minute=2), said(4, "ann", minute=3, reply_to=1)],
        [said(1, "bo"), said(2, "ann", "x" * 1500, minute=2), said(3, "bo", minute=2.5), said(4, "ann", minute=3)],
    ],
    ids=["interrupted", "a command", "a reply of its own", "too long together"],
)
def test_other_messages_are_thoughts_of_their_own(talk: list[Message]) -> None:
    """Interrupted, a command, a reply of its own, or more than a target may have."""
    assert parts(talk) == [4]


def test_the_root_is_where_the_chain_of_replies_began() -> None:
    """However many replies lie between."""
    talk = [said(1, "bo"), *(said(number, "cy", reply_to=number - 1) for number in range(2, 20)), said(20, "ann", reply_to=19)]
    found = scene(talk)
    assert isinstance(found, Scene)
    assert found.root.id == 1


def test_replies_in_a_circle_end() -> None:
    """Forged ids may point anywhere: a chain only ever goes back."""
    talk = [said(1, "bo", reply_to=3), said(2, "cy", reply_to=1), said(3, "ann", reply_to=2)]
    assert screen(talk) == [1, 2]


def test_windows_of_many_channels_are_bounded() -> None:
    """Of ten thousand channels only those of late are held; an old one starts anew."""
    windows = Windows(RECIPE, lambda _: None)
    for number in range(1, 10_001):
        windows.add(said(number, "bo", channel=str(number), minute=0))
    assert windows.last("1", 5) == []
    assert [message.id for message in windows.last("10000", 5)] == [10_000]


def test_find_never_gives_what_may_not_be_seen() -> None:
    """An opted-out author's message is as good as deleted."""
    find = visible(Said([said(1, "bo"), said(2, "out")]).find, lambda message: "no" if message.author_id == "out" else None)
    assert [message and message.id for message in map(find, (1, 2, 3, 1))] == [1, None, None, 1]


def test_people_are_authors_and_the_mentioned() -> None:
    """By id, under the name they had last."""
    assert people_in([said(1, "bo", mentions=(Mention("7", "Dee"),))]) == {"bo": "Bo", "7": "Dee"}


TALK = st.lists(st.tuples(st.sampled_from(["ann", "bo", "cy", "dee"]), st.none() | st.integers(1, 30)), min_size=2, max_size=40)


@given(TALK)
def test_the_bot_sees_what_was_learnt(lines: list[tuple[str, int | None]]) -> None:
    """For every target, curation and the Discord bot render the very same messages before it."""
    talk = [
        said(number, author, reply_to=reply if reply and reply < number else None, minute=number * 4)
        for number, (author, reply) in enumerate(lines, start=1)
    ]
    found = scene(talk)
    if isinstance(found, str):
        return
    target, asked = found.parts[0], found.screen[-1]
    heard = {each.id: Heard(each.id, 1, each.author, each.text, each.author_id == target.author_id) for each in talk}
    chain, link = [], talk[asked.id - 1]
    while link.reply_to is not None:
        chain.append(heard[link.reply_to])
        link = talk[link.reply_to - 1]
    recent = [heard[number] for number in range(max(1, asked.id - LOOK_BACK), asked.id)]
    seen = [Turn(each.author, each.text, each.is_self) for each in conversation(heard[asked.id], chain, recent)]
    learnt = [Turn(each.author, each.text, each.author_id == target.author_id) for each in found.screen]
    assert to_chat(seen) == to_chat(learnt)
