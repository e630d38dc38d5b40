"""Whom a key belongs to, answered from memory: the table of keys as it was a moment ago, followed by its revision.

A gateway holds one ring and makes, replaces and revokes keys through it: what it did itself holds for it at once. What was done elsewhere
holds from its next look on. If the table cannot be read it goes on with what it knows, but not for ever: a key that somebody revoked
meanwhile would still open. After `trust` seconds without a look that worked nobody is let in, until one works.
"""

import asyncio
import hmac
import logging
import math
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from adapters.registry import DatabaseError
from server.accounts.errors import InvalidKey, KeysUnavailable
from server.accounts.key import Created, Key
from server.accounts.key_text import MAX_LENGTH, parse_key
from server.accounts.keys import OVERLAP, Hashed, KeyStore
from server.accounts.principal import Principal, check_grant

log = logging.getLogger("troupe.accounts")

FOLLOW_SECONDS = 0.25
"""Between two looks: so a revocation elsewhere holds here well within a second."""
TRUST_SECONDS = 30.0
"""Longer than a database needs to fail over. Without it nothing can be reserved, and so nothing be generated, in any case."""
LOOK_SECONDS = 10.0
"""How long one look may take."""
NOTE_SECONDS = 60.0
"""Between two notes of when keys were used."""


@dataclass(frozen=True, repr=False)
class ConfiguredKey:
    """A key that the settings name, of any form, for all communities. The settings are its only place: it ends when they change.

    It counts for nothing where the table has a key with its id, so that a revoked key never comes back through the environment.
    """

    name: str
    """`chat`: its key_id, which bills refer to, is `set-chat`. No key of the table has a dash in its id."""
    text: str
    scopes: frozenset[str]


@dataclass(slots=True)
class _Held:
    hash: bytes
    principal: Principal | None
    ends: float
    """Unix time from which on it opens nothing."""


class KeyRing:
    def __init__(
        self,
        store: KeyStore,
        *,
        configured: Iterable[ConfiguredKey] = (),
        trust: float = TRUST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Empty, and so closed, until the first `refresh`. `trust`: seconds. Raises BadGrant for scopes that exclude each other."""
        self._store = store
        self._trust = trust
        self._clock = clock
        self._held: dict[str | None, _Held] = {}
        self._nobody = _Held(secrets.token_bytes(32), None, ends=-math.inf)
        """What unknown ids are compared with: they take the same way as known ones."""
        self._configured = {store.hash(key.text): Principal(f"set-{key.name}", *check_grant(key.scopes, None)) for key in configured}
        self._revision: int | None = None
        self._seen_at = -math.inf
        self._looking = asyncio.Lock()
        self._failure: str | None = None
        self._ended_here: dict[str, float] = {}
        self._used: dict[str, datetime] = {}

    @property
    def failure(self) -> str | None:
        """Why the last look at the table brought nothing, one sentence; None while it works."""
        return self._failure

    @property
    def is_trusted(self) -> bool:
        """Whether anybody can be let in: the table was read, and not too long ago."""
        return self._clock() - self._seen_at <= self._trust

    def find(self, text: str) -> Principal:
        """Whose key this is. In memory only, and the same work for every text that could be a key, right or wrong.

        Raises InvalidKey, with the same words whatever is wrong, or KeysUnavailable.
        """
        if self._clock() - self._seen_at > self._trust:
            raise KeysUnavailable
        if len(text) > MAX_LENGTH:
            raise InvalidKey
        given = self._store.hash(text)
        held = self._held.get(parse_key(text), self._nobody)
        is_right = hmac.compare_digest(given, held.hash)
        configured = self._configured.get(given)  # by its hash, which nobody can aim: how long this takes tells nothing
        now = self._store.now()
        principal = held.principal if is_right and now.timestamp() < held.ends else None
        if principal is None and held is self._nobody:
            principal = configured
        if principal is None:
            raise InvalidKey
        self._used[principal.key_id] = now
        return principal

    async def refresh(self) -> None:
        """Look at the table now: what was written before this call holds after it. Raises DatabaseError or KeysUnavailable."""
        async with self._looking:
            began = self._clock()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    changes = await self._store.changes(self._revision)
            except (DatabaseError, TimeoutError) as exc:
                self._note(exc)
                if isinstance(exc, DatabaseError):
                    raise
                raise KeysUnavailable from exc
            if changes.is_whole:
                self._held.clear()
            for hashed in changes.keys:
                self._hold(hashed)
            self._revision, self._seen_at = changes.revision, began
            self._note(None)

    async def follow(self, *, every: float = FOLLOW_SECONDS) -> None:
        """Refresh every so many seconds and note now and then when keys were used, until cancelled."""
        noted_at = self._clock()
        while True:
            try:
                with suppress(DatabaseError, KeysUnavailable):
                    await self.refresh()
                    if self._clock() - noted_at >= NOTE_SECONDS:
                        noted_at = self._clock()
                        await self.note_used()
            except Exception:  # a bug must not leave this gateway with the keys of this moment: it is logged, and `trust` runs out
                log.exception("the keys could not be read")
                self._failure = "Keys cannot be read: the gateway's log says why."
            await asyncio.sleep(every)

    async def note_used(self) -> None:
        """Write down when keys were used: now and then by `follow`, and to be called once at the end. Raises DatabaseError."""
        uses, self._used = self._used, {}
        try:
            await self._store.note_used(uses)
        except DatabaseError:
            self._used = uses | self._used
            raise

    async def create(
        self, name: str, scopes: Iterable[str], communities: Iterable[str] | None = None, *, by: str, expires_at: datetime | None = None
    ) -> Created:
        """As KeyStore.create; it opens here at once."""
        created = await self._store.create(name, scopes, communities, by=by, expires_at=expires_at)
        self._hold(Hashed(created.key, self._store.hash(created.text)))
        return created

    async def rotate(self, key_id: str, *, by: str, overlap: timedelta = OVERLAP) -> Created:
        """As KeyStore.rotate; it holds here at once."""
        created = await self._store.rotate(key_id, by=by, overlap=overlap)
        self._hold(Hashed(created.key, self._store.hash(created.text)))
        if created.replaced is not None:
            self._end(created.replaced.id, _ends(created.replaced))
        return created

    async def revoke(self, key_id: str, *, by: str) -> Key:
        """As KeyStore.revoke; it holds here at once, and even if the table cannot be written, which is to be tried again then."""
        self._end(key_id, -math.inf)
        return await self._store.revoke(key_id, by=by)

    def _hold(self, hashed: Hashed) -> None:
        key = hashed.key
        ends = min(_ends(key), self._ended_here.get(key.id, math.inf))
        self._held[key.id] = _Held(hashed.hash, key.principal, ends)

    def _end(self, key_id: str, ends: float) -> None:
        """Remembered, so that a look that began before and ends after it brings no key back."""
        self._ended_here[key_id] = min(ends, self._ended_here.get(key_id, math.inf))
        if held := self._held.get(key_id):
            self._held[key_id] = replace(held, ends=min(held.ends, ends))

    def _note(self, error: Exception | None) -> None:
        """One line of the log when it begins to fail, when it fails in another way, and when it works again."""
        failure = None if error is None else f"Keys cannot be read ({type(error).__name__}): the gateway's log says why."
        if failure == self._failure:
            return
        if error is None:
            log.warning("keys can be read again")
        else:
            log.error("keys cannot be read: %s", str(error) or type(error).__name__)
        self._failure = failure


def _ends(key: Key) -> float:
    if key.revoked_at is not None:
        return -math.inf
    return math.inf if key.expires_at is None else key.expires_at.timestamp()
