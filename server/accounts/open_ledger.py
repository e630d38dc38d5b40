"""How a gateway gets its ledger: which writer fits which database."""

import socket
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from sqlalchemy.engine import URL

from adapters.registry.database import read_url
from server.accounts.batch import Writer
from server.accounts.database import default_database
from server.accounts.ledger import Ledger
from server.accounts.postgres_writer import PostgresWriter
from server.accounts.prices import Prices
from server.accounts.sqlite_writer import SqliteWriter


def new_gateway() -> str:
    """An id for this process: for its ledger and its EngineLives."""
    return uuid4().hex


async def open_ledger(
    home: Path, prices: Prices, *, gateway: str, name: str = "", database_url: str = "", clock_ns: Callable[[], int] = time.time_ns
) -> Ledger:
    """Of a database that `open_accounts` has brought up to date; what dead gateways left open is closed. To be closed by the caller.

    `gateway`: of `new_gateway`. `name`: of the place it runs in, as `host:port`, which no other gateway has while it runs: with
    PostgreSQL the next one of that name closes at once what this one leaves open, others after half a minute. `database_url`: as for
    `open_accounts`. `clock_ns`: Unix nanoseconds. Raises LedgerUnavailable, or adapters.registry.DatabaseError for a URL that is none.
    """
    ledger = Ledger(make_writer(home, gateway=gateway, name=name, database_url=database_url), prices, clock_ns=clock_ns)
    await ledger.open()
    return ledger


def make_writer(home: Path, *, gateway: str, name: str = "", database_url: str = "") -> Writer:
    """Raises adapters.registry.DatabaseError."""
    url = read_url(database_url or default_database(home))
    if url.get_backend_name() == "sqlite":
        return SqliteWriter(Path(str(url.database)), gateway)
    return PostgresWriter(_for_asyncpg(url), gateway, name=name or f"{socket.gethostname()} {gateway}")


def _for_asyncpg(url: URL) -> str:
    """As libpq writes it, password included: never into a log."""
    if mode := url.query.get("ssl"):
        url = url.difference_update_query(["ssl"]).update_query_dict({"sslmode": mode})
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
