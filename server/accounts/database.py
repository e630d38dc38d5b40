"""Where accounts are kept, and how their database is opened: a SQLite file of their own, or the registry's PostgreSQL server."""

from pathlib import Path

from adapters.registry.database import Database
from server.accounts import schema_feedback, schema_ledger  # noqa: F401  # declare their tables on the metadata that is compared with migrations
from server.accounts.schema import SCHEMA


def default_database(home: Path) -> str:
    """The SQLite file below `home`, as a URL. Not the registry's: each request is written here, and would hold up who publishes."""
    return f"sqlite:///{home.expanduser().absolute() / 'accounts' / 'accounts.db'}"


async def open_accounts(home: Path, *, database_url: str = "") -> Database:
    """Accounts' database, brought up to date; to be closed by the caller.

    `database_url`: the registry's own (TROUPE_DATABASE_URL), whose tables have other names; empty for a SQLite file below `home`.
    Raises adapters.registry.DatabaseError.
    """
    database = Database(database_url or default_database(home), SCHEMA)
    try:
        await database.migrate()
    except BaseException:  # whatever it was, its connection must not outlive it
        await database.close()
        raise
    return database
