"""Messages on disk while an import is read: merged by id, in the order of time, with a constant amount of memory.

One pass over the files into a temporary SQLite database, which SQLite deletes by itself, also after a kill. A second pass over the files
would cost their parsing again, which is most of an import; and without an index neither newest-first files nor replies, threads and quotes
across files can be put right. Knows nothing of files and formats.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.sources.errors import NoRoom
from adapters.sources.message import Mention, Message, Reaction
from adapters.sources.record import Record, ThreadStart

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -65536;
PRAGMA temp_store = FILE;
CREATE TABLE messages (
    id INTEGER PRIMARY KEY, exported REAL, channel TEXT, author_id TEXT, author TEXT, text TEXT, at INTEGER, is_bot INTEGER,
    reply_to INTEGER, reactions TEXT, mentions TEXT, parent TEXT, private INTEGER
);
CREATE TABLE starters (channel TEXT PRIMARY KEY, starter INTEGER) WITHOUT ROWID;
CREATE TABLE keys (key TEXT PRIMARY KEY, id INTEGER) WITHOUT ROWID;
CREATE TABLE answers (id INTEGER PRIMARY KEY, key TEXT);
CREATE TABLE quotes (target INTEGER, quoted_by INTEGER, PRIMARY KEY (target, quoted_by)) WITHOUT ROWID;
"""
_UPSERT = """
INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    exported = excluded.exported, channel = excluded.channel, author_id = excluded.author_id, author = excluded.author,
    text = excluded.text, at = excluded.at, is_bot = excluded.is_bot, reply_to = excluded.reply_to, reactions = excluded.reactions,
    mentions = excluded.mentions, parent = excluded.parent, private = excluded.private
WHERE excluded.exported >= exported
"""
_SETTLE = """
UPDATE messages SET reply_to = (SELECT keys.id FROM answers JOIN keys USING (key) WHERE answers.id = messages.id)
    WHERE id IN (SELECT id FROM answers);
UPDATE messages SET reactions = printf('[[%d]]', (SELECT count(*) FROM quotes WHERE target = messages.id))
    WHERE id IN (SELECT target FROM quotes);
"""
# A thread of which no starter was seen is taken to be opened from the message of its own id, where there is one.
_THREADS = """
SELECT coalesce(starter, (SELECT id FROM messages WHERE id = CAST(firsts.channel AS INTEGER))), firsts.id
FROM (SELECT min(id) AS id, channel FROM messages WHERE parent IS NOT NULL GROUP BY channel) AS firsts LEFT JOIN starters USING (channel)
"""
_ATTACH = "UPDATE messages SET reply_to = ?1 WHERE id = ?2 AND reply_to IS NULL AND ?1 < id"
_TOTALS = """
SELECT count(*), count(DISTINCT author_id), count(DISTINCT channel), count(reactions), sum(private), min(at), max(at) FROM messages
"""
_KEEP = """
DROP TABLE starters;
DROP TABLE keys;
DROP TABLE answers;
DROP TABLE quotes;
CREATE INDEX authors ON messages (author_id);
"""
COLUMNS = "id, channel, author_id, author, text, at, is_bot, reply_to, reactions, mentions, parent, private"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BATCH_ROWS, _BATCH_CHARACTERS = 2_000, 2_000_000


@dataclass(frozen=True)
class Totals:
    """The index in numbers; `reacted` and `private` count messages."""

    messages: int
    authors: int
    channels: int
    reacted: int
    private: int
    first: datetime
    last: datetime


class MessageIndex:
    """Add records in any order, settle once, then read as often as wanted. Every method raises NoRoom when the disk is full.

    `database` is a file for it; without one SQLite takes a temporary file, below TMPDIR or /var/tmp.
    """

    def __init__(self, database: str = "") -> None:
        self._rows: list[tuple[Any, ...]] = []
        self._characters = 0
        self.added = 0
        with _room():
            self._db = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
            self._db.executescript(_SCHEMA)

    def add(self, record: Record | ThreadStart) -> None:
        """Take one record. What has the same id is merged."""
        if isinstance(record, ThreadStart):
            with _room():
                self._db.execute("INSERT OR REPLACE INTO starters VALUES (?, ?)", (record.channel, record.starter))
            return
        message = record.message
        self.added += 1
        self._rows.append(_row(message, record.exported))
        self._characters += len(message.text)
        if record.key or record.answers or record.quotes:
            self._relate(record)
        if len(self._rows) >= _BATCH_ROWS or self._characters >= _BATCH_CHARACTERS:
            self._flush()

    def settle(self) -> None:
        """All files are read: link replies by key, count quotes, tie threads to what they were opened from."""
        self._flush()
        with _room():
            self._db.executescript(_SETTLE)
            self._db.executemany(_ATTACH, self._db.execute(_THREADS).fetchall())

    def keep(self) -> None:
        """Leave in the database what a reader of messages wants: the rest is of use only while files are read, and an index on authors."""
        with _room():
            self._db.executescript(_KEEP)

    def __len__(self) -> int:
        with _room():
            return int(self._db.execute("SELECT count(*) FROM messages").fetchone()[0])

    def __iter__(self) -> Iterator[Message]:
        with _room():
            for row in self._db.execute(f"SELECT {COLUMNS} FROM messages ORDER BY id"):  # noqa: S608  # a constant
                yield message_of(*row)

    def find(self, number: int) -> Message | None:
        """The message of this id, if there is one."""
        with _room():
            row = self._db.execute(f"SELECT {COLUMNS} FROM messages WHERE id = ?", (number,)).fetchone()  # noqa: S608  # a constant
        return message_of(*row) if row else None

    def totals(self) -> Totals:
        """Counts over all messages; there must be one."""
        with _room():
            messages, authors, channels, reacted, private, first, last = self._db.execute(_TOTALS).fetchone()
        return Totals(messages, authors, channels, reacted, private, _EPOCH + first * _MICROSECOND, _EPOCH + last * _MICROSECOND)

    def close(self) -> None:
        """Give the disk back. Idempotent."""
        self._db.close()

    def _relate(self, record: Record) -> None:
        number = record.message.id
        with _room():
            if record.key:
                self._db.execute("INSERT OR REPLACE INTO keys VALUES (?, ?)", (record.key, number))
            if record.answers:
                self._db.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (number, record.answers))
            self._db.executemany("INSERT OR IGNORE INTO quotes VALUES (?, ?)", [(target, number) for target in record.quotes])

    def _flush(self) -> None:
        with _room():
            self._db.execute("BEGIN")
            self._db.executemany(_UPSERT, self._rows)
            self._db.execute("COMMIT")
        self._rows.clear()
        self._characters = 0


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as exc:
        sentence = f"The temporary index of the import fails ({exc}): free space, or point TMPDIR to a larger disk."
        raise NoRoom(sentence) from exc


def _row(message: Message, exported: float) -> tuple[Any, ...]:
    reactions = [[each.count, sorted(each.users), sorted(each.bots)] for each in message.reactions]
    return (
        message.id,
        exported,
        message.channel,
        message.author_id,
        message.author,
        message.text,
        (message.at - _EPOCH) // _MICROSECOND,
        message.is_bot,
        message.reply_to,
        json.dumps(reactions) if reactions else None,
        json.dumps([(each.author_id, each.name) for each in message.mentions]) if message.mentions else None,
        message.parent,
        message.private,
    )


def message_of(
    number: int,
    channel: str,
    author_id: str,
    author: str,
    text: str,
    at: int,
    is_bot: int,
    reply_to: int | None,
    reactions: str | None,
    mentions: str | None,
    parent: str | None,
    private: int,
) -> Message:
    """A row of `COLUMNS` as a message."""
    return Message(
        number,
        channel,
        author_id,
        author,
        text,
        _EPOCH + timedelta(microseconds=at),
        bool(is_bot),
        reply_to,
        tuple(Reaction(count, *map(frozenset, people)) for count, *people in json.loads(reactions)) if reactions else (),
        tuple(Mention(*each) for each in json.loads(mentions)) if mentions else (),
        parent,
        bool(private),
    )
