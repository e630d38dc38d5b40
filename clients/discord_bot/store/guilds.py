"""What each guild chose."""

import json
import sqlite3

from clients.discord_bot.guild_settings import GuildSettings
from clients.discord_bot.store.file import StateFile
from clients.discord_bot.store.handled import Stage


class Guilds:
    def __init__(self, file: StateFile) -> None:
        self._file = file

    async def settings(self, guild: int) -> GuildSettings:
        """The defaults for a guild that chose nothing."""
        row = await self._file.do(lambda db: db.execute("SELECT settings FROM guilds WHERE guild = ?", (guild,)).fetchone())
        return GuildSettings.from_json(json.loads(row[0])) if row else GuildSettings()

    async def put(self, guild: int, settings: GuildSettings) -> None:
        text = json.dumps(settings.to_json())
        await self._file.do(lambda db: db.execute("INSERT OR REPLACE INTO guilds VALUES (?, ?)", (guild, text)))

    async def forget(self, guild: int) -> None:
        """The bot was sent away: its link, its settings and its channels' go, and the words that were kept of it."""

        def work(connection: sqlite3.Connection) -> None:
            for table in ("links", "guilds", "channels", "consent_told"):
                connection.execute(f"DELETE FROM {table} WHERE guild = ?", (guild,))  # noqa: S608 - names of ours
            of_guild = "(message, take) IN (SELECT message, take FROM answers WHERE guild = ?)"
            connection.execute(f"DELETE FROM words WHERE {of_guild}", (guild,))  # noqa: S608
            connection.execute(f"DELETE FROM word_people WHERE {of_guild}", (guild,))  # noqa: S608
            connection.execute(f"DELETE FROM parts WHERE sent IS NULL AND {of_guild}", (guild,))  # noqa: S608
            unfinished = (Stage.DROPPED, guild, Stage.BEGUN, Stage.ANSWERED)
            connection.execute("UPDATE handled SET stage = ? WHERE guild = ? AND stage IN (?, ?)", unfinished)

        await self._file.do(work)
