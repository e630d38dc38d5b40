"""One test for every pitfall of the exporter's files."""

import json
from pathlib import Path

import pytest

from adapters.sources.errors import NoMessages
from adapters.sources.message import Reaction
from tests.adapters.sources.exports import CHANNEL, THREAD, document, message, read, reply, user, write


def test_partitions(tmp_path: Path) -> None:
    """The parts of a channel are one channel: replies find what they answer in another part, and names of files say nothing."""
    write(tmp_path / "X.json", message(1), message(2))
    write(tmp_path / "X [part 2].json", reply(3, to=1), message(4))
    messages, report = read(tmp_path)
    assert list(messages) == [1, 2, 3, 4]
    assert messages[3].reply_to == 1
    assert {each.channel for each in messages.values()} == {"5"}
    assert (report.files, report.channels) == (2, 1)


def test_broken_files_without_a_tail(tmp_path: Path) -> None:
    """An exporter that was killed leaves half a file: whole messages are read, and the byte is said from which on nothing was."""
    path = write(tmp_path / "a.json", message(1, content="größer 😀"), message(2), message(3))
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"text 3")])
    messages, report = read(path)
    assert list(messages) == [1, 2]
    assert report.dropped == {"rest of a broken file": 1}
    third = whole.rindex(b"{", 0, whole.index(b'"id": "3"'))
    assert report.places["rest of a broken file"] == (f"a.json from byte {third} on, after message 2",)


def test_broken_files_with_a_tail_after_half_a_message(tmp_path: Path) -> None:
    """An exporter that failed inside a message still writes its last lines: what stands before is read."""
    text = json.dumps(document(message(1), message(2)))
    path = tmp_path / "a.json"
    path.write_text(text.replace('"content": "text 2", ', '"content": "text 2", ], "messageCount": 2}')[: text.index('"text 2"') + 40])
    messages, report = read(path)
    assert list(messages) == [1]
    assert report.dropped == {"rest of a broken file": 1}


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """A damaged byte costs a character, and a half emoji too: neither costs the message or the file."""
    path = write(tmp_path / "a.json", message(1, content="caf#"), message(2, content="half %"), message(3))
    path.write_bytes(path.read_bytes().replace(b"#", b"\xe9").replace(b"%", rb"\ud83d"))
    messages, report = read(path)
    assert [each.text for each in messages.values()] == ["caf\ufffd", "half \ufffd", "text 3"]
    assert report.dropped == {}


def test_empty_channels(tmp_path: Path) -> None:
    """A channel in which nobody wrote has a file too: counted, and an error of one sentence if there is nothing else."""
    write(tmp_path / "a.json")
    with pytest.raises(NoMessages, match=r"is an export of an empty channel: export one in which people write\.$"):
        read(tmp_path)
    write(tmp_path / "b.json", message(1))
    _, report = read(tmp_path)
    assert (report.dropped, report.places) == ({"empty channel": 1}, {"empty channel": ("a.json",)})


def test_lossy_reactions(tmp_path: Path) -> None:
    """Lists of reacting users get lost while the count stays: the count is kept, and the report says what cannot be known."""
    raw = message(1, reactions=[{"emoji": {}, "count": 4, "users": []}, {"emoji": {}, "count": 9, "users": [user(8)]}])
    messages, report = read(write(tmp_path / "a.json", raw))
    assert messages[1].reactions == (Reaction(4), Reaction(9, frozenset({"8"})))
    assert report.notes == ("Reactions that do not say who reacted: 1; an author's own cannot be taken off those.",)


def test_filters_drop_the_context(tmp_path: Path) -> None:
    """In a filtered export replies answer what is not there: they are kept, and point to nothing."""
    messages, _ = read(write(tmp_path / "a.json", reply(3, to=1)))
    assert messages[3].reply_to == 1


def test_rewritten_content(tmp_path: Path) -> None:
    """With markdown names stand in the text, without it ids: a person is written `<@id>` either way, the longer name first."""
    people = [user(8, "Bo"), user(9, "Bo Diddley")]
    on = message(1, content="@Bo Diddley meet @Bo :kappa:", mentions=people)
    off = message(2, content="<@9> meet <@!8> <:kappa:77>", mentions=people)
    messages, report = read(write(tmp_path / "a.json", on, off))
    assert messages[1].text == messages[2].text == "<@9> meet <@8> :kappa:"
    assert any("--markdown false" in note for note in report.notes)


def test_system_messages(tmp_path: Path) -> None:
    """Only what people said is kept: kinds with a name and an English text, and kinds that are numbers, are left out."""
    kinds = ["RecipientAdd", "Call", "ChannelPinnedMessage", "GuildMemberJoin", "ThreadCreated", "8", "46", 7, None]
    said = [message(number, type=kind) for number, kind in enumerate(kinds, start=10)]
    messages, report = read(write(tmp_path / "a.json", message(1), *said))
    assert list(messages) == [1]
    assert report.dropped == {"system message": len(kinds)}


def test_replies_only_point(tmp_path: Path) -> None:
    """A reply has an id to look for, in any file, or none if its target was deleted; a forward has one too and is no reply."""
    write(tmp_path / "a.json", reply(4, to=2), reply(5, to=None), message(6, reference={"type": "Forward", "messageId": "2"}))
    write(tmp_path / "b.json", message(2), channel=CHANNEL | {"id": "6"})
    messages, _ = read(tmp_path)
    assert {number: each.reply_to for number, each in messages.items()} == {2: None, 4: 2, 5: None, 6: None}


def test_threads(tmp_path: Path) -> None:
    """A thread's first message answers the message it was opened from, which a starter of kind 21 names."""
    starter = message(50, type="21", content="", reference={"type": "Default", "messageId": "40", "channelId": "5"})
    write(tmp_path / "thread.json", message(52), message(51), starter, channel=THREAD)
    write(tmp_path / "channel.json", message(40), message(60))
    messages, _ = read(tmp_path)
    assert {number: each.reply_to for number, each in messages.items()} == {40: None, 51: 40, 52: None, 60: None}
    assert messages[51].parent == "5"


def test_threads_without_a_starter(tmp_path: Path) -> None:
    """A thread has the id of the message it was opened from: where that is there, it is answered; and no thread answers itself."""
    write(tmp_path / "thread.json", message(51), channel=THREAD)
    write(tmp_path / "channel.json", message(50))
    write(tmp_path / "forum.json", message(70), channel=THREAD | {"id": "70"})
    messages, _ = read(tmp_path)
    assert {number: each.reply_to for number, each in messages.items()} == {50: None, 51: 50, 70: None}


def test_polls(tmp_path: Path) -> None:
    """A poll is exported as a blank message."""
    _, report = read(write(tmp_path / "a.json", message(1), message(2, content="")))
    assert report.dropped == {"empty content": 1}


def test_bots(tmp_path: Path) -> None:
    """Bots are marked and kept: they are context, and a proxy's are a person's words."""
    messages, _ = read(write(tmp_path / "a.json", message(1), message(2, author=user(9, isBot=True))))
    assert [each.is_bot for each in messages.values()] == [False, True]


def test_people_who_left(tmp_path: Path) -> None:
    """A deleted user's messages are a person's like any other."""
    gone = message(1, author=user(456226577798135808, "Deleted User", roles=[]), timestampEdited="2026-01-03T00:00:00+00:00")
    messages, _ = read(write(tmp_path / "a.json", gone))
    assert messages[1].author == "Deleted User"


def test_media_paths(tmp_path: Path) -> None:
    """Paths where addresses were are never opened."""
    attachment = {"id": "1", "url": "../../../etc/passwd", "fileName": "x", "fileSizeBytes": 1}
    messages, report = read(
        write(tmp_path / "a.json", message(1, attachments=[attachment]), message(2, content="", attachments=[attachment]))
    )
    assert list(messages) == [1]
    assert report.dropped == {"no text": 1}


def test_no_intent_to_read_messages(tmp_path: Path) -> None:
    """A bot without the intent exports messages without content: the error says which switch; a mixed export gets a note."""
    blank = [message(number, content="") for number in range(1, 31)]
    write(tmp_path / "a.json", *blank)
    with pytest.raises(NoMessages, match=r"has 30 messages without any content; .*MESSAGE CONTENT intent.* and export again\.$"):
        read(tmp_path)
    write(tmp_path / "b.json", message(99))
    _, report = read(tmp_path)
    assert any("MESSAGE CONTENT intent" in note for note in report.notes)


@pytest.mark.parametrize("names", [("a.json", "b.json"), ("b.json", "a.json")])
def test_overlapping_exports(tmp_path: Path, names: tuple[str, str]) -> None:
    """Merging is idempotent by id; the later export wins, whatever its name and its zone, and a message it lacks stays."""
    later = message(1, reactions=[{"count": 4, "emoji": {}}])
    write(tmp_path / names[0], later, exported_at="2026-03-01T00:30:00+00:00")
    write(tmp_path / names[1], message(1), message(2), exported_at="2026-03-01T01:00:00+02:00")
    messages, report = read(tmp_path)
    assert list(messages) == [1, 2]
    assert messages[1].reactions == (Reaction(4),)
    assert report.dropped == {"seen in another file": 1}
