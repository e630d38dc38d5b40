"""Answers that people saw, in SQL: put, counted, and read by the factory. Knows the tables, and nothing of who may ask."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Row, case, delete, func, insert, select
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.registry.database import Database
from server.accounts.schema_feedback import answers, people
from server.feedback.answer import DAY_MS, WINDOW_MS, Answer, Text
from server.feedback.consent import AT_ONCE, refused

KEPT_MS = 400 * DAY_MS
"""Older answers are forgotten."""

_PUT = sql("""
INSERT INTO feedback_answers
    (community, message_id, adapter, context_hash, sent_ms, changed_ms, reactions, reward, counted, context, reply)
VALUES (:community, :message_id, :adapter, :context_hash, :sent_ms, :changed_ms, :reactions, :reward, :reward, :context, :reply)
ON CONFLICT (community, message_id) DO UPDATE SET
    changed_ms = excluded.changed_ms, reactions = excluded.reactions, reward = excluded.reward,
    counted = CASE WHEN excluded.changed_ms <= feedback_answers.sent_ms + :window THEN excluded.reward ELSE feedback_answers.counted END,
    context = excluded.context, reply = excluded.reply
WHERE excluded.changed_ms >= feedback_answers.changed_ms
""")
"""What an answer is stays as it was said first; an earlier state that comes late changes nothing."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of some answers. `untold`: texts that were left out, since somebody in them said no."""

    answers: int
    untold: int


@dataclass(frozen=True, slots=True)
class Tally:
    """What is known of one version. `answers`: all that were shown; `waiting`: those whose day is not over; `reacted`: those of all that
    somebody liked; `counted`: those whose day is over, and `bangers` those of them that enough people liked."""

    adapter: str
    answers: int
    waiting: int
    reacted: int
    counted: int
    bangers: int


@dataclass(frozen=True, slots=True)
class Shown:
    """One answer whose day is over, as a comparison sees it."""

    adapter: str
    is_banger: bool


class FeedbackStore:
    """Errors leave it as adapters.registry.DatabaseError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, community: str, said: Sequence[Answer]) -> Kept:
        """Note the present state of these answers; the same twice is once."""
        # Who brings a text takes turns with those who say no: none may slip in while its people are looked up.
        open_one = self._database.writing if any(answer.text for answer in said) else self._database.noting
        async with open_one() as connection:
            named = {person for answer in said if answer.text is not None for person in answer.text.people}
            out = await refused(connection, community, named)
            held = await _changes(connection, community, [answer.message_id for answer in said])
            # Several states of one answer follow each other; and all are in one order, so that no two who write wait for each other.
            ordered = sorted(said, key=lambda each: (each.message_id, each.changed_ms))
            new = [answer for answer in ordered if answer.changed_ms >= held.get(answer.message_id, 0)]
            last = {answer.message_id: answer.text for answer in new}
            told = {name: text for name, text in last.items() if text is not None and out.isdisjoint(text.people)}
            await _put(connection, community, new, told)
        return Kept(len(said), sum(answer.text is not None and not out.isdisjoint(answer.text.people) for answer in said))

    async def tallies(self, community: str, *, threshold: int, now_ms: int) -> list[Tally]:
        """Of each version that has answers. `threshold`: how many people make a banger."""
        over = answers.c.sent_ms <= now_ms - WINDOW_MS
        columns = (
            func.count(),
            func.sum(case((over, 0), else_=1)),
            func.sum(case((answers.c.reward > 0, 1), else_=0)),
            func.sum(case((over, 1), else_=0)),
            func.sum(case((over & (answers.c.counted >= threshold), 1), else_=0)),
        )
        asked = select(answers.c.adapter, *columns).where(answers.c.community == community).group_by(answers.c.adapter)
        async with self._database.reading() as connection:
            return [Tally(row[0], *map(int, row[1:])) for row in await connection.execute(asked.order_by(answers.c.adapter))]

    async def shown(self, community: str, adapters: Sequence[str], *, since_ms: int, threshold: int, now_ms: int) -> list[Shown]:
        """What was sent since then and has had its day, in the order in which it was sent."""
        mine = (answers.c.community == community, answers.c.adapter.in_(adapters))
        asked = select(answers.c.adapter, answers.c.counted).where(
            *mine, answers.c.sent_ms >= since_ms, answers.c.sent_ms <= now_ms - WINDOW_MS
        )
        async with self._database.reading() as connection:
            rows = await connection.execute(asked.order_by(answers.c.sent_ms, answers.c.message_id))
            return [Shown(row.adapter, row.counted >= threshold) for row in rows]

    async def examples(self, community: str, *, after: tuple[int, str], limit: int) -> list[dict[str, Any]]:
        """Answers with their texts, by growing `(sent_ms, message_id)`, those behind `after`: what a dataset is made of."""
        later = (answers.c.sent_ms > after[0]) | ((answers.c.sent_ms == after[0]) & (answers.c.message_id > after[1]))
        asked = select(answers).where(answers.c.community == community, answers.c.reply.is_not(None), later)
        async with self._database.reading() as connection:
            rows = (await connection.execute(asked.order_by(answers.c.sent_ms, answers.c.message_id).limit(limit))).all()
            named = await _people(connection, community, [row.message_id for row in rows])
        return [_example(row, named.get(row.message_id, [])) for row in rows]

    async def sweep(self, *, now_ms: int) -> int:
        """Forget what is old. How many answers."""
        old = select(answers.c.message_id).where(
            answers.c.community == people.c.community, answers.c.message_id == people.c.message_id, answers.c.sent_ms < now_ms - KEPT_MS
        )
        async with self._database.noting() as connection:
            await connection.execute(delete(people).where(old.exists()))
            return (await connection.execute(delete(answers).where(answers.c.sent_ms < now_ms - KEPT_MS))).rowcount


async def _changes(connection: AsyncConnection, community: str, messages: Sequence[str]) -> dict[str, int]:
    """When what is known of them was so."""
    mine = (answers.c.community == community, answers.c.message_id.in_(messages))
    rows = await connection.execute(select(answers.c.message_id, answers.c.changed_ms).where(*mine))
    return {row.message_id: row.changed_ms for row in rows}


async def _put(connection: AsyncConnection, community: str, new: Sequence[Answer], texts: Mapping[str, Text]) -> None:
    """A few statements, however many answers: the requests' ledger waits for its turn meanwhile."""
    if not new:
        return
    await connection.execute(_PUT, [_row(community, answer, texts.get(answer.message_id)) for answer in new])
    mine = (people.c.community == community, people.c.message_id.in_([answer.message_id for answer in new]))
    await connection.execute(delete(people).where(*mine))
    named = [(message, person) for message, said in texts.items() for person in sorted(said.people)]
    rows = [{"community": community, "person": person, "message_id": message} for message, person in named]
    if rows:
        await connection.execute(insert(people), rows)


def _row(community: str, answer: Answer, said: Text | None) -> dict[str, Any]:
    return {
        "community": community,
        "message_id": answer.message_id,
        "adapter": answer.adapter,
        "context_hash": answer.context_hash,
        "sent_ms": answer.sent_ms,
        "changed_ms": answer.changed_ms,
        "reactions": json.dumps(dict(answer.reactions), ensure_ascii=False),
        "reward": answer.reward,
        "context": None if said is None else json.dumps([asdict(turn) for turn in said.context], ensure_ascii=False),
        "reply": None if said is None else said.reply,
        "window": WINDOW_MS,
    }


async def _people(connection: AsyncConnection, community: str, messages: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for at in range(0, len(messages), AT_ONCE):
        some = (people.c.community == community, people.c.message_id.in_(messages[at : at + AT_ONCE]))
        for row in await connection.execute(select(people).where(*some).order_by(people.c.person)):
            found.setdefault(row.message_id, []).append(row.person)
    return found


def _example(row: Row[Any], authors: Iterable[str]) -> dict[str, Any]:
    return {
        "message_id": row.message_id,
        "adapter": row.adapter,
        "sent_ms": row.sent_ms,
        "reward": row.reward,
        "context": json.loads(row.context or "[]"),
        "reply": row.reply,
        "people": list(authors),
    }
