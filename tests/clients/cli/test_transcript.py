"""Chats as files: what they say, whose they are, and what they do not overwrite."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.cli.dialogue import Dialogue, Line
from clients.cli.transcript import NotSaved, load, save

NOW = datetime(2026, 11, 21, 20, 15, tzinfo=UTC)


@pytest.fixture
def dialogue() -> Dialogue:
    spoken = Dialogue("zizou@7", system="be kind", speaker="Ravi")
    spoken.say("who wón?")
    spoken.hear("nobody\ndid")
    spoken.speaker = ""
    spoken.say("ha")
    return spoken


def test_a_page_for_people_says_who_said_what(dialogue: Dialogue, tmp_path: Path) -> None:
    """And which version of the model did; nobody else on the machine may read it."""
    path = tmp_path / "chat.md"
    save(dialogue, path, NOW)
    assert path.read_text() == (
        "# A chat with zizou@7\n\n2026-11-21 20:15\n\n*be kind*\n\n**Ravi:** who wón?\n\n**zizou@7:** nobody\ndid\n\n**you:** ha\n"
    )
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_page_cannot_steer_the_terminal_that_shows_it(tmp_path: Path) -> None:
    """What a model wrote is text."""
    dialogue = Dialogue("zizou", lines=[Line(1, "", "q"), Line(2, "zizou", "\x1b]0;title\x07gotcha", is_self=True)])
    save(dialogue, tmp_path / "chat.md", NOW)
    assert "\x1b" not in (tmp_path / "chat.md").read_text()


def test_what_was_saved_as_json_can_be_gone_on_with(dialogue: Dialogue, tmp_path: Path) -> None:
    """Every line as it was, with its speaker."""
    path = tmp_path / "chat.JSON"
    save(dialogue, path, NOW)
    assert [(line.author, line.text, line.is_self) for line in load(path)] == [
        (line.author, line.text, line.is_self) for line in dialogue.lines
    ]
    content = json.loads(path.read_text())
    assert (content["model"], content["saved_at"]) == ("zizou@7", "2026-11-21T20:15:00+00:00")
    assert content["messages"][0] == {"role": "system", "content": "be kind"}


def test_a_file_that_is_there_stays_as_it_is(dialogue: Dialogue, tmp_path: Path) -> None:
    """Unless it is said that it may be replaced; a link is replaced, and what it points to left alone."""
    path = tmp_path / "chat.md"
    path.write_text("mine")
    with pytest.raises(NotSaved, match="/save!"):
        save(dialogue, path, NOW)
    assert path.read_text() == "mine"
    link = tmp_path / "link.md"
    link.symlink_to(path)
    with pytest.raises(NotSaved, match="is there already"):
        save(dialogue, link, NOW)
    save(dialogue, link, NOW, replace=True)
    assert (path.read_text(), link.is_symlink()) == ("mine", False)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["chat.md", "link.md"]


@pytest.mark.parametrize(("name", "said"), [("chat", "let it end in .md"), ("chat.exe", "let it end"), ("no/where/chat.md", "cannot be")])
def test_where_it_cannot_be_written_is_one_sentence(dialogue: Dialogue, tmp_path: Path, name: str, said: str) -> None:
    """And nothing is left behind."""
    with pytest.raises(NotSaved, match=said):
        save(dialogue, tmp_path / name, NOW)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    ["", "[]", "[" * 100_000, '{"messages": [{"role": "robot", "content": "x"}]}', '{"messages": [{"role": "user", "content": 7}]}'],
    ids=("empty", "a list", "nested", "a robot's", "a number's"),
)
def test_another_file_is_no_chat(tmp_path: Path, content: str) -> None:
    """It says so and reads nothing of it."""
    path = tmp_path / "chat.json"
    path.write_text(content)
    with pytest.raises(NotSaved, match="not a chat"):
        load(path)
    with pytest.raises(NotSaved, match="cannot be read"):
        load(tmp_path / "nowhere.json")
