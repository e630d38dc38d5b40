"""Keys and books of an installation at its start: the tables opened, and the keys that nobody set made."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from server.accounts import KeyStore, Own, ensure_key, open_keys
from server.accounts.books import Books, open_books
from server.accounts.open_ledger import new_gateway
from server.gateway.settings import GatewaySettings


@dataclass(frozen=True, repr=False)
class Shown:
    """The texts of keys that whoever starts an installation is shown. Empty: there is none to show."""

    chat: str = ""
    """Each time: it is what newcomers paste."""
    admin: str = ""
    """Once, by the start that made it."""


@asynccontextmanager
async def opened_books(settings: GatewaySettings) -> AsyncIterator[tuple[Books, KeyStore]]:
    """Raises AccountsError or adapters.registry.DatabaseError."""
    async with open_books(
        settings.home,
        prices=settings.prices,
        community=settings.community_terms,
        key=settings.key_terms,
        gateway=new_gateway(),
        name=f"{socket.gethostname()}:{settings.port}",
        database_url=settings.database_url.get_secret_value(),
    ) as books:
        yield books, await open_keys(books.database, settings.home, pepper=settings.key_pepper.get_secret_value())


async def own_keys(settings: GatewaySettings, store: KeyStore) -> Shown:
    """See that there is a key of each kind that the settings do not name. Raises AccountsError or adapters.registry.DatabaseError."""
    chat = settings.api_key.get_secret_value() if settings.api_key else (await ensure_key(store, settings.home, Own.CHAT)).text
    if settings.evaluate_key is None:
        await ensure_key(store, settings.home, Own.EVALUATE)
    admin = None if settings.admin_key else await ensure_key(store, settings.home, Own.ADMIN)
    return Shown(chat, admin.text if admin and admin.is_new else "")
