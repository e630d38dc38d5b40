"""The keys of an installation at its start: the table opened, and the ones that nobody set made."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from server.accounts import KeyStore, Own, ensure_key, open_accounts, open_keys
from server.gateway.settings import GatewaySettings


@dataclass(frozen=True, repr=False)
class Shown:
    """The texts of keys that whoever starts an installation is shown. Empty: there is none to show."""

    chat: str = ""
    """Each time: it is what newcomers paste."""
    admin: str = ""
    """Once, by the start that made it."""


@asynccontextmanager
async def opened_keys(settings: GatewaySettings) -> AsyncIterator[KeyStore]:
    """Raises AccountsError or adapters.registry.DatabaseError."""
    database = await open_accounts(settings.home, database_url=settings.database_url.get_secret_value())
    try:
        yield await open_keys(database, settings.home, pepper=settings.key_pepper.get_secret_value())
    finally:
        await database.close()


async def own_keys(settings: GatewaySettings, store: KeyStore) -> Shown:
    """See that there is a key of each kind that the settings do not name. Raises AccountsError or adapters.registry.DatabaseError."""
    chat = settings.api_key.get_secret_value() if settings.api_key else (await ensure_key(store, settings.home, Own.CHAT)).text
    if settings.evaluate_key is None:
        await ensure_key(store, settings.home, Own.EVALUATE)
    admin = None if settings.admin_key else await ensure_key(store, settings.home, Own.ADMIN)
    return Shown(chat, admin.text if admin and admin.is_new else "")
