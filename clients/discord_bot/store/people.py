"""Who does not want to be part of it. A no holds wherever this bot listens, from the moment it is said."""

import sqlite3

from clients.discord_bot.store.file import StateFile
from clients.discord_bot.store.handled import Stage
from clients.discord_bot.store.reactions import LATER
from clients.discord_bot.store.words import forget_words_of


class People:
    def __init__(self, file: StateFile) -> None:
        self._file = file

    async def opt_out(self, person: int, at: float) -> bool:
        """Their reactions and every kept conversation with them are deleted. False if they were out already, and then it is done again."""

        def work(db: sqlite3.Connection) -> bool:
            fresh = db.execute("INSERT OR IGNORE INTO opted_out (person, at) VALUES (?, ?)", (person, at)).rowcount == 1
            forget_words_of(db, person)
            reacted = "SELECT message, take FROM parts WHERE sent IN (SELECT sent FROM reactions WHERE person = ?)"
            db.execute(f"UPDATE answers SET changed_at = {LATER} WHERE (message, take) IN ({reacted})", (at, person))  # noqa: S608
            db.execute("DELETE FROM reactions WHERE person = ?", (person,))
            return fresh

        return await self._file.do(work)

    async def forget(self, person: int, at: float) -> None:
        """They are out, and their votes go, too, and that it was they whom the bot answered. Their community hears of the wish."""
        await self.opt_out(person, at)

        def work(db: sqlite3.Connection) -> None:
            db.execute("UPDATE opted_out SET forget = 1 WHERE person = ?", (person,))
            db.execute("DELETE FROM votes WHERE person = ?", (person,))
            db.execute("UPDATE answers SET asker = 0 WHERE asker = ?", (person,))
            # One that is under way keeps its author, by whom it is known that it is not to be answered any more.
            done = (person, Stage.SENT, Stage.DROPPED)
            db.execute("UPDATE handled SET author = 0 WHERE author = ? AND stage IN (?, ?)", done)

        await self._file.do(work)

    async def opt_in(self, person: int) -> bool:
        """Whether they were out. What was deleted does not come back."""
        return await self._file.do(lambda db: db.execute("DELETE FROM opted_out WHERE person = ?", (person,)).rowcount == 1)

    async def is_out(self, person: int) -> bool:
        return bool(await self.out_among([person]))

    async def out_among(self, people: list[int]) -> frozenset[int]:
        """Those of `people` who opted out."""
        marks = ", ".join("?" * len(people))
        statement = f"SELECT person FROM opted_out WHERE person IN ({marks})"  # noqa: S608 - question marks
        return frozenset(row[0] for row in await self._file.do(lambda db: db.execute(statement, people).fetchall()))
