"""What an admin key may do with keys: see, make, replace and end those of its own communities. Knows nothing of HTTP.

A change that has begun goes on though its caller went away: what the table says and what the ring says stay one.
"""

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

from adapters.registry import DatabaseError
from server.accounts import Created, Key, KeyRing, KeyStore, Principal, UnknownKey
from server.accounts.errors import AccountsError
from server.accounts.key_text import KEY_ID
from server.accounts.terms import TermsBook
from server.gateway.errors import Forbidden, KeysUnavailable
from server.gateway.translations import from_accounts

log = logging.getLogger("troupe.gateway")

_Changed = TypeVar("_Changed")


class KeyDesk:
    """Raises GatewayErrors. Keys of other communities are not there for a key that is bound to some."""

    def __init__(self, ring: KeyRing, store: KeyStore, terms: TermsBook) -> None:
        self._ring = ring
        self._store = store
        self._terms = terms
        self._working: set[asyncio.Task[Any]] = set()

    @property
    def failure(self) -> str | None:
        """Why keys cannot be looked up any more, one sentence; None while they can."""
        return self._ring.failure

    def opens(self, key: Key) -> bool:
        return key.opens(self._store.now())

    async def list(self, caller: Principal) -> list[Key]:
        """Also those that have ended, the oldest first."""
        with _translated("Keys cannot be read at the moment."):
            return [key for key in await self._store.list() if caller.may_govern(key.communities)]

    async def create(
        self, caller: Principal, name: str, scopes: Iterable[str], communities: frozenset[str] | None, *, lasts: timedelta | None
    ) -> Created:
        """`lasts`: from now, None for ever."""
        if not caller.may_govern(communities):
            raise Forbidden("This key makes keys for its own communities only.", param="communities")
        with _translated("Keys cannot be made at the moment."):
            expires_at = None if lasts is None else self._store.now() + lasts
            created = await self._whole(self._ring.create(name, scopes, communities, by=_words(caller), expires_at=expires_at))
        log.info("key %s was made by %s", created.key.id, _words(caller))
        return created

    async def rotate(self, caller: Principal, key_id: str, overlap: timedelta) -> Created:
        with _translated("Keys cannot be replaced at the moment."):
            await self._check(caller, key_id)
            created = await self._whole(self._ring.rotate(key_id, by=_words(caller), overlap=overlap))
        with suppress(DatabaseError):  # the new key is there, and its limits hold a moment later
            await self._terms.refresh()
        log.info("key %s was replaced by key %s by %s", key_id, created.key.id, _words(caller))
        return created

    async def revoke(self, caller: Principal, key_id: str) -> Key:
        """Here at once, and even while it cannot be written down."""
        said = "This gateway takes the key no longer, but that could not be written down, and others still take it: ask once more."
        with _translated("Keys cannot be read at the moment, and this key still opens."):
            if not KEY_ID.fullmatch(key_id):
                raise _unknown(key_id)
            if caller.communities is not None:
                await self._check(caller, key_id)
        with _translated(said):
            key = await self._whole(self._ring.revoke(key_id, by=_words(caller)))
        log.info("key %s was revoked by %s", key_id, _words(caller))
        return key

    async def close(self) -> None:
        """Wait for what has begun."""
        await asyncio.gather(*self._working, return_exceptions=True)

    async def _check(self, caller: Principal, key_id: str) -> None:
        if not caller.may_govern((await self._store.get(key_id)).communities):
            raise _unknown(key_id)

    async def _whole(self, work: Coroutine[Any, Any, _Changed]) -> _Changed:
        """To its end, also if nobody waits for it any more."""
        task = asyncio.ensure_future(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        return await asyncio.shield(task)


def _words(caller: Principal) -> str:
    return f"key {caller.key_id}"


def _unknown(key_id: str) -> UnknownKey:
    """The words of a store that has no such key."""
    return UnknownKey(f"There is no key {key_id[:16]!r}.")


@contextmanager
def _translated(sentence: str) -> Iterator[None]:
    """`sentence` is what a caller is told while the database is away; its own words are for the log."""
    try:
        yield
    except AccountsError as exc:
        raise from_accounts(exc) from exc
    except DatabaseError as exc:
        log.error("keys: %s", exc)
        raise KeysUnavailable(sentence) from exc
