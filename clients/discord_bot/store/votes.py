"""Who liked which of two versions better, where they were shown without their names."""

from dataclasses import dataclass

from clients.discord_bot.store.file import StateFile


@dataclass(frozen=True)
class Vote:
    message: int
    """The message that showed both."""
    person: int
    guild: int
    chosen: str
    """`zizou@7`."""
    other: str
    at: float


class Votes:
    def __init__(self, file: StateFile) -> None:
        self._file = file

    async def put(self, vote: Vote) -> None:
        """A person's last word on a message counts."""
        values = (vote.message, vote.person, vote.guild, vote.chosen, vote.other, vote.at)
        await self._file.do(lambda db: db.execute("INSERT OR REPLACE INTO votes VALUES (?, ?, ?, ?, ?, ?)", values))

    async def on(self, message: int) -> dict[str, int]:
        """How many chose which, in one comparison."""
        statement = "SELECT chosen, count(*) FROM votes WHERE message = ? GROUP BY chosen"
        return dict(await self._file.do(lambda db: db.execute(statement, (message,)).fetchall()))

    async def tally(self, guild: int, one: str, other: str) -> tuple[int, int]:
        """How many chose `one` over `other`, and how many the other way round."""
        statement = "SELECT count(*) FROM votes WHERE guild = ? AND chosen = ? AND other = ?"
        first = await self._file.do(lambda db: db.execute(statement, (guild, one, other)).fetchone()[0])
        second = await self._file.do(lambda db: db.execute(statement, (guild, other, one)).fetchone()[0])
        return first, second
