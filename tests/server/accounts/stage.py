"""What tests of keys need: a clock that only moves when told, and stores and rings on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.registry.database import Database
from server.accounts import KeyStore, open_accounts, open_keys

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
PEPPER = "a pepper of more than 32 characters"


class StoppedClock:
    """The time of day and, on another dial, the seconds since something: both only move by `pass_by`."""

    def __init__(self) -> None:
        self.at = START
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds

    def pass_by(self, passed: timedelta) -> None:
        self.at += passed
        self.seconds += passed.total_seconds()


@asynccontextmanager
async def opened(home: Path, database_url: str, *, clock: StoppedClock | None = None, pepper: str = PEPPER) -> AsyncIterator[KeyStore]:
    """A store on that database, brought up to date."""
    database: Database = await open_accounts(home, database_url=database_url)
    try:
        yield await open_keys(database, home, pepper=pepper, now=(clock or StoppedClock()).now)
    finally:
        await database.close()
