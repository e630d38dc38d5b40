"""Single things that the bot has to know again after a start, by name."""

from clients.discord_bot.store.file import StateFile

COMMANDS = "commands"
"""The hash of the commands that Discord was last told of."""
HEARD_UNTIL = "heard until"
"""The Unix time up to which the bot is sure to have heard everything."""
PINNED = "pinned guild"
"""The guild that the settings' community was given to when it was the only one."""


class Facts:
    def __init__(self, file: StateFile) -> None:
        self._file = file

    async def get(self, name: str) -> str | None:
        row = await self._file.do(lambda db: db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone())
        return row[0] if row else None

    async def put(self, name: str, value: str) -> None:
        await self._file.do(lambda db: db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value)))
