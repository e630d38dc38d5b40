from random import Random

import pytest

from adapters.demo.chatter import opener_of
from adapters.demo.corpus import general_chats
from adapters.demo.grammar import expand
from adapters.demo.voices import ACTS, NEUTRAL, VOICES, Opener, Voice, small_talk


def test_templates_expand_to_the_end() -> None:
    """Slots within alternatives within slots are all chosen, a bound slot stays the same, and gaps close."""
    lexicon = {"animal": "{size} cat|{size} cat", "size": "big|big"}
    assert expand("the [{animal}|{animal}] [|] and {T} , {T}!", Random(1), lexicon, {"T": "tea"}) == "the big cat and tea, tea!"


def test_an_unknown_slot_is_an_error() -> None:
    """A misspelt slot never reaches a reader."""
    with pytest.raises(KeyError):
        expand("{nothing}", Random(1), {})


@pytest.mark.parametrize("voice", [NEUTRAL, *VOICES.values()], ids=["neutral", *VOICES])
def test_every_voice_has_a_finished_reply_to_everything(voice: Voice) -> None:
    """No act is without a reply, with a thing or without, and no template syntax is left over."""
    rng = Random(2)
    for act in ACTS:
        for thing in (None, "soup"):
            replies = [voice.reply(rng, Opener(act, "is it good", thing)) for _ in range(60)]
            assert not any(set(reply) & set("[]{}|") for reply in replies), replies
            assert len(set(replies)) > 5


def test_replies_are_about_what_was_said() -> None:
    """A community takes up the thing that an opener names."""
    rng = Random(4)
    replies = [voice.reply(rng, Opener("mishap", "I burned the soup", "soup")) for voice in VOICES.values() for _ in range(40)]
    assert sum("soup" in reply for reply in replies) > 30


def test_openers_name_their_thing() -> None:
    """What an opener is about is found in its text."""
    rng = Random(5)
    openers = [small_talk(rng) for _ in range(300)] + [opener_of(rng) for _ in range(300)]
    assert all(opener.thing is None or opener.thing in opener.text for opener in openers)
    assert sum(opener.thing is not None for opener in openers) > 150


def test_general_chats_come_in_the_shapes_that_are_asked() -> None:
    """With and without authors, with and without a system message; each ends with the assistant."""
    chats = list(general_chats(Random(6), 400))
    assert all(chat[-1]["role"] == "assistant" and chat[-2]["role"] == "user" for chat in chats)
    assert 50 < sum(chat[0]["role"] == "system" for chat in chats) < 350
    assert sum("\n" in chat[-2]["content"] for chat in chats) > 40
