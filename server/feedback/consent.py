"""Who said no, by community; what they were in is gone with the same transaction. Knows the tables, and nothing of who may ask."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.registry.database import Database
from server.accounts.schema_feedback import answers, consent, people

AT_ONCE = 500
"""Ids in one question: SQLite takes no endless list."""


@dataclass(frozen=True, slots=True)
class No:
    """A person who said no. `forget`: also to what was learnt before."""

    person: str
    since_ms: int
    forget: bool


@dataclass(frozen=True, slots=True)
class Wishes:
    """What people say. Somebody in several of these is taken out."""

    out: frozenset[str] = frozenset()
    forget: frozenset[str] = frozenset()
    back: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.out | self.forget | self.back)


class ConsentStore:
    """Errors leave it as adapters.registry.DatabaseError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, community: str, wishes: Wishes, *, now_ms: int) -> int:
        """Write it down; texts with those who said no are gone when this returns. How many texts were removed."""
        removed = 0
        async with self._database.writing() as connection:
            for person in sorted(wishes.back - wishes.out - wishes.forget):
                await connection.execute(delete(consent).where(*_is(community, person)))
            for person in sorted(wishes.out | wishes.forget):
                await _refuse(connection, community, No(person, now_ms, person in wishes.forget))
                removed += await _remove_texts(connection, community, person)
        return removed

    async def forget(self, community: str | None, person: str, *, now_ms: int) -> int:
        """The same for one person; without a community in all that have a text with them or had them said no. How many texts."""
        wishes, removed = Wishes(forget=frozenset({person})), 0
        for each in [community] if community is not None else await self._places(person):
            removed += await self.note(each, wishes, now_ms=now_ms)
        return removed

    async def said_no(self, community: str) -> list[No]:
        """Who said no there, the earliest first."""
        async with self._database.reading() as connection:
            mine = select(consent).where(consent.c.community == community).order_by(consent.c.since_ms, consent.c.person)
            return [No(row.person, row.since_ms, row.forget) for row in await connection.execute(mine)]

    async def _places(self, person: str) -> list[str]:
        async with self._database.reading() as connection:
            found: set[str] = set()
            for table in (people, consent):
                found |= set((await connection.execute(select(table.c.community).where(table.c.person == person))).scalars())
        return sorted(found)


async def refused(connection: AsyncConnection, community: str, persons: Iterable[str]) -> frozenset[str]:
    """Those of `persons` who said no."""
    asked, found = sorted(persons), set[str]()
    for at in range(0, len(asked), AT_ONCE):
        some = (consent.c.community == community, consent.c.person.in_(asked[at : at + AT_ONCE]))
        found |= set((await connection.execute(select(consent.c.person).where(*some))).scalars())
    return frozenset(found)


async def _refuse(connection: AsyncConnection, community: str, no: No) -> None:
    """Since when is what was said first; the wish to be forgotten stays."""
    held = (await connection.execute(select(consent).where(*_is(community, no.person)))).first()
    if held is None:
        row = {"community": community, "person": no.person, "since_ms": no.since_ms, "forget": no.forget}
        await connection.execute(consent.insert().values(row))
    elif no.forget and not held.forget:
        await connection.execute(update(consent).where(*_is(community, no.person)).values(forget=True))


async def _remove_texts(connection: AsyncConnection, community: str, person: str) -> int:
    """The counts of these answers stay: they name nobody."""
    theirs = select(people.c.message_id).where(people.c.community == community, people.c.person == person)
    touched = list((await connection.execute(theirs)).scalars())
    for at in range(0, len(touched), AT_ONCE):
        some = touched[at : at + AT_ONCE]
        mine = and_(answers.c.community == community, answers.c.message_id.in_(some))
        await connection.execute(update(answers).where(mine).values(context=None, reply=None))
        await connection.execute(delete(people).where(people.c.community == community, people.c.message_id.in_(some)))
    return len(touched)


def _is(community: str, person: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return consent.c.community == community, consent.c.person == person
