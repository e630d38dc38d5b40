"""Which messages the bot took upon itself, and how far it came with each. The one reason why nothing is answered twice."""

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from clients.discord_bot.store.file import StateFile


class Stage(StrEnum):
    BEGUN = "begun"
    """Nothing is known of an answer yet."""
    ANSWERED = "answered"
    """The answer is kept, and some of it may not be sent yet."""
    SENT = "sent"
    DROPPED = "dropped"
    """There will be no answer: the message is gone, or too old, or the bot may not speak there."""


@dataclass(frozen=True)
class Handled:
    message: int
    guild: int
    channel: int
    author: int
    begun_at: float
    stage: Stage = Stage.BEGUN
    notice: int | None = None
    """The message in which the bot said that its answer will take a while, if it did."""
    shown: int | None = None
    """The message in which the answer is shown while it is made, if it is."""


class HandledMessages:
    def __init__(self, file: StateFile) -> None:
        self._file = file

    async def begin(self, handled: Handled) -> bool:
        """True for the first who asks, ever: only that one may answer the message."""
        values = (handled.message, handled.guild, handled.channel, handled.author, handled.begun_at, handled.stage.value)
        statement = "INSERT OR IGNORE INTO handled (message, guild, channel, author, begun_at, stage) VALUES (?, ?, ?, ?, ?, ?)"
        return await self._file.do(lambda db: db.execute(statement, values).rowcount == 1)

    async def of(self, message: int) -> Handled | None:
        row = await self._file.do(lambda db: db.execute("SELECT * FROM handled WHERE message = ?", (message,)).fetchone())
        return _handled(row) if row else None

    async def unfinished(self) -> list[Handled]:
        """Begun or answered and not sent, the oldest first."""
        statement = "SELECT * FROM handled WHERE stage IN (?, ?) ORDER BY begun_at, message"
        rows = await self._file.do(lambda db: db.execute(statement, (Stage.BEGUN, Stage.ANSWERED)).fetchall())
        return [_handled(row) for row in rows]

    async def drop(self, message: int) -> None:
        """There will be no answer any more. One that is sent stays sent; what was not sent of it is forgotten."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("UPDATE handled SET stage = ? WHERE message = ? AND stage != ?", (Stage.DROPPED, message, Stage.SENT))
            db.execute("DELETE FROM parts WHERE message = ? AND sent IS NULL", (message,))

        await self._file.do(work)

    async def noticed(self, message: int, notice: int) -> None:
        """The bot said, in the message `notice`, that the answer will take a while."""
        await self._file.do(lambda db: db.execute("UPDATE handled SET notice = ? WHERE message = ?", (notice, message)))

    async def showing(self, message: int, shown: int) -> None:
        """The answer grows in the message `shown`."""
        await self._file.do(lambda db: db.execute("UPDATE handled SET shown = ? WHERE message = ?", (shown, message)))

    async def notices_among(self, messages: list[int]) -> frozenset[int]:
        """Those of `messages` that are such notices: they are nobody's voice."""
        marks = ", ".join("?" * len(messages))
        statement = f"SELECT notice FROM handled WHERE notice IN ({marks})"  # noqa: S608 - question marks
        return frozenset(row[0] for row in await self._file.do(lambda db: db.execute(statement, messages).fetchall()))


def _handled(row: tuple[int, int, int, int, float, str, int | None, int | None]) -> Handled:
    message, guild, channel, author, begun_at, stage, notice, shown = row
    return Handled(message, guild, channel, author, begun_at, Stage(stage), notice, shown)
