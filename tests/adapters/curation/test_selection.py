from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.curation import selection
from adapters.curation.recipe import CurationRecipe
from adapters.curation.selection import is_command, unfit, unseen
from adapters.sources.message import Message
from tests.adapters.curation.world import said

RECIPE = CurationRecipe(longest=200)


COMMANDS = ("!play never gonna", "/x", "?help", ".fm", "!!np", "-skip", "$roll 3", "t!daily", "pk!switch out", "  !rank", "=tex x^2")
PEOPLE = (
    "...what",
    "?!",
    "!",
    "- item one",
    "-10 points",
    "$5 says no",
    "no! what a save",
    ">implying",
    "*laughs*",
    "~nice~",
    "1/10",
    "+1",
)


@pytest.mark.parametrize("text", COMMANDS)
def test_commands_are_commands(text: str) -> None:
    """What a person tells a bot is nothing to learn."""
    assert is_command(text)
    assert unfit(said(1, text=text), RECIPE) == selection.COMMAND


@pytest.mark.parametrize("text", PEOPLE)
def test_people_are_no_commands(text: str) -> None:
    """Punctuation, prices, lists and greentext are how people write."""
    assert not is_command(text)
    assert unfit(said(1, text=text), RECIPE) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://example.org/a?b=c", selection.ONLY_LINKS),
        ("<https://example.org> https://tenor.com/view/lol-1", selection.ONLY_LINKS),
        ("www.example.org", selection.ONLY_LINKS),
        ("<@123> https://example.org", selection.ONLY_LINKS),
        ("<@123>", selection.ONLY_MENTIONS),
        ("<@!123> <@&4> <#5> @everyone", selection.ONLY_MENTIONS),
        ("look https://example.org", None),
        ("😂", None),
        (":panenka:", None),
        ("ここ", None),
        ("...", None),
        ("x" * 201, selection.TOO_LONG),
        ("x" * 200, None),
        ("<@123> no", None),
    ],
)
def test_texts_that_say_nothing(text: str, reason: str | None) -> None:
    """Links and mentions alone are no message; an emoji is one."""
    assert unfit(said(1, text=text), RECIPE) == reason


def test_a_shortest_length_counts_only_what_was_said() -> None:
    """Links and mentions do not make a short message longer."""
    recipe = replace(RECIPE, shortest=4)
    assert unfit(said(1, text="lol"), recipe) == selection.TOO_SHORT
    assert unfit(said(1, text="lol https://example.org/long/link"), recipe) == selection.TOO_SHORT
    assert unfit(said(1, text="<@123456> lol"), recipe) == selection.TOO_SHORT
    assert unfit(said(1, text="<@123456> lol!"), recipe) is None


def test_ten_megabytes_are_too_long_at_once() -> None:
    """The length is looked at before anything that takes time with it."""
    assert unfit(said(1, text="a/." * 3_500_000), RECIPE) == selection.TOO_LONG


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (said(1, is_bot=True), selection.BOT),
        (said(1, private=True), selection.PRIVATE),
        (said(1, text=" \n "), selection.EMPTY),
        (said(1), None),
    ],
)
def test_who_may_not_even_be_seen(message: Message, reason: str | None) -> None:
    """Bots, private talk and empty messages are neither learnt nor shown."""
    assert unseen(message, RECIPE) == reason


def test_private_talk_is_seen_when_allowed() -> None:
    """The setting is there for groups in which everybody agreed."""
    assert unseen(said(1, private=True), replace(RECIPE, private=True)) is None


@given(st.text(max_size=300))
def test_any_text_gets_an_answer(text: str) -> None:
    """No text breaks it, and whatever fits has something in it."""
    assert unfit(said(1, text=text or " "), RECIPE) is not None or text.strip()
