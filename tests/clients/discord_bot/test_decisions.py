"""The bot's pure parts: what it reads, whom it answers, what it shows the model, how it cuts an answer."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.conversation import CONTEXT_CHARACTERS, CONTEXT_TURNS
from clients.discord_bot.attention import EXPECTING_S, WARM_EVERY_S, Deleted, Expecting
from clients.discord_bot.context import Hidden, prompt
from clients.discord_bot.heard import Heard, readable
from clients.discord_bot.sentences import ASLEEP, BROKE, BUSY, MISCONFIGURED, SENTENCES, TOO_LONG, apology
from clients.discord_bot.splitting import LIMIT, split
from clients.errors import BadRequest, NotTroupe, Overloaded, StreamBroken, TimedOut, TroupeError

HEARD = st.builds(
    Heard,
    id=st.integers(1, 60),
    channel_id=st.integers(1, 3),
    author=st.just("somebody else"),
    author_id=st.integers(11, 12),
    text=st.sampled_from(["", "x", "y z", ASLEEP]),
    is_self=st.booleans(),
    is_program=st.booleans(),
)


ASKED = st.builds(
    Heard,
    id=st.integers(1, 60),
    channel_id=st.integers(1, 3),
    author=st.just("asker"),
    author_id=st.just(10),
    text=st.sampled_from(["", "x"]),
)


@given(asked=ASKED, chain=st.lists(HEARD, max_size=8), recent=st.lists(HEARD, max_size=20))
def test_a_conversation_is_bounded_and_ends_with_a_person(asked: Heard, chain: list[Heard], recent: list[Heard]) -> None:
    """Whatever was heard: at most the limit, no empty turn, no apology of ours, a person's words last."""
    turns = prompt(asked, chain, recent, my_name="me").said
    assert 1 <= len(turns) <= CONTEXT_TURNS
    assert all(turn.text for turn in turns)
    assert not any(turn.is_self and turn.text in SENTENCES for turn in turns)
    assert not turns[-1].is_self


@given(chain=st.lists(HEARD, max_size=8), recent=st.lists(HEARD, max_size=20))
def test_nothing_of_another_channel_is_ever_shown(chain: list[Heard], recent: list[Heard]) -> None:
    """Marked by author here: every turn comes from the channel of the question."""
    asked = Heard(id=100, channel_id=1, author="asker", text="?", author_id=10)
    foreign = [Heard(h.id, 2, "foreign", h.text, h.is_self, author_id=99) for h in (*chain, *recent)]
    asks = prompt(asked, [*foreign, *chain], [*recent, *foreign], my_name="me")
    assert "foreign" not in {turn.name for turn in asks.said}
    assert 99 not in asks.people


@given(chain=st.lists(HEARD, max_size=8), recent=st.lists(HEARD, max_size=20))
def test_nothing_of_somebody_who_opted_out_is_ever_shown(chain: list[Heard], recent: list[Heard]) -> None:
    """Nor a notice of the bot's own, whatever it says."""
    asked = Heard(id=100, channel_id=1, author="asker", text="?", author_id=10)
    hidden = Hidden(frozenset({11}), frozenset(range(1, 61)))
    asks = prompt(asked, chain, recent, my_name="me", hidden=hidden)
    assert "11" not in {turn.author for turn in asks.said}
    assert not any(turn.is_self for turn in asks.said)


def test_a_wall_of_text_is_left_out_and_what_else_was_said_stays() -> None:
    """It neither fills the context nor hides the messages around it."""
    asked = Heard(id=9, channel_id=1, author="asker", text="?")
    recent = [Heard(1, 1, "a", "before"), Heard(2, 1, "b", "x" * (CONTEXT_CHARACTERS + 1)), Heard(3, 1, "a", "after")]
    assert [turn.text for turn in prompt(asked, [], recent, my_name="me").said] == ["before", "after", "?"]


def test_markup_is_read_as_people_see_it() -> None:
    """Names for ids, the emoji's name, the bot's own mention gone, white space in one."""
    names = {5: "Ann", 6: "mods", 7: "lounge"}
    content = "<@1> <@!5>  and <@&6> in\n<#7> <a:party:99> <:lol:98> <@404> <notmarkup>"
    assert readable(content, mine={1}, names=names) == "@Ann and @mods in #lounge :party: :lol: @unknown <notmarkup>"


def test_what_was_deleted_is_known_for_a_while() -> None:
    """The oldest are forgotten first."""
    deleted = Deleted(limit=2)
    for number in (1, 2, 3):
        deleted.add(number)
    assert [number in deleted for number in (1, 2, 3, 4)] == [False, True, True, False]


@given(st.text(st.sampled_from("ab .!?\n'é🎉"), max_size=200), st.integers(1, 40))
def test_splitting_loses_nothing_but_white_space_and_keeps_the_limit(text: str, limit: int) -> None:
    """For any text and limit."""
    parts = split(text, limit)
    assert all(0 < len(part) <= limit and part == part.strip() for part in parts)
    assert re.sub(r"\s", "", "".join(parts)) == re.sub(r"\s", "", text)


def test_splitting_prefers_sentences_then_words() -> None:
    """A part ends where a reader would pause."""
    assert split("One two. Three four", 12) == ["One two.", "Three four"]
    assert split('He said "no!" and left', 16) == ['He said "no!"', "and left"]
    assert split("one two three", 8) == ["one two", "three"]
    assert split("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]
    assert split(" ") == []
    assert LIMIT < 2000


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (TimedOut("slow"), ASLEEP),
        (Overloaded("x", code="insufficient_quota"), BROKE),
        (BadRequest("x", code="context_length_exceeded"), TOO_LONG),
        (StreamBroken("cut off"), ASLEEP),
        (StreamBroken("x", code="engine_unavailable"), ASLEEP),
        (StreamBroken("x", code="server_is_overloaded"), BUSY),
        (NotTroupe("http://secret", "x"), MISCONFIGURED),
    ],
)
def test_every_error_has_a_sentence_without_its_details(error: TroupeError, sentence: str) -> None:
    """People never read addresses or causes."""
    assert apology(error) == sentence


def test_typing_is_expected_only_where_and_while_people_talk_with_the_bot() -> None:
    """And it wakes a guild's voice once in a while, not with every key: its channels share it, other guilds do not."""
    expecting = Expecting()
    assert not expecting.should_warm(7, 1, 0.0)
    expecting.addressed(1, 0.0)
    expecting.addressed(2, 0.0)
    assert not expecting.should_warm(7, 3, 1.0)
    assert expecting.should_warm(7, 1, 1.0)
    assert not expecting.should_warm(7, 2, WARM_EVERY_S)
    assert expecting.should_warm(8, 2, WARM_EVERY_S)
    assert expecting.should_warm(7, 2, WARM_EVERY_S + 1)
    assert not expecting.should_warm(7, 1, EXPECTING_S)
    expecting.addressed(1, EXPECTING_S)
    assert expecting.should_warm(7, 1, EXPECTING_S + 1)
    assert not expecting.should_warm(7, 2, 2 * EXPECTING_S)
