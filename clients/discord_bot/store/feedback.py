"""What the gateway has not been told yet: answers that are new or whose reactions changed, and who opted out or in again.

Both are states: told twice they say the same, so whatever is not known to have arrived is told again.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clients.discord_bot.store.file import StateFile
from clients.discord_bot.store.words import Words, words_of

_DUE = """
    SELECT message, take, adapter, context_hash, sent_at, changed_at FROM answers
    WHERE guild = ? AND (adapter = 'base' OR adapter GLOB ? || '@[0-9]*')
    AND changed_at IS NOT NULL AND (reported_at IS NULL OR reported_at < changed_at)
    ORDER BY changed_at LIMIT ?
"""
_REACTIONS = """
    SELECT emoji, person, at FROM reactions
    WHERE sent IN (SELECT sent FROM parts WHERE message = ? AND take = ? AND sent IS NOT NULL)
"""


@dataclass(frozen=True)
class Told:
    """One answer as the gateway is told of it."""

    message: int
    take: int
    sent: int
    """Its first message, which names it."""
    adapter: str
    context_hash: str
    sent_at: float
    changed_at: float
    reactions: Mapping[str, int]
    """People by emoji."""
    people: int
    """Who reacted at all, each counted once."""
    reacted_at: float | None
    words: Words | None


class Feedback:
    def __init__(self, file: StateFile) -> None:
        self._file = file

    async def due(self, guild: int, community: str, limit: int) -> list[Told]:
        """What to tell this guild's community, the oldest change first; not what another one said before the guild was linked anew."""

        def work(db: sqlite3.Connection) -> list[Told]:
            return [_told(db, row) for row in db.execute(_DUE, (guild, community, limit)).fetchall()]

        return await self._file.do(work)

    async def told(self, items: Sequence[Told]) -> None:
        """They arrived. What changed meanwhile stays due."""
        rows = [(item.changed_at, item.message, item.take) for item in items]
        await self._file.do(lambda db: db.executemany("UPDATE answers SET reported_at = ? WHERE message = ? AND take = ?", rows))

    async def consent_due(self, guild: int) -> tuple[list[int], list[int]]:
        """(who opted out, who is in again) and the guild's community does not know it yet."""

        def work(db: sqlite3.Connection) -> tuple[list[int], list[int]]:
            known = "SELECT person FROM consent_told WHERE guild = ?"
            out = db.execute(f"SELECT person FROM opted_out WHERE person NOT IN ({known}) ORDER BY at", (guild,))  # noqa: S608
            again = db.execute(f"{known} AND person NOT IN (SELECT person FROM opted_out)", (guild,))  # noqa: S608
            return [person for (person,) in out.fetchall()], [person for (person,) in again.fetchall()]

        return await self._file.do(work)

    async def consent_told(self, guild: int, out: Sequence[int], again: Sequence[int]) -> None:
        """It arrived."""

        def work(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR IGNORE INTO consent_told VALUES (?, ?)", [(guild, person) for person in out])
            db.executemany("DELETE FROM consent_told WHERE guild = ? AND person = ?", [(guild, person) for person in again])

        await self._file.do(work)


def _told(db: sqlite3.Connection, row: tuple[int, int, str, str, float, float]) -> Told:
    message, take, adapter, context_hash, sent_at, changed_at = row
    first = "SELECT sent FROM parts WHERE message = ? AND take = ? ORDER BY number LIMIT 1"
    (sent,) = db.execute(first, (message, take)).fetchone()
    reactions: dict[str, int] = {}
    people: set[int] = set()
    last: float | None = None
    seen: set[tuple[str, int]] = set()
    for emoji, person, at in db.execute(_REACTIONS, (message, take)).fetchall():
        if (emoji, person) not in seen:  # the same under two parts of one answer is one
            seen.add((emoji, person))
            reactions[emoji] = reactions.get(emoji, 0) + 1
        people.add(person)
        last = at if last is None else max(last, at)
    words = words_of(db, message, take)
    return Told(message, take, sent, adapter, context_hash, sent_at, changed_at, reactions, len(people), last, words)
