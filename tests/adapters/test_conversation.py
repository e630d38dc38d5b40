from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from adapters.conversation import CONTEXT_CHARACTERS, CONTEXT_TURNS, Turn, before, to_chat

TURNS = st.lists(st.builds(Turn, st.sampled_from(["", "ann", "bo"]), st.text(min_size=1, max_size=9), st.booleans()), max_size=9)


@dataclass(frozen=True)
class Line:
    id: int
    text: str = "x"


def test_replies_come_before_neighbours() -> None:
    """The chain takes its room first, the channel's last messages fill it up, nothing is there twice, and time orders all of it."""
    recent = [Line(number) for number in (9, 7, 8, 6)]
    assert [line.id for line in before([Line(8), Line(2)], recent, 4)] == [2, 7, 8, 9]
    assert before([Line(1)], recent, 0) == []


def test_a_wall_of_text_is_passed_over() -> None:
    """What does not fit is left out, and what is older and shorter still gets in."""
    lines = [Line(1), Line(2, "x" * CONTEXT_CHARACTERS), Line(3)]
    assert [line.id for line in before([], lines, 5)] == [1, 3]


def test_neighbours_of_one_side_share_a_message() -> None:
    """Other people's lines carry their names and become one user message; the model's own line becomes the assistant's."""
    turns = [Turn("ann", "hi"), Turn("bo", "ho"), Turn("me", "hello", is_self=True), Turn("ann", "bye")]
    assert to_chat(turns) == [
        {"role": "user", "content": "ann: hi\nbo: ho"},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": "ann: bye"},
    ]


def test_an_unnamed_author_is_only_text() -> None:
    """With nobody to tell apart there is no prefix, and a line break inside a message cannot forge another author's line."""
    assert to_chat([Turn("", "one\nbo: two")]) == [{"role": "user", "content": "one bo: two"}]


@given(TURNS)
def test_roles_alternate_and_start_with_the_user(turns: list[Turn]) -> None:
    """Whatever is said, the chat starts with a user and roles alternate, as chat templates expect."""
    roles = [message["role"] for message in to_chat(turns)]
    assert roles == (["user", "assistant"] * len(roles))[: len(roles)]


@given(TURNS)
def test_only_the_last_turns_are_rendered(turns: list[Turn]) -> None:
    """What scrolled out of view does not change the rendering."""
    assert to_chat(turns) == to_chat(turns[-CONTEXT_TURNS:])
