"""The books of a gateway: its ledger, what was agreed with whom and the lives of its engines, on one database.

    async with open_books(home, prices=…, community=Terms(…), key=Terms(…), gateway=new_gateway(), name="127.0.0.1:8000") as books:
        keys = await open_keys(books.database, home, pepper=…)      # the same database, opened once
        reservation = await books.ledger.reserve(Request(…), books.terms.allowed(community, key_id))

`books.terms.follow` runs beside the requests, and so does what tells `books.lives` of engines. Knows nothing of HTTP, engines or settings.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.registry.database import Database
from server.accounts.database import open_accounts
from server.accounts.engine_lives import EngineLives
from server.accounts.ledger import Ledger
from server.accounts.open_ledger import open_ledger
from server.accounts.prices import Prices
from server.accounts.terms import Terms, TermsBook, TermsStore


@dataclass(frozen=True)
class Books:
    """Open until whoever opened them ends the `open_books` that they are from."""

    database: Database
    """Of keys too, and what usage is read from."""
    prices: Prices
    ledger: Ledger
    terms: TermsBook
    """In memory: to be asked for each request."""
    terms_store: TermsStore
    """The table: to be changed. `terms.refresh()` afterwards lets a change hold here at once."""
    lives: EngineLives
    clock_ns: Callable[[], int] = time.time_ns
    """Unix nanoseconds: what time it is in all of them."""


@asynccontextmanager
async def open_books(
    home: Path,
    *,
    prices: Prices,
    community: Terms,
    key: Terms,
    gateway: str,
    name: str = "",
    database_url: str = "",
    clock_ns: Callable[[], int] = time.time_ns,
) -> AsyncIterator[Books]:
    """Tables brought up to date, what dead gateways left open closed, terms read; closed at the end, when all that was settled is on disk.

    `community`, `key`: the terms of those with whom nothing else was agreed. `gateway`: of `new_gateway`. `name`, `database_url`: as for
    `open_ledger`. `clock_ns`: Unix nanoseconds. Raises LedgerUnavailable or adapters.registry.DatabaseError.
    """
    database = await open_accounts(home, database_url=database_url)
    try:
        store = TermsStore(database)
        terms = TermsBook(store, community=community, key=key)
        await terms.refresh()
        ledger = await open_ledger(home, prices, gateway=gateway, name=name, database_url=database_url, clock_ns=clock_ns)
        try:
            yield Books(database, prices, ledger, terms, store, EngineLives(database, prices, gateway, clock_ns=clock_ns), clock_ns)
        finally:
            await ledger.close()
    finally:
        await database.close()
