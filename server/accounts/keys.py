"""The table of keys: make, replace, end, list. Knows nothing of requests: those are answered by the ring, in memory.

Every method is one transaction, and the only text that comes into one from outside is an id that looks like one.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Row, bindparam, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.registry.database import Database
from server.accounts.errors import BadGrant, KeyEnded, UnknownKey
from server.accounts.key import Created, Key
from server.accounts.key_text import KEY_ID, hash_key, make_key, parse_key
from server.accounts.pepper import open_pepper
from server.accounts.principal import Scope, check_grant
from server.accounts.schema import accounts, keys
from server.accounts.terms import key_account, pass_on
from server.accounts.times import Clock, as_text, as_time, utc_now

MAX_NAME = 100
OVERLAP = timedelta(days=1)
"""How long a replaced key goes on opening, unless told otherwise."""
MAX_OVERLAP = timedelta(days=365)
MAX_LIFE = timedelta(days=10 * 365)
"""Of keys that end: for longer, one without an end is meant."""


@dataclass(frozen=True)
class Hashed:
    """A key with what its text must hash to."""

    key: Key
    hash: bytes


@dataclass(frozen=True)
class Changes:
    """What is new in the table since a revision; `is_whole` if these are all keys that there are."""

    revision: int
    keys: tuple[Hashed, ...]
    is_whole: bool


async def open_keys(database: Database, home: Path, *, pepper: str = "", now: Clock = utc_now) -> "KeyStore":
    """The keys in accounts' `database`. `pepper`: TROUPE_KEY_PEPPER, empty for a file below `home`. Raises PepperError or DatabaseError."""
    return KeyStore(database, await open_pepper(database, home, pepper), now=now)


class KeyStore:
    """All methods raise DatabaseError. `by` says who asked, at most 100 characters: it is kept with the key."""

    def __init__(self, database: Database, pepper: bytes, *, now: Clock = utc_now) -> None:
        self._database = database
        self._pepper = pepper
        self.now = now

    def hash(self, text: str) -> bytes:
        """What is compared with a key's hash."""
        return hash_key(self._pepper, text)

    async def create(
        self, name: str, scopes: Iterable[str], communities: Iterable[str] | None = None, *, by: str, expires_at: datetime | None = None
    ) -> Created:
        """A new key, for these communities or for all. Raises BadGrant."""
        key = self._draft(name, scopes, communities, by=by, expires_at=expires_at)
        async with self._database.writing() as connection:
            return await self._add(connection, key)

    async def adopt(
        self,
        text: str,
        name: str,
        scopes: Iterable[str],
        communities: Iterable[str] | None = None,
        *,
        by: str,
        unless: Callable[[Sequence[Key]], bool] = lambda held: False,
    ) -> Key | None:
        """Take a key into the table that was made elsewhere. Raises BadGrant.

        None if one with its id is there, which stays as it is, also revoked; or if `unless`, told of all keys, says no.
        """
        key_id = parse_key(text)
        if key_id is None:
            raise BadGrant("This text cannot be a key: keys look like tr_ID_SECRET, with a secret of 27 letters and digits or more.")
        key = replace(self._draft(name, scopes, communities, by=by), id=key_id)
        async with self._database.writing() as connection:
            held = await _all(connection)
            if any(other.id == key_id for other in held) or unless(held):
                return None
            await self._insert(connection, key, text)
            return key

    async def rotate(self, key_id: str, *, by: str, overlap: timedelta = OVERLAP) -> Created:
        """A new key with the old one's name, rights, limits and end; the old one opens until `overlap` is over, or its own end.

        Raises UnknownKey, KeyEnded or BadGrant.
        """
        if not timedelta(0) <= overlap <= MAX_OVERLAP:
            raise BadGrant(f"An overlap is 0 to {MAX_OVERLAP.days} days: choose a shorter one, or revoke the old key later.")
        _check_id(key_id)
        async with self._database.writing() as connection:
            old = await _one(connection, key_id)
            now = self.now()
            if not old.opens(now) or old.replaced_by is not None:
                raise KeyEnded(f"The key {key_id} has been revoked, replaced or has expired: create a new one.")
            created = await self._add(connection, replace(old, created_at=now, created_by=_words("by", by), last_used_at=None))
            await pass_on(connection, key_account(key_id), key_account(created.key.id))
            ends = now + overlap if old.expires_at is None else min(old.expires_at, now + overlap)
            await _change(connection, key_id, expires_at=as_text(ends), replaced_by=created.key.id)
            return replace(created, replaced=replace(old, expires_at=ends, replaced_by=created.key.id))

    async def revoke(self, key_id: str, *, by: str) -> Key:
        """End a key now and for ever; one that is revoked stays as it is. The key that replaced it is another one. Raises UnknownKey."""
        _check_id(key_id)
        by = _words("by", by)
        async with self._database.writing() as connection:
            key = await _one(connection, key_id)
            if key.revoked_at is None:
                now = self.now()
                key = replace(key, revoked_at=now, revoked_by=by)
                await _change(connection, key_id, revoked_at=as_text(now), revoked_by=by)
            return key

    async def get(self, key_id: str) -> Key:
        """Also one that has ended. Raises UnknownKey."""
        _check_id(key_id)
        async with self._database.reading() as connection:
            return await _one(connection, key_id)

    async def list(self) -> tuple[Key, ...]:
        """All of them, also those that have ended, the oldest first."""
        async with self._database.reading() as connection:
            return await _all(connection)

    async def changes(self, after: int | None = None) -> Changes:
        """What was written since revision `after`; everything if that is None, or is ahead of a table that somebody put back."""
        async with self._database.reading() as connection:
            revision = int((await connection.execute(select(accounts.c.revision))).scalar_one())
            if revision == after:
                return Changes(revision, (), is_whole=False)
            is_whole = after is None or after > revision
            asked = select(keys) if is_whole else select(keys).where(keys.c.changed > after)
            rows = (await connection.execute(asked)).all()  # what is written meanwhile may be among them, and comes once more
        return Changes(revision, tuple(Hashed(_key(row), bytes.fromhex(row.hash)) for row in rows), is_whole)

    async def note_used(self, uses: Mapping[str, datetime]) -> None:
        """When keys were last used. No news to any ring."""
        if not uses:
            return
        statement = (
            update(keys)
            .where(keys.c.id == bindparam("used_id"), or_(keys.c.last_used_at.is_(None), keys.c.last_used_at < bindparam("used_at")))
            .values(last_used_at=bindparam("used_at"))
        )
        rows = [{"used_id": key_id, "used_at": as_text(at)} for key_id, at in sorted(uses.items())]  # sorted: no deadlock on PostgreSQL
        async with self._database.noting() as connection:
            await connection.execute(statement, rows)

    def _draft(
        self, name: str, scopes: Iterable[str], communities: Iterable[str] | None, *, by: str, expires_at: datetime | None = None
    ) -> Key:
        granted, bound = check_grant(scopes, communities)
        now = self.now()
        if expires_at is not None and (expires_at.tzinfo is None or expires_at <= now):
            raise BadGrant("A key expires in the future, at a time with its zone: give a later one, or none.")
        return Key("", _words("name", name), granted, bound, created_at=now, created_by=_words("by", by), expires_at=expires_at)

    async def _add(self, connection: AsyncConnection, draft: Key) -> Created:
        made = make_key()
        key = replace(draft, id=made.id)
        await self._insert(connection, key, made.text)
        return Created(key, made.text)

    async def _insert(self, connection: AsyncConnection, key: Key, text: str) -> None:
        values = {
            "id": key.id,
            "hash": self.hash(text).hex(),
            "name": key.name,
            "scopes": json.dumps(sorted(key.scopes)),
            "communities": None if key.communities is None else json.dumps(sorted(key.communities)),
            "created_at": as_text(key.created_at),
            "created_by": key.created_by,
            "expires_at": None if key.expires_at is None else as_text(key.expires_at),
        }
        await connection.execute(insert(keys).values(**values, changed=_revision()))


async def _all(connection: AsyncConnection) -> tuple[Key, ...]:
    return tuple(map(_key, (await connection.execute(select(keys).order_by(keys.c.created_at, keys.c.id))).all()))


async def _one(connection: AsyncConnection, key_id: str) -> Key:
    row = (await connection.execute(select(keys).where(keys.c.id == key_id))).first()
    if row is None:
        raise _unknown(key_id)
    return _key(row)


async def _change(connection: AsyncConnection, key_id: str, **values: str) -> None:
    await connection.execute(update(keys).where(keys.c.id == key_id).values(**values, changed=_revision()))


def _check_id(key_id: str) -> None:
    """Before anything is asked of the database."""
    if not KEY_ID.fullmatch(key_id):
        raise _unknown(key_id)


def _unknown(key_id: str) -> UnknownKey:
    return UnknownKey(f"There is no key {key_id[:16]!r}.")


def _revision() -> Any:
    """The one of this transaction, which has just counted it up."""
    return select(accounts.c.revision).scalar_subquery()


def _words(field: str, text: str) -> str:
    if not 0 < len(text) <= MAX_NAME or not text.isprintable():
        raise BadGrant(f"A key's {field!r} is 1 to {MAX_NAME} printable characters: choose another one.")
    return text


def _key(row: Row[Any]) -> Key:
    created_at = as_time(row.created_at)
    assert created_at is not None
    return Key(
        id=row.id,
        name=row.name,
        scopes=frozenset(map(Scope, json.loads(row.scopes))),
        communities=None if row.communities is None else frozenset(json.loads(row.communities)),
        created_at=created_at,
        created_by=row.created_by,
        expires_at=as_time(row.expires_at),
        revoked_at=as_time(row.revoked_at),
        revoked_by=row.revoked_by,
        replaced_by=row.replaced_by,
        last_used_at=as_time(row.last_used_at),
    )
