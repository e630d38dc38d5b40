"""What was chosen for each channel or thread."""

import json

from clients.discord_bot.channels import ChannelSettings
from clients.discord_bot.store.file import StateFile


class Channels:
    def __init__(self, file: StateFile) -> None:
        self._file = file

    async def settings(self, channel: int) -> ChannelSettings | None:
        """None where nothing was chosen: `channels.effective` says what holds then."""
        row = await self._file.do(lambda db: db.execute("SELECT settings FROM channels WHERE channel = ?", (channel,)).fetchone())
        return ChannelSettings.from_json(json.loads(row[0])) if row else None

    async def of_guild(self, guild: int) -> dict[int, ChannelSettings]:
        """By channel."""
        rows = await self._file.do(lambda db: db.execute("SELECT channel, settings FROM channels WHERE guild = ?", (guild,)).fetchall())
        return {channel: ChannelSettings.from_json(json.loads(text)) for channel, text in rows}

    async def put(self, guild: int, channel: int, settings: ChannelSettings) -> None:
        values = (channel, guild, json.dumps(settings.to_json()))
        await self._file.do(lambda db: db.execute("INSERT OR REPLACE INTO channels VALUES (?, ?, ?)", values))

    async def remove(self, channel: int) -> None:
        """Back to what holds elsewhere."""
        await self._file.do(lambda db: db.execute("DELETE FROM channels WHERE channel = ?", (channel,)))
