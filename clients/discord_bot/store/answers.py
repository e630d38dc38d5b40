"""The bot's answers: who made each, how long it took, and which parts of it Discord has. An answer to the same message that was asked for
again is another take of it."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from clients.discord_bot.store.file import StateFile
from clients.discord_bot.store.handled import Stage
from clients.discord_bot.store.words import Words, keep_words

_ANSWER = "message, take, guild, channel, asker, adapter, context_hash, request_id, seconds, queue_seconds, wake_seconds, made_at"
_BY_SENT = f"SELECT {_ANSWER} FROM answers JOIN parts USING (message, take) WHERE parts.sent = ?"  # noqa: S608 - columns of ours
_LAST = f"SELECT {_ANSWER} FROM answers WHERE channel = ? AND sent_at IS NOT NULL ORDER BY made_at DESC, take DESC LIMIT 1"  # noqa: S608


@dataclass(frozen=True)
class Answer:
    message: int
    """The message that it answers."""
    take: int
    """0 for the first answer, then 1, 2 …"""
    guild: int
    channel: int
    asker: int
    adapter: str | None
    """`zizou@7`, as the gateway told; None where it told nothing."""
    context_hash: str
    request_id: str | None
    seconds: float
    """From the message to the whole answer."""
    queue_seconds: float | None
    wake_seconds: float | None
    made_at: float


@dataclass(frozen=True)
class Part:
    """One message of an answer."""

    message: int
    take: int
    number: int
    text: str
    """Empty once it is sent."""
    sent: int | None = None
    """The message that it became."""

    @property
    def nonce(self) -> str:
        """Discord lets one message with it through, in the minutes in which a send is tried again. At most 25 characters."""
        return f"{self.message:x}-{self.take:x}-{self.number:x}"


class Answers:
    def __init__(self, file: StateFile) -> None:
        self._file = file

    async def add(self, answer: Answer, texts: Sequence[str], words: Words | None = None) -> list[Part]:
        """Keep an answer before any of it is sent. `words`: what was said, where it may be kept for learning."""
        parts = [Part(answer.message, answer.take, number, text) for number, text in enumerate(texts)]

        def work(db: sqlite3.Connection) -> None:
            values = (answer.message, answer.take, answer.guild, answer.channel, answer.asker, answer.adapter, answer.context_hash)
            times = (answer.request_id, answer.seconds, answer.queue_seconds, answer.wake_seconds, answer.made_at)
            db.execute(f"INSERT INTO answers ({_ANSWER}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, *times))  # noqa: S608
            rows = [(part.message, part.take, part.number, part.text) for part in parts]
            db.executemany("INSERT INTO parts (message, take, number, text) VALUES (?, ?, ?, ?)", rows)
            if answer.take == 0:
                db.execute("UPDATE handled SET stage = ? WHERE message = ?", (Stage.ANSWERED, answer.message))
            if words is not None:
                keep_words(db, answer.message, answer.take, words)

        await self._file.do(work)
        return parts

    async def sent(self, part: Part, message: int, at: float) -> None:
        """`part` is the message `message` now. With the last one, the answer is sent."""

        def work(db: sqlite3.Connection) -> None:
            key = (part.message, part.take)
            db.execute("UPDATE parts SET sent = ?, text = '' WHERE message = ? AND take = ? AND number = ?", (message, *key, part.number))
            if db.execute("SELECT 1 FROM parts WHERE message = ? AND take = ? AND sent IS NULL", key).fetchone() is None:
                db.execute("UPDATE answers SET sent_at = ?, changed_at = ? WHERE message = ? AND take = ?", (at, at, *key))
                if part.take == 0:
                    db.execute("UPDATE handled SET stage = ? WHERE message = ?", (Stage.SENT, part.message))

        await self._file.do(work)

    async def parts(self, message: int, take: int = 0) -> list[Part]:
        """In their order."""
        statement = "SELECT * FROM parts WHERE message = ? AND take = ? ORDER BY number"
        return [Part(*row) for row in await self._file.do(lambda db: db.execute(statement, (message, take)).fetchall())]

    async def of_sent(self, message: int) -> Answer | None:
        """The answer that this message of the bot's is a part of."""
        row = await self._file.do(lambda db: db.execute(_BY_SENT, (message,)).fetchone())
        return Answer(*row) if row else None

    async def last_in(self, channel: int) -> Answer | None:
        """The answer that was sent last there."""
        row = await self._file.do(lambda db: db.execute(_LAST, (channel,)).fetchone())
        return Answer(*row) if row else None

    async def spoke_at(self, channel: int) -> float | None:
        """When the bot last had something to say there."""
        statement = "SELECT max(made_at) FROM answers WHERE channel = ?"
        at: float | None = await self._file.do(lambda db: db.execute(statement, (channel,)).fetchone()[0])
        return at

    async def takes(self, message: int) -> int:
        """How many answers to this message there are."""
        count: int = await self._file.do(lambda db: db.execute("SELECT count(*) FROM answers WHERE message = ?", (message,)).fetchone()[0])
        return count
