import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sources.errors import NoMessages, NoRoom, NotAnExport, NothingThere, SourceError, Unreadable
from adapters.sources.index import MessageIndex
from adapters.sources.sniff import Kind
from adapters.sources.source import open_source
from tests.adapters.sources.exports import document, message, read, reply, user, write


@pytest.mark.parametrize(
    ("content", "error", "sentence"),
    [
        (b"", NotAnExport, r"it is empty"),
        (b"not json", NotAnExport, r"not an export\): export again .* JSON"),
        (b"<!DOCTYPE html><html></html>", NotAnExport, r"it is HTML\): export again .* JSON"),
        (b"AuthorID,Author,Date,Content,Attachments,Reactions\n", NotAnExport, r"it is CSV\): export again .* JSON"),
        (b"==============\nGuild: x\n", NotAnExport, r"it is plain text\): export again .* JSON"),
        ('{"guild": {}}'.encode("utf-16"), NotAnExport, r"it is UTF-16 text\): save it as UTF-8"),
        (b"\x1f\x8b\x08\x00", NotAnExport, r"gzip\): unpack it first"),
        (b'{"answer": 42}', NotAnExport, r"unknown shape\)"),
        (b'{"messages": []}', NotAnExport, r"unknown shape\)"),
        (b"[" * 200_000, NotAnExport, r"unknown shape\)"),
        (b'{"guild": {}, "channel": {"id": "5"}, "messages": [' + b'{"a": [' * 100_000, NoMessages, r"rest of a broken file: 1"),
        (b'{"guild": {}, "messages": null}', NoMessages, r"malformed: 1"),
        (b"PK\x03\x04 and no more", Unreadable, r"damaged .*: unpack it yourself"),
    ],
)
def test_what_is_no_export_is_one_sentence(tmp_path: Path, content: bytes, error: type[SourceError], sentence: str) -> None:
    """An unusable file says what it is and what to do, and names the path; never a traceback of something inside."""
    path = tmp_path / "export.json"
    path.write_bytes(content)
    with pytest.raises(error, match=rf"export\.json .*{sentence}.*\.$"):
        open_source(path).read()


def test_nothing_at_the_path(tmp_path: Path) -> None:
    """A path that is not there, and a folder without files, say so."""
    for path in (tmp_path / "gone.json", tmp_path):
        with pytest.raises(NothingThere, match=r"give the path of an export\.$"):
            open_source(path)


def test_names_are_not_trusted(tmp_path: Path) -> None:
    """An export is one whatever it is called; what is called one and is none is counted beside it."""
    write(tmp_path / "chat.html", message(1)).rename(tmp_path / "chat.html")
    (tmp_path / "page.json").write_text("<html></html>")
    messages, report = read(tmp_path)
    assert list(messages) == [1]
    assert report.dropped == {"file that is HTML": 1}
    assert report.places == {"file that is HTML": ("page.json",)}


def test_an_export_that_lost_its_preamble(tmp_path: Path) -> None:
    """Messages that went through another tool are known by their own shape; the file is their channel."""
    path = tmp_path / "filtered.json"
    path.write_text(json.dumps({"messages": [message(1)]}))
    assert read(path)[0][1].channel == "filtered.json"


def test_several_kinds_are_not_mixed(tmp_path: Path) -> None:
    """Numbers of one kind mean nothing in another: two kinds in one folder are refused, with a file of each."""
    write(tmp_path / "a.json", message(1))
    (tmp_path / "b.jsonl").write_text('{"author": "ann", "text": "hi"}\n')
    with pytest.raises(
        NotAnExport, match=r"DiscordChatExporter JSON \(a\.json\) and JSONL chat \(b\.jsonl\): import them one after another\.$"
    ):
        open_source(tmp_path)


def test_a_zip_is_read_like_the_folder_it_was_made_from(tmp_path: Path) -> None:
    """The same messages and the same report, folders inside included; nothing is unpacked beside it."""
    folder = tmp_path / "export"
    (folder / "deep").mkdir(parents=True)
    write(folder / "a.json", message(1), message(2))
    write(folder / "deep" / "b.json", message(2), message(3, content=""))
    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for file in sorted(folder.rglob("*.json")):
            out.write(file, f"../{file.relative_to(folder)}")
    (messages, report), (zipped, zip_report) = read(folder), read(archive)
    assert zipped == messages
    assert (zip_report.dropped, zip_report.bytes) == (report.dropped, report.bytes)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["export", "export.zip"]


def test_a_damaged_zip_gives_what_can_be_read(tmp_path: Path) -> None:
    """One member that fails its check is counted; the others are read."""
    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as out:
        out.writestr("a.json", json.dumps(document(*(message(number) for number in range(1, 2000)))))
        out.writestr("b.json", json.dumps(document(message(5000))))
    data = bytearray(archive.read_bytes())
    data[data.index(b"text 1900")] = ord("T")
    archive.write_bytes(data)
    messages, report = read(archive)
    assert 5000 in messages
    assert report.dropped == {"rest of a file that cannot be read": 1}


def test_a_zip_bomb_is_not_opened(tmp_path: Path) -> None:
    """A member that claims to unpack to hundreds of times its size is refused before a byte of it is read."""
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out, out.open("a.json", "w") as member:
        for _ in range(110):
            member.write(b" " * 1_000_000)
    with pytest.raises(Unreadable, match=r"a\.json unpacks to 0\.1 GB, as no export does: .*\.$"):
        open_source(archive)


def test_an_encrypted_zip_says_so(tmp_path: Path) -> None:
    """Nobody is asked for a password: the sentence says to unpack it."""
    archive = tmp_path / "locked.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("a.json", json.dumps(document(message(1))))
    data = bytearray(archive.read_bytes())
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(header) + flags] |= 1
    archive.write_bytes(data)
    with pytest.raises(Unreadable, match=r"a\.json is encrypted: unpack it and import the folder\.$"):
        open_source(archive)


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A link in a folder leads nowhere: an import reads what it was given."""
    outside = write(tmp_path / "outside.json", message(2))
    folder = tmp_path / "export"
    folder.mkdir()
    write(folder / "a.json", message(1))
    (folder / "b.json").symlink_to(outside)
    assert list(read(folder)[0]) == [1]


def test_progress_grows_to_the_whole(tmp_path: Path) -> None:
    """Bytes done never shrink and end at the total, which is known from the start."""
    for part in range(3):
        write(tmp_path / f"{part}.json", *(message(part * 1000 + number) for number in range(1, 800)))
    seen: list[tuple[int, int]] = []
    with open_source(tmp_path).read(lambda done, total: seen.append((done, total))) as reading:
        assert len(reading) == 3 * 799
    total = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert {each for _, each in seen} == {total}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert (seen[0][0], seen[-1][0], len(seen) > 5) == (0, total, True)


def test_a_message_of_ten_megabytes(tmp_path: Path) -> None:
    """It is left out and counted, with its place, and the messages around it are read."""
    messages, report = read(write(tmp_path / "a.json", message(1), message(2, content="x" * 10_000_000), message(3)))
    assert list(messages) == [1, 3]
    assert report.dropped == {"longer than any chat message": 1}
    assert report.places["longer than any chat message"][0].endswith("of a.json (10000000 characters)")


@pytest.mark.parametrize(
    "forged", ["", "0", "-7", "7 ", " 7", "７", "1_000", "1e3", "../7", "9" * 400, "99999999999999999999", None, 1.5, True, ["7"]]
)
def test_forged_author_ids(tmp_path: Path, forged: Any) -> None:
    """An author's id that Discord cannot have given would slip through every list of authors: the message is left out."""
    messages, report = read(write(tmp_path / "a.json", message(1), message(2, author=user(7) | {"id": forged})))
    assert list(messages) == [1]
    assert report.dropped == {"author id that Discord never gives": 1}


@pytest.mark.parametrize("forged", ["0", "-1", "x", None, "9" * 30, str(2**63), {}])
def test_forged_message_ids(tmp_path: Path, forged: Any) -> None:
    """A message without an id that can be ordered is malformed."""
    messages, report = read(write(tmp_path / "a.json", message(1), message(2) | {"id": forged}))
    assert (list(messages), report.dropped) == ([1], {"malformed": 1})


@pytest.mark.parametrize(
    "raw",
    [None, 5, [], {}, message(1, author=None), message(1, author=[]), message(1, content=5)],
)
def test_malformed_messages(tmp_path: Path, raw: Any) -> None:
    """What has not the shape of a message is counted, and nothing else is lost."""
    messages, report = read(write(tmp_path / "a.json", raw, message(9)))
    assert list(messages) == [9]
    assert sum(report.dropped.values()) == 1


def test_malformed_parts_do_not_cost_the_message(tmp_path: Path) -> None:
    """Reactions, mentions, times and references that make no sense are passed over; the id knows the time."""
    reactions = [None, {}, {"count": -1}, {"count": True}, {"count": "3"}, {"count": 2, "users": [None, {"id": "x"}, user(8)]}]
    raw = message(
        1420070400000 << 22,
        type="Reply",
        reactions=reactions,
        mentions=[{}, 3],
        timestamp="yesterday",
        reference={"messageId": "nowhere"},
    )
    messages, report = read(write(tmp_path / "a.json", raw))
    (said,) = messages.values()
    assert [(each.count, sorted(each.users)) for each in said.reactions] == [(2, ["8"])]
    assert (said.reply_to, said.mentions, said.at.year) == (None, (), 2060)
    assert report.dropped == {}


@pytest.mark.parametrize(
    "timestamp", ["0001-01-01T00:00:00+14:00", "1999-01-01T00:00:00+00:00", "9999-12-31T23:59:59-14:00", "2026-01-02", 5, None]
)
def test_times_that_discord_never_gives(tmp_path: Path, timestamp: Any) -> None:
    """Discord began in 2015, and a message's id holds its time to the millisecond: that is taken instead."""
    messages, _ = read(write(tmp_path / "a.json", message(86_400_000 << 22, timestamp=timestamp)))
    assert [each.at.isoformat() for each in messages.values()] == ["2015-01-02T00:00:00+00:00"]


def test_no_reactions_at_all(tmp_path: Path) -> None:
    """An export in which nobody reacted is read, with a sentence that nothing in it tells what people liked."""
    _, report = read(write(tmp_path / "a.json", message(1), message(2)))
    assert report.notes == ("No message has a reaction, a score or a quote: nothing tells which ones people liked.",)


def test_the_report_is_json(tmp_path: Path) -> None:
    """Everything a report knows can be written down: what, how many, from when to when, and why not."""
    private = write(tmp_path / "a.json", message(1), message(2, type="8"), channel={"id": "5", "type": "DirectTextChat"})
    messages, report = read(private)
    assert messages[1].private
    written = json.loads(json.dumps(report.to_json()))
    assert written["kind"] == Kind.DISCORD.value
    assert (written["messages"], written["authors"], written["channels"], written["files"]) == (1, 1, 1, 1)
    assert written["first"] == written["last"] == "2026-01-02T03:04:05+00:00"
    assert written["dropped"] == {"system message": 1}
    assert written["places"]["system message"][0].startswith("message 2 at byte ")
    assert "Messages from direct messages, groups or private threads: 1." in written["notes"]


def test_a_reading_can_be_gone_through_twice_and_searched(tmp_path: Path) -> None:
    """Iterating again starts anew; a message can be looked up by its id."""
    with open_source(write(tmp_path / "a.json", message(2), message(1))).read() as reading:
        assert [each.id for each in reading] == [each.id for each in reading] == [1, 2]
        found = reading.find(2)
        assert found is not None
        assert found.text == "text 2"
        assert reading.find(3) is None


@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=6), st.booleans())
def test_damage_anywhere_is_a_sentence_or_a_count(
    tmp_path_factory: pytest.TempPathFactory, place: int, damage: bytes, packed: bool
) -> None:
    """Whatever bytes of a file or a zip are wrong, what comes out is messages with a report, or a SourceError."""
    path = tmp_path_factory.mktemp("damage") / "export"
    data = json.dumps(document(*(reply(number, to=1, reactions=[{"count": 1}]) for number in range(1, 30)))).encode()
    if packed:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
            out.writestr("a.json", data)
        data = path.read_bytes()
    at = place % len(data)
    path.write_bytes(data[:at] + damage + data[at + len(damage) :])
    try:
        messages, report = read(path)
    except SourceError as exc:
        assert str(exc).endswith(".")  # noqa: PT017  # either is right
    else:
        assert len(messages) == report.messages > 0


def test_memory_does_not_grow_with_the_export(tmp_path: Path) -> None:
    """Three times the messages take the same memory, disk aside."""
    peaks = []
    for count in (3_000, 9_000):
        path = write(tmp_path / f"{count}.json", *(message(number, content="word " * 40) for number in range(1, count)))
        tracemalloc.start()
        with open_source(path).read() as reading:
            assert sum(1 for _ in reading) == count - 1
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_no_room_for_the_index(tmp_path: Path) -> None:
    """A temporary file that cannot be made is one sentence that says where to look."""
    with pytest.raises(NoRoom, match=r"free space, or point TMPDIR to a larger disk\.$"):
        MessageIndex(str(tmp_path / "gone" / "index.db"))
