"""The two ways to the keys of an installation: through a gateway's admin API, and at its database. Both tell of a key as the API does."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol

from adapters.cli.admin_api import AdminApi
from adapters.cli.errors import BadUsage, CommandError, NoSuch
from adapters.registry.errors import DatabaseError
from adapters.settings import RegistrySettings
from server.accounts import AccountsError, Created, Key, KeyStore, UnknownKey, open_accounts, open_keys
from server.accounts.keys import MAX_LIFE

Told = dict[str, Any]
"""A key in the admin API's shape; with its text, `key`, where it was just made."""


class Keys(Protocol):
    """Raises CommandError."""

    def list(self) -> list[Told]: ...
    def create(self, name: str, scopes: tuple[str, ...], communities: tuple[str, ...] | None, lasts: int | None) -> Told: ...
    def rotate(self, key_id: str, overlap: int | None) -> Told: ...
    def revoke(self, key_id: str) -> Told: ...


class GatewayKeys:
    """Those of the communities that the caller's own key administers."""

    def __init__(self, api: AdminApi) -> None:
        self._api = api

    def list(self) -> list[Told]:
        found: list[Told] = self._api.ask("GET", "/keys").content["keys"]
        return found

    def create(self, name: str, scopes: tuple[str, ...], communities: tuple[str, ...] | None, lasts: int | None) -> Told:
        asked: Told = {"name": name, "scopes": list(scopes), "communities": None if communities is None else list(communities)}
        return self._told("POST", "/keys", asked if lasts is None else {**asked, "expires_in": lasts})

    def rotate(self, key_id: str, overlap: int | None) -> Told:
        return self._told("POST", f"/keys/{key_id}/rotate", {} if overlap is None else {"overlap": overlap})

    def revoke(self, key_id: str) -> Told:
        return self._told("DELETE", f"/keys/{key_id}")

    def _told(self, method: str, path: str, asked: Told | None = None) -> Told:
        told: Told = self._api.ask(method, path, json=asked).content
        return told


class LocalKeys:
    """All of them, with no key needed: whoever can read the database and the pepper owns the installation anyway.

    A gateway that runs follows within a second.
    """

    def __init__(self, runner: asyncio.Runner, store: KeyStore) -> None:
        self._run = runner.run
        self._store = store
        self._by = f"uid {os.getuid()} on the gateway's machine"

    def list(self) -> list[Told]:
        return [self._shown(key) for key in self._run(self._store.list())]

    def create(self, name: str, scopes: tuple[str, ...], communities: tuple[str, ...] | None, lasts: int | None) -> Told:
        if lasts is not None and lasts > MAX_LIFE.total_seconds():
            raise BadUsage(f"A key lasts {MAX_LIFE.days // 365} years at most: choose a shorter time, or none.")
        expires_at = None if lasts is None else self._store.now() + timedelta(seconds=lasts)
        return self._made(self._run(self._store.create(name, scopes, communities, by=self._by, expires_at=expires_at)))

    def rotate(self, key_id: str, overlap: int | None) -> Told:
        lapse = {} if overlap is None else {"overlap": timedelta(seconds=overlap)}
        created = self._run(self._store.rotate(key_id, by=self._by, **lapse))
        assert created.replaced is not None
        return {**self._made(created), "replaces": self._shown(created.replaced)}

    def revoke(self, key_id: str) -> Told:
        return self._shown(self._run(self._store.revoke(key_id, by=self._by)))

    def _made(self, created: Created) -> Told:
        return {**self._shown(created.key), "key": created.text}

    def _shown(self, key: Key) -> Told:
        return {**key.to_json(), "opens": key.opens(self._store.now())}


@contextmanager
def local_keys(settings: RegistrySettings) -> Iterator[LocalKeys]:
    """The keys in the database of `settings`. Raises CommandError."""
    try:
        with asyncio.Runner() as runner:
            database = runner.run(open_accounts(settings.home, database_url=settings.database_url))
            try:
                yield LocalKeys(runner, runner.run(open_keys(database, settings.home, pepper=settings.key_pepper)))
            finally:
                runner.run(database.close())
    except UnknownKey as exc:
        raise NoSuch(f"{exc} `troupe keys list --local` shows them.") from exc
    except (AccountsError, DatabaseError) as exc:
        raise CommandError(str(exc)) from exc
