import json
from pathlib import Path
from typing import Any

import pytest

from adapters.sources.discord import SourceError, read_export


def message(number: int, **changes: Any) -> dict[str, Any]:
    author = {"id": "7", "name": "ann", "nickname": "Ann", "isBot": False}
    return {
        "id": str(number),
        "type": "Default",
        "timestamp": "2026-01-02T03:04:05+00:00",
        "content": f"text {number}",
        "author": author,
    } | changes


def write(path: Path, *messages: dict[str, Any], exported_at: str = "2026-02-01T00:00:00+00:00") -> Path:
    path.write_text(json.dumps({"channel": {"id": "5"}, "exportedAt": exported_at, "messages": list(messages)}))
    return path


def test_messages_come_sorted_whatever_the_file_order(tmp_path: Path) -> None:
    """A file written newest first gives the same messages as any other."""
    export = read_export(write(tmp_path / "a.json", message(3), message(1), message(2)))
    assert [each.id for each in export.messages] == [1, 2, 3]
    assert export.messages[0].author == "Ann"
    assert export.messages[0].channel == "5"


def test_overlapping_files_count_once_and_the_later_export_wins(tmp_path: Path) -> None:
    """Merging is idempotent by id: the reaction counts of the later export are kept, whichever file is read first."""
    later = message(1, reactions=[{"count": 4, "emoji": {}}])
    write(tmp_path / "a.json", later, exported_at="2026-03-01T00:00:00+00:00")
    write(tmp_path / "b.json", message(1), message(2))
    export = read_export(tmp_path)
    assert [each.id for each in export.messages] == [1, 2]
    assert export.messages[0].reactions[0].count == 4
    assert export.dropped == {"seen in another file": 1}


def test_only_what_people_wrote_is_kept(tmp_path: Path) -> None:
    """System messages, unnamed kinds, empty and malformed messages are left out, and counted by reason."""
    joined, starter = message(1, type="GuildMemberJoin"), message(2, type="21", content="")
    export = read_export(write(tmp_path / "a.json", joined, starter, message(3, content=" "), message(4, author=None), message(5)))
    assert [each.id for each in export.messages] == [5]
    assert export.dropped == {"system message": 2, "no text": 1, "malformed": 1}


def test_a_file_without_a_tail_gives_what_it_has(tmp_path: Path) -> None:
    """An exporter that was killed leaves half a file: the whole messages in it are read, the rest is counted."""
    whole = write(tmp_path / "a.json", message(1), message(2), message(3)).read_text()
    (tmp_path / "a.json").write_text(whole[: whole.index('"text 3"')])
    export = read_export(tmp_path)
    assert [each.id for each in export.messages] == [1, 2]
    assert export.dropped == {"rest of a broken file": 1}


def test_replies_are_linked_and_forwards_are_not(tmp_path: Path) -> None:
    """A forward carries a reference too, but answers nobody."""
    reply = message(2, type="Reply", reference={"type": "Default", "messageId": "1"})
    forward = message(3, reference={"type": "Forward", "messageId": "1"})
    export = read_export(write(tmp_path / "a.json", message(1), reply, forward))
    assert [each.reply_to for each in export.messages] == [None, 1, None]


@pytest.mark.parametrize("content", [None, "", "not json", '{"messages": []}'])
def test_an_unusable_export_is_one_sentence(tmp_path: Path, content: str | None) -> None:
    """A missing, empty, foreign or message-less file is an error that names the path."""
    path = tmp_path / "export.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SourceError, match=r"export\.json .*\.$"):
        read_export(path)
