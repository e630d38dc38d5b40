from hypothesis import given
from hypothesis import strategies as st

from adapters.conversation import CONTEXT_TURNS, Turn, to_chat

TURNS = st.lists(st.builds(Turn, st.sampled_from(["", "ann", "bo"]), st.text(min_size=1, max_size=9), st.booleans()), max_size=9)


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
