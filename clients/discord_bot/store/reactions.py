"""Which reactions stand under the bot's answers now. A state and no history: what is taken back is gone."""

import sqlite3

from clients.discord_bot.store.file import StateFile

LATER = "max(?, coalesce(changed_at, 0) + 0.001)"
"""When an answer changed: later than before, also where the clock was put back, or nobody would be told of it."""


class Reactions:
    def __init__(self, file: StateFile) -> None:
        self._file = file

    async def add(self, sent: int, emoji: str, person: int, at: float, *, own: bool = False) -> bool:
        """False where it counts for nothing yet: the message is no answer of the bot's, or the person opted out. `own`: the message is the
        bot's, and may become one: it grows still, or the bot has not heard that it arrived."""

        def work(db: sqlite3.Connection) -> bool:
            if db.execute("SELECT 1 FROM opted_out WHERE person = ?", (person,)).fetchone():
                return False
            counts = _changed(db, sent, at)
            if counts or own:
                db.execute("INSERT OR IGNORE INTO reactions VALUES (?, ?, ?, ?)", (sent, emoji, person, at))
            return counts

        return await self._file.do(work)

    async def remove(self, sent: int, emoji: str, person: int, at: float) -> None:
        await self._gone("sent = ? AND emoji = ? AND person = ?", (sent, emoji, person), sent, at)

    async def clear(self, sent: int, at: float, *, emoji: str | None = None) -> None:
        """A moderator took all of them away, or all of one kind."""
        if emoji is None:
            await self._gone("sent = ?", (sent,), sent, at)
        else:
            await self._gone("sent = ? AND emoji = ?", (sent, emoji), sent, at)

    async def _gone(self, where: str, values: tuple[object, ...], sent: int, at: float) -> None:
        def work(db: sqlite3.Connection) -> None:
            if db.execute(f"DELETE FROM reactions WHERE {where}", values).rowcount:  # noqa: S608 - conditions of ours
                _changed(db, sent, at)

        await self._file.do(work)


def _changed(db: sqlite3.Connection, sent: int, at: float) -> bool:
    """Note that the answer with this part has to be told of again. False where there is none."""
    answer = "(message, take) IN (SELECT message, take FROM parts WHERE sent = ?)"
    return db.execute(f"UPDATE answers SET changed_at = {LATER} WHERE {answer}", (at, sent)).rowcount == 1  # noqa: S608
