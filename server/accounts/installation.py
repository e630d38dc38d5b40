"""The keys that an installation makes for itself at its first start: one to chat, one to evaluate, one to administer.

They lie in `home/keys/{chat,evaluate,admin}`, files that only the owner can read: `troupe up` shows the first, so that there is something
to paste, and commands on this machine read them. They are rows of the table like all others, to be listed, replaced and revoked there;
a file that is there at the first start, from before there was a table, becomes a row then, and its key goes on opening.

What is written in a file never brings a key back: a file whose key was revoked, or has expired, is a file with a text that opens nothing.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

from server.accounts.errors import KeyFileError, UnknownKey
from server.accounts.kept import keep, read_kept
from server.accounts.key import Key
from server.accounts.key_text import make_key, parse_key
from server.accounts.keys import KeyStore
from server.accounts.principal import Scope

BY = "this installation"


class Own(Enum):
    """Which keys an installation has of its own, by the names of their files, and what they open, for all communities."""

    CHAT = "chat"
    EVALUATE = "evaluate"
    ADMIN = "admin"

    @property
    def scopes(self) -> frozenset[Scope]:
        return _SCOPES[self]


_SCOPES = {
    Own.CHAT: frozenset({Scope.CHAT}),
    Own.EVALUATE: frozenset({Scope.CHAT, Scope.EVALUATE}),
    Own.ADMIN: frozenset({Scope.ADMIN, Scope.PUBLISH}),
}


@dataclass(frozen=True, repr=False)
class Kept:
    """What the file holds, if it opens anything; else empty: the key was made elsewhere, or has ended."""

    text: str
    is_new: bool
    """No gateway knew this key before: it is to be shown, this once."""


async def ensure_key(store: KeyStore, home: Path, own: Own) -> Kept:
    """See that there is such a key: take the one in the file, or make one and keep it there first, so that no crash loses it.

    One to administer is made whenever none opens any more, so that nobody is locked out for ever; the others once in the life of a
    database: whoever revoked them wanted none. Of several gateways that start on one database, one makes it. Raises KeyFileError or
    DatabaseError.
    """
    path = _path(home, own)
    try:
        return await _ensure(store, path, own)
    except (OSError, ValueError) as exc:
        raise KeyFileError(f"The key in {path} cannot be read or made ({exc}): mend its permissions or make room.") from exc


async def _ensure(store: KeyStore, path: Path, own: Own) -> Kept:
    text = await asyncio.to_thread(read_kept, path)
    if text:
        key_id = parse_key(text)
        if key_id is None:
            raise KeyFileError(f"The text in {path} is no key of Troupe's: remove the file, or say it in the settings instead.")
        if await store.adopt(text, own.value, own.scopes, by=BY):
            return Kept(text, is_new=True)
        if await _opens(store, key_id):
            return Kept(text, is_new=False)
    if not _is_wanted(own, await store.list(), store.now()):
        # Another process of this home may have kept and made it since the file was read.
        text = await asyncio.to_thread(read_kept, path)
        key_id = parse_key(text)
        return Kept(text if key_id is not None and await _opens(store, key_id) else "", is_new=False)
    if text:
        await asyncio.to_thread(path.unlink, missing_ok=True)
    text = await asyncio.to_thread(keep, path, make_key().text)
    if await store.adopt(text, own.value, own.scopes, by=BY, unless=lambda held: not _is_wanted(own, held, store.now())):
        return Kept(text, is_new=True)
    key_id = parse_key(text)
    if key_id is not None and await _opens(store, key_id):
        return Kept(text, is_new=False)  # another process of this home kept it there
    await asyncio.to_thread(path.unlink, missing_ok=True)
    return Kept("", is_new=False)


def _path(home: Path, own: Own) -> Path:
    return home.expanduser().absolute() / "keys" / own.value


async def _opens(store: KeyStore, key_id: str) -> bool:
    try:
        return (await store.get(key_id)).opens(store.now())
    except UnknownKey:
        return False


def _is_wanted(own: Own, held: Sequence[Key], now: datetime) -> bool:
    if own is Own.ADMIN:
        return not any(Scope.ADMIN in key.scopes and key.communities is None and key.opens(now) for key in held)
    return not any(key.name == own.value and key.created_by == BY for key in held)
