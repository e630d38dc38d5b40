"""What was said, for communities that want to learn from it. Kept only where the guild switched that on, until it is told or taken back."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.conversation import Turn


@dataclass(frozen=True)
class Words:
    context: Sequence[Turn]
    reply: str
    authors: frozenset[int]
    """Everybody whose words stand in the context."""


def keep_words(db: sqlite3.Connection, message: int, take: int, words: Words) -> None:
    """Not where somebody in them opted out, whoever decided what when."""
    marks = ", ".join("?" * len(words.authors))
    if db.execute(f"SELECT 1 FROM opted_out WHERE person IN ({marks})", tuple(words.authors)).fetchone():  # noqa: S608 - question marks
        return
    turns = [[turn.author, turn.text, turn.is_self] for turn in words.context]
    db.execute("INSERT OR REPLACE INTO words VALUES (?, ?, ?, ?)", (message, take, json.dumps(turns), words.reply))
    db.executemany("INSERT OR IGNORE INTO word_authors VALUES (?, ?, ?)", [(person, message, take) for person in sorted(words.authors)])


def words_of(db: sqlite3.Connection, message: int, take: int) -> Words | None:
    row = db.execute("SELECT context, reply FROM words WHERE message = ? AND take = ?", (message, take)).fetchone()
    if row is None:
        return None
    people = db.execute("SELECT person FROM word_authors WHERE message = ? AND take = ?", (message, take)).fetchall()
    turns = [Turn(author, text, is_self) for author, text, is_self in json.loads(row[0])]
    return Words(turns, row[1], frozenset(person for (person,) in people))


def forget_words_of(db: sqlite3.Connection, person: int) -> None:
    """Every conversation that they took part in, whole: without them the rest says what they said."""
    theirs = db.execute("SELECT message, take FROM word_authors WHERE person = ?", (person,)).fetchall()
    db.executemany("DELETE FROM words WHERE message = ? AND take = ?", theirs)
    db.executemany("DELETE FROM word_authors WHERE message = ? AND take = ?", theirs)
