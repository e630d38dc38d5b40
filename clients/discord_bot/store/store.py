"""Everything that the bot remembers, one noun an attribute. `async with Store(path) as store`."""

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

from clients.discord_bot.store.answers import Answers
from clients.discord_bot.store.channels import Channels
from clients.discord_bot.store.facts import Facts
from clients.discord_bot.store.feedback import Feedback
from clients.discord_bot.store.file import StateFile
from clients.discord_bot.store.guilds import Guilds
from clients.discord_bot.store.handled import HandledMessages
from clients.discord_bot.store.links import LinkRows
from clients.discord_bot.store.people import People
from clients.discord_bot.store.reactions import Reactions
from clients.discord_bot.store.votes import Votes

FILE = Path("bot") / "state.sqlite3"
"""Below TROUPE_HOME."""


class Store:
    """One writer: a second bot on the same file is refused. All methods of all nouns raise StateBroken."""

    def __init__(self, path: Path) -> None:
        self._file = StateFile(path)
        self.facts = Facts(self._file)
        self.links = LinkRows(self._file)
        self.guilds = Guilds(self._file)
        self.channels = Channels(self._file)
        self.handled = HandledMessages(self._file)
        self.answers = Answers(self._file)
        self.reactions = Reactions(self._file)
        self.feedback = Feedback(self._file)
        self.people = People(self._file)
        self.votes = Votes(self._file)

    async def sweep(self, before: float) -> None:
        """Forget what was said and done before that Unix time, reactions and words with it; choices, links and who said no stay."""

        def work(db: sqlite3.Connection) -> None:
            old = "(message, take) IN (SELECT message, take FROM answers WHERE made_at < ?)"
            db.execute(f"DELETE FROM reactions WHERE sent IN (SELECT sent FROM parts WHERE {old})", (before,))  # noqa: S608 - names of ours
            for table in ("parts", "words", "word_people"):
                db.execute(f"DELETE FROM {table} WHERE {old}", (before,))  # noqa: S608
            db.execute("DELETE FROM reactions WHERE at < ?", (before,))  # to messages that became no answer
            db.execute("DELETE FROM answers WHERE made_at < ?", (before,))
            db.execute("DELETE FROM handled WHERE begun_at < ?", (before,))
            db.execute("DELETE FROM votes WHERE at < ?", (before,))

        await self._file.do(work)

    async def __aenter__(self) -> Self:
        await self._file.open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._file.close()
