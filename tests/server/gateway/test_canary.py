"""Who takes part in a canary: as many as the share says, always the same ones."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.gateway.apis.messages import Message, Prompt
from server.gateway.canary import START_CHARACTERS, START_TOKENS, conversation_key, takes_canary

KEYS = [f"user:{number}" for number in range(10_000)]
SYSTEM, HELLO = Message("system", "be brief"), Message("user", "hello")


@pytest.mark.parametrize("share", [0.5, 1, 10, 33.3, 50, 90, 99.5])
@pytest.mark.parametrize("community", ["zizou", "greybeards"])
def test_as_many_conversations_take_part_as_the_share_says(community: str, share: float) -> None:
    """Within five standard deviations of so many throws of a coin."""
    taken = sum(takes_canary(community, 2, share, key) for key in KEYS)
    expected = len(KEYS) * share / 100
    assert abs(taken - expected) <= 5 * math.sqrt(expected * (1 - share / 100))


@given(key=st.text(), version=st.integers(1, 1 << 31), community=st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True))
def test_nobody_takes_part_at_0_and_everybody_at_100(key: str, version: int, community: str) -> None:
    """Exactly."""
    assert not takes_canary(community, version, 0, key)
    assert takes_canary(community, version, 100, key)


@given(key=st.text(), shares=st.lists(st.floats(0, 100), min_size=2))
def test_who_is_in_stays_in_when_the_share_grows(key: str, shares: list[float]) -> None:
    """So nobody goes back and forth while a canary is widened."""
    answers = [takes_canary("zizou", 2, share, key) for share in sorted(shares)]
    assert all(not before or after for before, after in pairwise(answers))


def test_another_community_or_version_draws_anew() -> None:
    """No user is everybody's guinea pig: being in here says nothing of being in there."""
    half = len(KEYS) / 4
    for other in (("greybeards", 2), ("zizou", 3)):
        both = sum(takes_canary("zizou", 2, 50, key) and takes_canary(*other, 50, key) for key in KEYS)
        assert abs(both - half) <= 5 * math.sqrt(half * 0.75)


def test_a_chat_keeps_its_key_while_it_goes_on() -> None:
    """Whatever comes after the first message of a user."""
    start: list[Message] = [SYSTEM, HELLO]
    key = conversation_key(tuple(start), None)
    for turn in range(20):
        start += [Message("assistant", f"answer {turn}"), Message("user", f"more {turn}")]
        assert conversation_key(tuple(start), None) == key


@pytest.mark.parametrize(
    "prompt",
    [
        (SYSTEM, Message("user", "hello!")),
        (Message("system", "be long"), HELLO),
        (HELLO,),
        (Message("user", "be brief"), HELLO),
        (Message("system", "be briefhello"),),
        "hello",
        (1, 2, 3),
    ],
)
def test_another_start_is_another_conversation(prompt: Prompt) -> None:
    """Also one that only cuts the same text elsewhere."""
    assert conversation_key(prompt, None) != conversation_key((SYSTEM, HELLO), None)


def test_a_user_is_one_conversation_whatever_is_said() -> None:
    """An empty name is none; and no text of a prompt can pose as a user."""
    assert conversation_key((HELLO,), "ann") == conversation_key("else", "ann") != conversation_key((HELLO,), "bob")
    assert conversation_key((HELLO,), "") == conversation_key((HELLO,), None)
    assert conversation_key("user:ann", None) != conversation_key("x", "ann")


def test_a_long_prompt_keeps_its_key_while_it_grows() -> None:
    """Text or token ids: only the start counts."""
    text, tokens = "a" * START_CHARACTERS, tuple(range(START_TOKENS))
    assert conversation_key(text, None) == conversation_key(text + "more", None) != conversation_key("b" + text, None)
    assert conversation_key(tokens, None) == conversation_key((*tokens, 5), None) != conversation_key((9, *tokens), None)


def test_half_a_surrogate_pair_is_no_obstacle() -> None:
    """Callers cannot send one; this does not depend on it."""
    assert conversation_key("\ud83d", None) != conversation_key("\ud83e", None)
    assert takes_canary("zizou", 1, 100, "\ud83d")
