"""Reads the data package that Discord sends to a user who asks for it: the user's own messages, without reactions and replies.

Every channel has a folder with its messages (JSON; CSV in older packages) and a description beside them; the account has a file of its
own. Upper and lower case of the names differ between packages. What cannot be told of a channel is taken to be private.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from adapters.sources.discord import snowflake, time_of
from adapters.sources.files import CHUNK, SourceFile
from adapters.sources.json_stream import Broken, elements
from adapters.sources.message import Message
from adapters.sources.record import MAX_TEXT, Record, ThreadStart, clean
from adapters.sources.report import EMPTY_CONTENT, Tally

_MAX_DESCRIPTION = 4_000_000
# By number and by name, as packages of different years have them.
_PUBLIC = frozenset({"0", "2", "5", "10", "11", "13", "15"}) | {
    "GUILD_TEXT", "GUILD_VOICE", "GUILD_ANNOUNCEMENT", "ANNOUNCEMENT_THREAD", "PUBLIC_THREAD", "GUILD_STAGE_VOICE", "GUILD_FORUM",
}  # fmt: skip


@dataclass(frozen=True)
class _Channel:
    id: str
    private: bool


class PackageReader:
    """Reads the message files of one package, whose `files` are all of its files."""

    def __init__(self, files: Iterable[SourceFile]) -> None:
        self._files = {each.name.lower(): each for each in files}
        account = next((each for name, each in self._files.items() if f"/{name}".endswith("/account/user.json")), None)
        user = _object(account)
        self._author_id = str(snowflake(user.get("id")) or "me")
        self._author = clean(str(user.get("global_name") or user.get("username") or "me"))[:100]

    def __call__(self, name: str, stream: IO[bytes], tally: Tally) -> Iterator[Record | ThreadStart]:
        """All messages with text. Raises Unreadable."""
        channel = self._channel(name)
        for place, raw in _rows(name, stream, tally):
            message = self._message(raw, channel, tally, place)
            if message is not None:
                yield Record(message)

    def _channel(self, name: str) -> _Channel:
        folder, _, _ = name.rpartition("/")
        described = _object(self._files.get(f"{folder}/channel.json".lstrip("/").lower()))
        number = snowflake(described.get("id")) or snowflake(folder.rpartition("/")[2].lstrip("cC"))
        return _Channel(str(number or folder or name), str(described.get("type")) not in _PUBLIC)

    def _message(self, raw: object, channel: _Channel, tally: Tally, place: str) -> Message | None:
        number = snowflake(raw.get("ID")) if isinstance(raw, dict) else None
        text = raw.get("Contents") or "" if isinstance(raw, dict) else ""
        if not isinstance(raw, dict) or number is None or not isinstance(text, str):
            tally.drop("malformed", place)
            return None
        if not text.strip():
            tally.drop("no text" if raw.get("Attachments") else EMPTY_CONTENT, place)
            return None
        if len(text) > MAX_TEXT:
            tally.drop("longer than any chat message", place)
            return None
        at = time_of(raw.get("Timestamp"), number)
        return Message(number, channel.id, self._author_id, self._author, clean(text), at, private=channel.private)


def _object(file: SourceFile | None) -> Mapping[str, Any]:
    """A small JSON file's object; empty if there is none."""
    if file is None or file.size > _MAX_DESCRIPTION:
        return {}
    with file.open() as stream:
        try:
            value = json.loads(stream.read(_MAX_DESCRIPTION))
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def _rows(name: str, stream: IO[bytes], tally: Tally) -> Iterator[tuple[str, object]]:
    """(place, raw message)"""
    start = stream.read(CHUNK).lstrip()[:1]
    stream.seek(0)
    try:
        if start == b"[":
            for entry in elements(stream):
                yield f"byte {entry.offset} of {name}", entry.value
        else:
            text = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="")
            yield from _csv_rows(name, csv.DictReader(text, skipinitialspace=True), tally)
    except Broken as exc:
        tally.drop("rest of a broken file", f"{name} from byte {exc.offset} on")


def _csv_rows(name: str, rows: "csv.DictReader[str]", tally: Tally) -> Iterator[tuple[str, object]]:
    while True:
        try:
            row = next(rows, None)
        except csv.Error as exc:  # a field beyond the module's bound; the next line can be read
            tally.drop("malformed", f"line {rows.line_num} of {name}: {exc}")
            continue
        if row is None:
            return
        yield f"message {row.get('ID')!s:.20} in {name}", row
