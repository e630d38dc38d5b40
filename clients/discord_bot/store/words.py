"""What was said, for communities that want to learn from it. Kept only where the guild switched that on, and as long as its answer is: what
is told without words takes them back."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from clients.feedback import SaidTurn


@dataclass(frozen=True)
class Words:
    context: Sequence[SaidTurn]
    reply: str
    people: frozenset[int]
    """Everybody who speaks in the context or is mentioned there."""


def keep_words(db: sqlite3.Connection, message: int, take: int, words: Words) -> None:
    """Not where somebody in them opted out, whoever decided what when."""
    marks = ", ".join("?" * len(words.people))
    if db.execute(f"SELECT 1 FROM opted_out WHERE person IN ({marks})", tuple(words.people)).fetchone():  # noqa: S608 - question marks
        return
    context = json.dumps([turn.to_json() for turn in words.context])
    db.execute("INSERT OR REPLACE INTO words VALUES (?, ?, ?, ?)", (message, take, context, words.reply))
    db.executemany("INSERT OR IGNORE INTO word_people VALUES (?, ?, ?)", [(person, message, take) for person in sorted(words.people)])


def words_of(db: sqlite3.Connection, message: int, take: int) -> Words | None:
    row = db.execute("SELECT context, reply FROM words WHERE message = ? AND take = ?", (message, take)).fetchone()
    if row is None:
        return None
    people = db.execute("SELECT person FROM word_people WHERE message = ? AND take = ?", (message, take)).fetchall()
    turns = [SaidTurn(**turn) for turn in json.loads(row[0])]
    return Words(turns, row[1], frozenset(person for (person,) in people))


def forget_words_in(db: sqlite3.Connection, guild: int, at: float) -> None:
    """Every conversation of a guild. Answers that are out changed by it, so that the gateway is told of them without words, too."""
    of_guild = "(message, take) IN (SELECT message, take FROM words JOIN answers USING (message, take) WHERE guild = ?)"
    db.execute(f"UPDATE answers SET changed_at = ? WHERE changed_at IS NOT NULL AND {of_guild}", (at, guild))  # noqa: S608
    db.execute(f"DELETE FROM word_people WHERE {of_guild}", (guild,))  # noqa: S608
    db.execute(f"DELETE FROM words WHERE {of_guild}", (guild,))  # noqa: S608


def forget_words_of(db: sqlite3.Connection, person: int) -> None:
    """Every conversation that they took part in, whole: without them the rest says what they said."""
    theirs = db.execute("SELECT message, take FROM word_people WHERE person = ?", (person,)).fetchall()
    db.executemany("DELETE FROM words WHERE message = ? AND take = ?", theirs)
    db.executemany("DELETE FROM word_people WHERE message = ? AND take = ?", theirs)
