"""The messages of one import in its SQLite file: read in order, found by id, and taken out for good. Knows no other import."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.sources.index import COLUMNS, message_of
from adapters.sources.message import Message
from adapters.workspace.errors import Broken, DiskFull

Keep = Callable[[str], bool]
"""author id → whether that person may stay."""

_PEOPLE = "SELECT id, text, reactions, mentions FROM messages WHERE reactions IS NOT NULL OR mentions IS NOT NULL OR instr(text, '<@') > 0"
SOMEONE = "@someone"
"""What stands in a text where somebody was mentioned who wants to be forgotten."""


@dataclass(frozen=True)
class Traces:
    """What is left of people in an import: messages they wrote, and others' messages that mention them or that they reacted to."""

    messages: int = 0
    mentions: int = 0
    reactions: int = 0

    def __add__(self, other: "Traces") -> "Traces":
        return Traces(self.messages + other.messages, self.mentions + other.mentions, self.reactions + other.reactions)

    def __bool__(self) -> bool:
        return bool(self.messages or self.mentions or self.reactions)


class StoredMessages:
    """A settled index, read only. Iterable as often as wanted, by growing id. Close it, or use it in a `with`. Raises Broken."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._sentences():
            self._db = sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True, check_same_thread=False)
            self._size = int(self._db.execute("SELECT count(*) FROM messages").fetchone()[0])

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Message]:
        with self._sentences():
            for row in self._db.execute(f"SELECT {COLUMNS} FROM messages ORDER BY id"):  # noqa: S608  # a constant
                yield message_of(*row)

    def find(self, number: int) -> Message | None:
        """The message of this id, if there is one."""
        with self._sentences():
            row = self._db.execute(f"SELECT {COLUMNS} FROM messages WHERE id = ?", (number,)).fetchone()  # noqa: S608  # a constant
        return message_of(*row) if row else None

    def ids(self) -> Iterator[int]:
        """Of all messages, growing."""
        with self._sentences():
            for (number,) in self._db.execute("SELECT id FROM messages ORDER BY id"):
                yield number

    def ends(self) -> list[Message]:
        """The first message and the last; none where there are none."""
        with self._sentences():
            found = self._db.execute("SELECT min(id), max(id) FROM messages").fetchone()
        return [message for message in map(self.find, found) if message is not None] if len(self) else []

    def display_names(self) -> set[str]:
        """Of everybody who wrote or was mentioned."""
        with self._sentences():
            names = {name for (name,) in self._db.execute("SELECT DISTINCT author FROM messages")}
            for (mentions,) in self._db.execute("SELECT DISTINCT mentions FROM messages WHERE mentions IS NOT NULL"):
                names |= {name for _, name in json.loads(mentions)}
        return names

    def written_by(self, author_id: str) -> int:
        """How many messages this author wrote: one look into an index."""
        with self._sentences():
            return int(self._db.execute("SELECT count(*) FROM messages WHERE author_id = ?", (author_id,)).fetchone()[0])

    def traces(self, author_id: str) -> Traces:
        """All that is left of a person, by a whole scan."""
        mentions = reactions = 0
        with self._sentences():
            for _, text, held_reactions, held_mentions in self._db.execute(_PEOPLE):
                mentions += f"<@{author_id}>" in text or any(person == author_id for person, _ in json.loads(held_mentions or "[]"))
                reactions += any(author_id in ids for _, *people in json.loads(held_reactions or "[]") for ids in people)
        return Traces(self.written_by(author_id), mentions, reactions)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> "StoredMessages":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            raise Broken(f"The import in {self._path.parent} cannot be read ({exc}): remove that folder and import it again.") from exc


def qualify(path: Path, prefix: str) -> None:
    """Put `prefix` before every author id in the file at `path`, as ids of several networks could be the same. Raises DiskFull."""
    with _writing(path) as db:
        db.execute("UPDATE messages SET author_id = ? || author_id", (prefix,))


def take_out(path: Path, keep: Keep | None, *, private: bool = True) -> Traces:
    """Leave nothing in the file at `path` of people who may not stay (None: all may); without `private`, no private message either.

    Not one transaction: for a copy that takes the place of the file when all is done. Raises DiskFull or Broken.
    """
    with _writing(path) as db:
        found = Traces(db.execute("DELETE FROM messages WHERE private").rowcount if not private else 0)
        if keep is not None:
            found += _take_messages(db, keep) + _take_traces(db, keep)
        if found:
            db.execute("VACUUM")
    return found


@contextmanager
def _writing(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY")
            yield db
    except sqlite3.OperationalError as exc:
        raise DiskFull(f"There is no room left at {path.parent} ({exc}): free some, or set TROUPE_HOME to a larger disk.") from exc
    except (sqlite3.Error, ValueError, TypeError) as exc:
        raise Broken(f"The import in {path.parent} is damaged ({exc}): remove that folder and import it again.") from exc


def _take_messages(db: sqlite3.Connection, keep: Keep) -> Traces:
    authors = [author for (author,) in db.execute("SELECT DISTINCT author_id FROM messages")]
    gone = [(author,) for author in authors if not keep(author)]
    return Traces(db.executemany("DELETE FROM messages WHERE author_id = ?", gone).rowcount if gone else 0)


def _take_traces(db: sqlite3.Connection, keep: Keep) -> Traces:
    """Mentions and reactions, in what others wrote."""
    changes: list[tuple[Any, ...]] = []
    mentions = reactions = 0
    known: dict[str, bool] = {}

    def stays(person: str) -> bool:
        if person not in known:
            known[person] = keep(person)
        return known[person]

    for number, text, held_reactions, held_mentions in db.execute(_PEOPLE):
        people = json.loads(held_mentions or "[]")
        staying = [each for each in people if stays(each[0])]
        cleaned = _without_mentions(text, stays)
        rewards = json.loads(held_reactions or "[]")
        left = [reaction for reaction in (_without(each, stays) for each in rewards) if reaction[0] > 0]
        if cleaned != text or staying != people or left != rewards:
            mentions += cleaned != text or staying != people
            reactions += left != rewards
            changes.append((cleaned, json.dumps(left) if left else None, json.dumps(staying) if staying else None, number))
    db.executemany("UPDATE messages SET text = ?, reactions = ?, mentions = ? WHERE id = ?", changes)
    return Traces(0, mentions, reactions)


def _without(reaction: list[Any], stays: Keep) -> list[Any]:
    """A reaction as it would be had those who go not reacted."""
    count, *people = reaction
    left = [[person for person in ids if stays(person)] for ids in people]
    return [count - sum(len(ids) for ids in people) + sum(len(ids) for ids in left), *left]


def _without_mentions(text: str, stays: Keep) -> str:
    pieces = text.split("<@")
    cleaned = [pieces[0]]
    for piece in pieces[1:]:
        person, end, rest = piece.partition(">")
        cleaned.append(f"<@{piece}" if not end or stays(person.removeprefix("!")) else f"{SOMEONE}{rest}")
    return "".join(cleaned)


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
