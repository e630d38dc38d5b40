"""Every table of the bot's file, and how an older file becomes a newer one.

`user_version` says how many of `STEPS` a file has seen. A step that was released never changes; the next one mends it. Ids are
Discord's snowflakes, times are Unix seconds.
"""

import sqlite3

STEPS = (
    """
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

    CREATE TABLE links (
        guild INTEGER PRIMARY KEY,
        community TEXT NOT NULL,
        sealed_key BLOB NOT NULL,
        linked_by INTEGER NOT NULL,
        linked_at REAL NOT NULL
    );
    CREATE TABLE guilds (
        guild INTEGER PRIMARY KEY,
        settings TEXT NOT NULL
    );
    CREATE TABLE channels (
        channel INTEGER PRIMARY KEY,
        guild INTEGER NOT NULL,
        settings TEXT NOT NULL
    );
    CREATE INDEX channels_by_guild ON channels (guild);

    CREATE TABLE handled (
        message INTEGER PRIMARY KEY,
        guild INTEGER NOT NULL,
        channel INTEGER NOT NULL,
        author INTEGER NOT NULL,
        begun_at REAL NOT NULL,
        stage TEXT NOT NULL,
        notice INTEGER,
        shown INTEGER
    );
    CREATE INDEX handled_by_stage ON handled (stage, begun_at);
    CREATE UNIQUE INDEX handled_by_notice ON handled (notice) WHERE notice IS NOT NULL;

    CREATE TABLE answers (
        message INTEGER NOT NULL,
        take INTEGER NOT NULL,
        guild INTEGER NOT NULL,
        channel INTEGER NOT NULL,
        asker INTEGER NOT NULL,
        adapter TEXT,
        context_hash TEXT NOT NULL,
        request_id TEXT,
        seconds REAL NOT NULL,
        queue_seconds REAL,
        wake_seconds REAL,
        made_at REAL NOT NULL,
        sent_at REAL,
        changed_at REAL,
        reported_at REAL,
        PRIMARY KEY (message, take)
    ) WITHOUT ROWID;
    CREATE INDEX answers_by_channel ON answers (channel, made_at);
    CREATE INDEX answers_by_change ON answers (guild, changed_at) WHERE changed_at IS NOT NULL;

    CREATE TABLE parts (
        message INTEGER NOT NULL,
        take INTEGER NOT NULL,
        number INTEGER NOT NULL,
        text TEXT NOT NULL,
        sent INTEGER,
        PRIMARY KEY (message, take, number)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX parts_by_sent ON parts (sent) WHERE sent IS NOT NULL;

    CREATE TABLE words (
        message INTEGER NOT NULL,
        take INTEGER NOT NULL,
        context TEXT NOT NULL,
        reply TEXT NOT NULL,
        PRIMARY KEY (message, take)
    ) WITHOUT ROWID;
    CREATE TABLE word_people (
        person INTEGER NOT NULL,
        message INTEGER NOT NULL,
        take INTEGER NOT NULL,
        PRIMARY KEY (person, message, take)
    ) WITHOUT ROWID;

    CREATE TABLE reactions (
        sent INTEGER NOT NULL,
        emoji TEXT NOT NULL,
        person INTEGER NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (sent, emoji, person)
    ) WITHOUT ROWID;
    CREATE INDEX reactions_by_person ON reactions (person);

    CREATE TABLE opted_out (person INTEGER PRIMARY KEY, at REAL NOT NULL, forget INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE consent_told (
        guild INTEGER NOT NULL,
        person INTEGER NOT NULL,
        forget INTEGER NOT NULL,
        PRIMARY KEY (guild, person)
    ) WITHOUT ROWID;

    CREATE TABLE votes (
        message INTEGER NOT NULL,
        person INTEGER NOT NULL,
        guild INTEGER NOT NULL,
        chosen TEXT NOT NULL,
        other TEXT NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (message, person)
    ) WITHOUT ROWID;
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file up to date, each step whole or not at all. Raises sqlite3.Error, or NewerFile."""
    (seen,) = connection.execute("PRAGMA user_version").fetchone()
    if seen > len(STEPS):
        raise NewerFile
    for number, step in enumerate(STEPS[seen:], start=seen + 1):
        connection.executescript(f"BEGIN IMMEDIATE;\n{step}\nPRAGMA user_version = {number};\nCOMMIT;")


class NewerFile(Exception):
    """A younger Troupe wrote the file."""
