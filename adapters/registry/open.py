"""Where a registry is kept, and how it is opened."""

import asyncio
from pathlib import Path

from adapters.registry.blobs import BlobStore
from adapters.registry.database import Database
from adapters.registry.errors import StoreError
from adapters.registry.index import Index
from adapters.registry.registry import Registry
from adapters.registry.schema import SCHEMA


def default_store(home: Path) -> str:
    """The folder below `home` where adapters are kept if no other store is set."""
    return str(home.expanduser().absolute() / "registry" / "store")


def default_database(home: Path) -> str:
    """The SQLite file below `home`, as a URL."""
    return f"sqlite:///{home.expanduser().absolute() / 'registry' / 'index.db'}"


async def open_registry(home: Path, *, store_url: str = "", database_url: str = "") -> Registry:
    """The registry of an installation, its database brought up to date.

    `store_url`: a folder or `s3://BUCKET/PREFIX`; `database_url`: `postgresql://USER:PASSWORD@HOST/NAME` or `sqlite:///PATH`. Empty,
    they are a folder and a SQLite file below `home`. Raises StoreError or DatabaseError.
    """
    blobs = BlobStore(store_url or default_store(home))
    database = Database(database_url or default_database(home), SCHEMA)
    try:
        await database.migrate()
        if not store_url:
            await asyncio.to_thread(_make_folder, default_store(home))
    except BaseException:  # whatever it was, its connection must not outlive it
        await database.close()
        raise
    return Registry(Index(database), blobs)


def _make_folder(path: str) -> None:
    """A store that is not there counts as lost, not as empty: ours is made with the rest of the home."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as exc:
        raise StoreError(f"The store {path} cannot be made ({exc.strerror}): make room, or set TROUPE_HOME or TROUPE_STORE_URL.") from exc
