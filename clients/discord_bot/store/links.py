"""Which community a guild is linked to, and with which key. The key comes and goes sealed: this never sees it open."""

import sqlite3
from dataclasses import dataclass, field

from clients.discord_bot.store.file import StateFile


@dataclass(frozen=True)
class LinkRow:
    guild: int
    community: str
    sealed_key: bytes = field(repr=False)
    linked_by: int
    """The person who did."""
    linked_at: float


class LinkRows:
    def __init__(self, file: StateFile) -> None:
        self._file = file

    async def put(self, link: LinkRow) -> None:
        """Instead of the guild's earlier one, if there was one. What the earlier community was told of consent is forgotten."""

        def work(connection: sqlite3.Connection) -> None:
            old = connection.execute("SELECT community FROM links WHERE guild = ?", (link.guild,)).fetchone()
            if old != (link.community,):
                connection.execute("DELETE FROM consent_told WHERE guild = ?", (link.guild,))
            values = (link.guild, link.community, link.sealed_key, link.linked_by, link.linked_at)
            connection.execute("INSERT OR REPLACE INTO links VALUES (?, ?, ?, ?, ?)", values)

        await self._file.do(work)

    async def of(self, guild: int) -> LinkRow | None:
        row = await self._file.do(lambda db: db.execute("SELECT * FROM links WHERE guild = ?", (guild,)).fetchone())
        return LinkRow(*row) if row else None

    async def all(self) -> list[LinkRow]:
        return [LinkRow(*row) for row in await self._file.do(lambda db: db.execute("SELECT * FROM links ORDER BY guild").fetchall())]

    async def remove(self, guild: int) -> bool:
        """Whether there was one."""
        return await self._file.do(lambda db: db.execute("DELETE FROM links WHERE guild = ?", (guild,)).rowcount == 1)
