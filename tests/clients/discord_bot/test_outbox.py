"""Which parts of an answer are there already, and what cannot be sent at all. Pure."""

import pytest

from clients.discord_bot.outbox import LONGEST_PAUSE_S, Standing, arrived, is_final, pause
from clients.discord_bot.store.answers import Part

QUESTION = 5
PARTS = [Part(QUESTION, 0, number, text) for number, text in enumerate(("one.", "two.", "one."))]


def test_parts_are_found_in_their_order() -> None:
    """The first is the reply to the question, the others follow; what comes after a gap has not arrived."""
    standing = [Standing(10, "one.", QUESTION), Standing(11, "two.", None), Standing(12, "one.", None)]
    assert arrived(QUESTION, PARTS, standing) == {0: 10, 1: 11, 2: 12}
    assert arrived(QUESTION, PARTS, standing[:2]) == {0: 10, 1: 11}
    assert arrived(QUESTION, PARTS, [standing[0], standing[2]]) == {0: 10}
    assert arrived(QUESTION, PARTS, []) == {}


def test_other_messages_are_not_taken_for_parts() -> None:
    """Answers to somebody else with the same words, and a notice to the same question."""
    assert arrived(QUESTION, PARTS, [Standing(9, "one.", 4), Standing(10, "Give me a moment.", QUESTION), Standing(11, "two.", None)]) == {}


def test_what_is_known_to_be_sent_is_not_looked_for() -> None:
    """And the next part is looked for behind it."""
    known = [Part(QUESTION, 0, 0, "", sent=10), PARTS[1], PARTS[2]]
    assert arrived(QUESTION, known, [Standing(9, "two.", None), Standing(11, "two.", None)]) == {0: 10, 1: 11}


def test_what_the_wire_changed_is_recognised() -> None:
    """A sign that would have pinged everybody."""
    assert arrived(QUESTION, [Part(QUESTION, 0, 0, "hey @everyone")], [Standing(10, "hey ＠everyone", QUESTION)]) == {0: 10}


@pytest.mark.parametrize(
    ("status", "code", "final"),
    [(403, 50013, True), (404, 10003, True), (400, 50035, True), (400, 40001, False), (500, 0, False), (429, 0, False)],
)
def test_what_can_only_fail_again_is_given_up(status: int, code: int, final: bool) -> None:
    """A reply to a message that is gone is an invalid form to Discord."""
    assert is_final(status, code) == final


def test_a_pause_is_as_long_as_somebody_would_write() -> None:
    """And never too long."""
    assert 0 < pause("short") < pause("a good deal longer than that") < pause("x" * 5000) == LONGEST_PAUSE_S
