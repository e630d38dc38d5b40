import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.sources.message import Message, Reaction
from adapters.sources.report import Report
from adapters.sources.source import open_source


def lines(path: Path, *values: Any) -> Path:
    path.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in values))
    return path


def read(path: Path) -> tuple[list[Message], Report]:
    with open_source(path).read() as reading:
        return list(reading), reading.report


def test_messages_with_scores_and_replies(tmp_path: Path) -> None:
    """The score is the reward; a reply finds its target by the source's own id, which may stand in another file."""
    first = {"id": "a1", "author": "ann", "text": "hi", "timestamp": "2026-01-01T10:00:00Z", "score": 3, "channel": "x"}
    second = {"id": 2, "author": "bo", "text": "yo", "timestamp": 1_767_261_700, "reply_to": "a1", "score": -4}
    lines(tmp_path / "2.jsonl", first)
    lines(tmp_path / "1.jsonl", second, {"author": "cy", "text": "ho", "timestamp": 1_767_261_800_000, "reply_to": "nobody"})
    (one, two, three), report = read(tmp_path)
    assert (one.author_id, one.text, one.channel, one.at) == ("ann", "hi", "x", datetime(2026, 1, 1, 10, tzinfo=UTC))
    assert (one.reactions, two.reactions) == ((Reaction(3),), ())
    assert (one.reply_to, two.reply_to, three.reply_to) == (None, one.id, None)
    assert one.id < two.id < three.id
    assert report.dropped == {}


def test_overlapping_files_count_once(tmp_path: Path) -> None:
    """The same message in two files is one, by its id or, without one, by time, channel, author and text."""
    said = [{"author": "ann", "text": f"t{n}", "timestamp": 1_767_261_700 + n // 2} for n in range(4)]
    lines(tmp_path / "1.jsonl", *said[:3])
    lines(tmp_path / "2.jsonl", *said[1:])
    messages, report = read(tmp_path)
    assert sorted(each.text for each in messages) == ["t0", "t1", "t2", "t3"]
    assert report.dropped == {"seen in another file": 2}


def test_conversations(tmp_path: Path) -> None:
    """A line of turns is a channel of its own; roles are authors; without times the order of the file is the order."""
    turns = [
        {"role": "system", "content": "be"},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "text", "text": "b"}]},
    ]
    messages, report = read(lines(tmp_path / "c.jsonl", {"messages": turns}, {"messages": [{"author": "ann", "text": "c", "score": 1}]}))
    assert [(each.author, each.text) for each in messages] == [("user", "a"), ("assistant", "b"), ("ann", "c")]
    assert len({each.channel for each in messages}) == 2
    assert [each.at for each in messages] == sorted(each.at for each in messages)
    assert report.dropped == {"system message": 1}


def test_a_bad_line_costs_only_itself(tmp_path: Path) -> None:
    """Lines that are not JSON, not messages, empty, endless or nested without end are counted, with line and byte."""
    good = {"author": "ann", "text": "hi"}
    empty, foreign, endless = ({"author": "x"} | more for more in ({}, {"text": 5}, {"text": "y" * 40_000}))
    bad = ["{", "[" * 100_000, 5, {"author": "", "text": "x"}, empty, foreign, endless]
    messages, report = read(lines(tmp_path / "c.jsonl", good, *bad, "", good | {"text": "again"}))
    assert [each.text for each in messages] == ["hi", "again"]
    assert report.dropped == {"line that is not JSON": 2, "malformed": 3, "empty content": 1, "longer than any chat message": 1}
    assert report.places["line that is not JSON"][0] == f"c.jsonl line 2, byte {len(json.dumps(good)) + 1}"


@pytest.mark.parametrize("spelling", ["Ann", " Ann ", "A\u200bnn", "Ａnn", "Ann\u202e"])
def test_an_author_has_one_spelling(tmp_path: Path, spelling: str) -> None:
    """Invisible and double-width characters do not make another person, who would be on nobody's list."""
    messages, _ = read(lines(tmp_path / "c.jsonl", {"author": spelling, "text": "hi"}))
    assert messages[0].author_id == "Ann"


@pytest.mark.parametrize("value", ["NaN", "1e999", '"7"', "true", "null", "[]"])
def test_scores_and_times_that_are_none(tmp_path: Path, value: str) -> None:
    """A score or a time that is no number is as good as absent."""
    line = '{"author": "ann", "text": "hi", "score": SOME, "timestamp": SOME}'.replace("SOME", value)
    messages, _ = read(lines(tmp_path / "c.jsonl", line))
    assert (messages[0].reactions, messages[0].at.year) == ((), 1970)
