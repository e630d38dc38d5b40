"""What a chat remembers, and what an answer may do to a terminal."""

from clients.cli.dialogue import KEPT_TURNS, Dialogue
from clients.cli.terminal import printable


def test_only_the_last_turns_are_sent_and_the_system_message_always() -> None:
    """However long the chat, what is sent stays bounded."""
    dialogue = Dialogue("zizou", system="be kind")
    for turn in range(3 * KEPT_TURNS):
        dialogue.add(f"q{turn}", f"a{turn}")
    messages = dialogue.messages("now")
    assert messages[0] == {"role": "system", "content": "be kind"}
    assert messages[1] == {"role": "user", "content": f"q{2 * KEPT_TURNS}"}
    assert messages[-1] == {"role": "user", "content": "now"}
    assert len(messages) == 2 * KEPT_TURNS + 2


def test_a_turn_without_an_answer_is_forgotten() -> None:
    """Roles always alternate, as chat templates expect."""
    dialogue = Dialogue("zizou")
    dialogue.add("lost", "")
    assert dialogue.messages("again") == [{"role": "user", "content": "again"}]


def test_an_answer_cannot_steer_the_terminal() -> None:
    """Escape sequences lose their escape; text, tabs and line ends stay."""
    assert printable("a\x1b]0;title\x07b\r\n\tné 🎉\x9b2J") == "a]0;titleb\n\tné 🎉2J"
