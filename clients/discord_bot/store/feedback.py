"""What the gateway has not been told yet: answers that are new or whose reactions changed, and who opted out or in again.

Both are states: told twice they say the same, so whatever is not known to have arrived is told again.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clients.discord_bot.store.file import StateFile
from clients.discord_bot.store.words import Words, forget_words_in, words_of

_DUE = """
    SELECT message, take, adapter, context_hash, sent_at, changed_at FROM answers
    WHERE guild = ? AND (adapter = 'base' OR adapter GLOB ? || '@[0-9]*')
    AND sent_at IS NOT NULL AND changed_at IS NOT NULL AND (reported_at IS NULL OR reported_at < changed_at)
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


@dataclass(frozen=True)
class Wishes:
    """What people said that a guild's community does not know yet."""

    out: Sequence[int] = ()
    forget: Sequence[int] = ()
    """Who is out and wants what was learnt before to be forgotten."""
    back: Sequence[int] = ()
    """Who is in again."""

    def __bool__(self) -> bool:
        return bool(self.out or self.forget or self.back)


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

    async def take_words_back(self, guild: int, at: float) -> None:
        """Nothing that was said there is to be learnt from any more."""
        await self._file.do(lambda db: forget_words_in(db, guild, at))

    async def wishes_due(self, guild: int, limit: int) -> Wishes:
        """At most so many of each kind: a guild that was just linked has to hear of everybody who ever opted out."""

        def work(db: sqlite3.Connection) -> Wishes:
            known = "SELECT person FROM consent_told WHERE guild = ?"
            out, forget = (
                db.execute(
                    f"SELECT person FROM opted_out WHERE forget = ? AND person NOT IN ({known} AND forget >= ?) ORDER BY at LIMIT ?",  # noqa: S608
                    (wish, guild, wish, limit),
                ).fetchall()
                for wish in (0, 1)
            )
            back = db.execute(f"{known} AND person NOT IN (SELECT person FROM opted_out) LIMIT ?", (guild, limit)).fetchall()  # noqa: S608
            return Wishes(*([person for (person,) in each] for each in (out, forget, back)))

        return await self._file.do(work)

    async def wishes_told(self, guild: int, wishes: Wishes) -> None:
        """They arrived."""

        def work(db: sqlite3.Connection) -> None:
            said = [(guild, person, 0) for person in wishes.out] + [(guild, person, 1) for person in wishes.forget]
            db.executemany("INSERT OR REPLACE INTO consent_told VALUES (?, ?, ?)", said)
            db.executemany("DELETE FROM consent_told WHERE guild = ? AND person = ?", [(guild, person) for person in wishes.back])

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
