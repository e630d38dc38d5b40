"""The installation's pepper: what is hashed with every key, and is kept apart from the table of hashes."""

import asyncio
import hashlib
from pathlib import Path

from sqlalchemy import select, update

from adapters.registry.database import Database
from server.accounts.errors import PepperError
from server.accounts.kept import keep, make_pepper, read_kept
from server.accounts.schema import accounts, keys
from server.accounts.times import Clock, as_text

MIN_LENGTH = 32


async def open_pepper(database: Database, home: Path, configured: str = "") -> bytes:
    """`configured` (TROUPE_KEY_PEPPER, the same for all gateways of one database), or the file `home/keys/pepper`, made at the first start.

    The table remembers a hash of the first one, so that another one is told from wrong keys. Raises PepperError or DatabaseError.
    """
    async with database.reading() as connection:
        is_new = (await connection.execute(select(accounts.c.pepper_check))).scalar_one() is None
    pepper = _checked(configured) if configured else await asyncio.to_thread(_kept, _path(home), is_new)
    check = hashlib.sha256(b"pepper check" + pepper).hexdigest()
    async with database.noting() as connection:
        await connection.execute(update(accounts).where(accounts.c.pepper_check.is_(None)).values(pepper_check=check))
        held = (await connection.execute(select(accounts.c.pepper_check))).scalar_one()
    if held != check:
        raise PepperError(
            f"The keys in the database {database} were made with another pepper: set TROUPE_KEY_PEPPER to the one of the gateway that"
            f" made them (there in TROUPE_HOME/keys/pepper), or put that file to {_path(home)}."
        )
    return pepper


async def forget_pepper(database: Database, *, by: str, now: Clock) -> None:
    """For when it is lost: end all keys, which nobody can check any more, and let the next start make a new one. Raises DatabaseError."""
    async with database.writing() as connection:
        revision = select(accounts.c.revision).scalar_subquery()
        ended = {"revoked_at": as_text(now()), "revoked_by": by, "changed": revision}
        await connection.execute(update(keys).where(keys.c.revoked_at.is_(None)).values(**ended))
        await connection.execute(update(accounts).values(pepper_check=None))


def _kept(path: Path, is_new: bool) -> bytes:
    try:
        pepper = read_kept(path)
        if not pepper and is_new:
            pepper = keep(path, make_pepper())
    except (OSError, ValueError) as exc:
        raise PepperError(f"The pepper {path} cannot be read or made ({exc}): mend its permissions or make room.") from exc
    if not pepper:
        raise PepperError(f"The pepper {path} is gone, and with it every key: put a copy back, or set TROUPE_KEY_PEPPER to it.")
    return _checked(pepper)


def _checked(pepper: str) -> bytes:
    if len(pepper) < MIN_LENGTH:
        raise PepperError(f"A pepper needs {MIN_LENGTH} characters or more: set TROUPE_KEY_PEPPER to what `openssl rand -hex 32` prints.")
    return pepper.encode()


def _path(home: Path) -> Path:
    return home.expanduser().absolute() / "keys" / "pepper"
