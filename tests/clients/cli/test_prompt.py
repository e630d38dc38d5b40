"""What keys do at the prompt, typed into prompt_toolkit itself; no terminal is drawn on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from clients.cli.orders import HELP, ORDERS, read_order
from clients.cli.prompt import Prompt, Words

MODELS = ["base", "zizou", "zizou@7", "zizou@canary"]
UP, ALT_ENTER, TAB = "\x1b[A", "\x1b\r", "\t"
PASTED = "\x1b[200~{}\x1b[201~"


@pytest.fixture
def keys() -> Iterator[PipeInput]:
    with create_pipe_input() as typed:
        yield typed


def _prompt(keys: PipeInput, history: Path) -> Prompt:
    return Prompt(history, lambda: MODELS, colour=True, typed_into=keys, shown_on=DummyOutput())


def test_alt_enter_begins_a_line_and_enter_sends(keys: PipeInput, tmp_path: Path) -> None:
    """Also after several lines."""
    keys.send_text(f"one{ALT_ENTER}two\r")
    assert _prompt(keys, tmp_path / "h").read() == "one\ntwo"


def test_what_is_pasted_keeps_its_lines_and_is_not_sent(keys: PipeInput, tmp_path: Path) -> None:
    """The person looks at it first."""
    keys.send_text(PASTED.format("def f():\r\n    return 1\n") + "# why?\r")
    assert _prompt(keys, tmp_path / "h").read("Ravi") == "def f():\n    return 1\n# why?"


def test_what_was_typed_is_there_in_the_next_session(keys: PipeInput, tmp_path: Path) -> None:
    """Lines and all, in a file of the owner's, even if it was anybody's before."""
    history = tmp_path / "deep" / "chat_history"
    keys.send_text(f"first{ALT_ENTER}line\r")
    _prompt(keys, history).read()
    history.chmod(0o644)
    keys.send_text(f"{UP}!\r")
    assert _prompt(keys, history).read() == "first\nline!"
    assert history.stat().st_mode & 0o777 == 0o600


def test_a_history_that_cannot_be_kept_stops_nobody(keys: PipeInput, tmp_path: Path) -> None:
    """It is remembered for as long as the chat lasts."""
    (tmp_path / "file").touch()
    prompt = _prompt(keys, tmp_path / "file" / "chat_history")
    keys.send_text("hello\r")
    assert prompt.read() == "hello"
    keys.send_text(f"{UP}\r")
    assert prompt.read() == "hello"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("/mo", ["/model", "/models"]),
        ("/", [order.name for order in ORDERS]),
        ("/model z", ["zizou", "zizou@7", "zizou@canary"]),
        ("/model zizou@c", ["zizou@canary"]),
        ("what about /mo", []),
        ("/say z", []),
    ],
)
def test_commands_and_models_are_completed(typed: str, offered: list[str]) -> None:
    """Words of a question never are."""
    found = Words(lambda: MODELS).get_completions(Document(typed, len(typed)), CompleteEvent())
    assert [typed[: len(typed) + each.start_position] + each.text for each in found] == [
        typed.rpartition(" ")[0] + (" " if " " in typed else "") + name for name in offered
    ]


def test_files_are_completed_where_one_is_wanted(tmp_path: Path) -> None:
    """With what is in the folder."""
    (tmp_path / "chat.md").touch()
    typed = f"/save {tmp_path}/ch"
    assert [each.text for each in Words(lambda: []).get_completions(Document(typed, len(typed)), CompleteEvent())] == ["at.md"]


@pytest.mark.parametrize(
    ("line", "order"),
    [
        ("/as", ("/as", "")),
        ("/as  Ravi K ", ("/as", "Ravi K")),
        ("/retry", ("/retry", "")),
        ("/save! a.md", ("/save!", "a.md")),
        ("/retry now", None),
        ("/model", None),
        ("/say", None),
        ("/retry!", None),
        ("/sing", None),
        ("/", None),
    ],
)
def test_a_command_is_known_by_its_name_and_what_it_takes(line: str, order: tuple[str, str] | None) -> None:
    """One that is used wrongly is none, and the list says how it is used."""
    assert read_order(line) == order
    assert "/as [NAME]" in HELP
