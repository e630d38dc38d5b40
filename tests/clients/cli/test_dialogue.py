"""What a chat remembers, what of it the model is shown, and what an answer may do to a terminal."""

from adapters.conversation import CONTEXT_CHARACTERS, CONTEXT_TURNS
from clients.cli.dialogue import KEPT_LINES, Dialogue
from clients.cli.terminal import printable


def _exchange(dialogue: Dialogue, question: str, answer: str) -> None:
    dialogue.say(question)
    dialogue.hear(answer)


def test_only_the_last_lines_are_sent_and_the_system_message_always() -> None:
    """However long the chat, what is sent stays bounded, and a person begins."""
    dialogue = Dialogue("zizou", system="be kind")
    for turn in range(3 * KEPT_LINES):
        _exchange(dialogue, f"q{turn}", f"a{turn}")
    dialogue.say("now")
    messages = dialogue.messages()
    assert messages[0] == {"role": "system", "content": "be kind"}
    assert messages[1]["role"] == "user"
    assert messages[-1] == {"role": "user", "content": "now"}
    assert len(messages) == KEPT_LINES  # the oldest was an answer


def test_without_names_text_is_sent_as_it_was_typed() -> None:
    """A program keeps its indentation; what one says in two steps is one message."""
    dialogue = Dialogue("base")
    dialogue.say("look:\n    x = 1")
    dialogue.say("and?")
    assert dialogue.messages() == [{"role": "user", "content": "look:\n    x = 1\nand?"}]


def test_named_speakers_are_rendered_as_the_adapter_was_trained() -> None:
    """A line each, with the name before it, and of all that was said what training shows of it."""
    dialogue = Dialogue("zizou", speaker="Ravi")
    dialogue.say("who won?")
    dialogue.speaker = "Nico"
    dialogue.say("not you,\n surely")
    assert dialogue.messages() == [{"role": "user", "content": "Ravi: who won?\nNico: not you, surely"}]
    dialogue.hear("nobody did")
    dialogue.speaker = ""
    dialogue.say("ha")
    assert dialogue.messages()[1:] == [{"role": "assistant", "content": "nobody did"}, {"role": "user", "content": "ha"}]


def test_named_speakers_see_no_more_than_training_does() -> None:
    """So many turns, so many characters; the question itself always."""
    dialogue = Dialogue("zizou", speaker="Ravi")
    for number in range(3 * CONTEXT_TURNS):
        dialogue.say(f"line {number}")
    assert len(dialogue.messages()[0]["content"].splitlines()) == CONTEXT_TURNS
    dialogue.say("x" * (CONTEXT_CHARACTERS + 1))
    assert "x" * CONTEXT_CHARACTERS in dialogue.messages()[0]["content"]
    dialogue.say("well?")
    assert "xx" not in dialogue.messages()[0]["content"]


def test_a_question_without_an_answer_is_forgotten_but_may_be_asked_again() -> None:
    """Roles always alternate, as chat templates expect."""
    dialogue = Dialogue("zizou")
    _exchange(dialogue, "lost", "")
    assert dialogue.lines == []
    assert dialogue.take_back_answer()
    assert dialogue.messages() == [{"role": "user", "content": "lost"}]
    _exchange(dialogue, "lost again", "")
    dialogue.say("something else")
    assert [line.text for line in dialogue.lines] == ["lost", "something else"]
    assert dialogue.undo() == "something else"


def test_an_answer_is_taken_back_alone_or_with_its_question() -> None:
    """One step at a time, until nothing is left."""
    dialogue = Dialogue("zizou")
    assert not dialogue.take_back_answer()
    assert dialogue.undo() is None
    _exchange(dialogue, "q1", "a1")
    _exchange(dialogue, "q2", "a2")
    assert dialogue.take_back_answer()
    assert [line.text for line in dialogue.lines] == ["q1", "a1", "q2"]
    dialogue.hear("a3")
    assert dialogue.undo() == "q2"
    assert [line.text for line in dialogue.lines] == ["q1", "a1"]
    dialogue.say("q3")
    dialogue.hear("")
    assert [dialogue.undo(), dialogue.undo(), dialogue.undo()] == ["q3", "q1", None]


def test_an_answer_cannot_steer_the_terminal() -> None:
    """Escape sequences lose their escape; text, tabs and line ends stay."""
    assert printable("a\x1b]0;title\x07b\r\n\tné 🎉\x9b2J") == "a]0;titleb\n\tné 🎉2J"
