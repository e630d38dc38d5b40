"""What was agreed with each community and each key: limits, what happens at a spent budget, and weight; and who knows it by heart.

`TermsStore` changes the table; `TermsBook` answers from memory and follows the table by its revision, beside the requests.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.registry import DatabaseError
from adapters.registry.database import Database
from server.accounts.entries import Allowed
from server.accounts.limits import UNLIMITED, Kind, Limits
from server.accounts.schema import accounts
from server.accounts.schema_ledger import terms

log = logging.getLogger("troupe.accounts")


class AtCap(StrEnum):
    """When a budget of tokens or money is spent."""

    REFUSE = "refuse"
    DEGRADE = "degrade"
    """Shorter answers of the base, last in turn and only while an engine is up anyway: see Request.degraded."""


@dataclass(frozen=True, slots=True)
class Terms:
    limits: Limits = UNLIMITED
    at_cap: AtCap = AtCap.REFUSE
    weight: int = 1
    """A community with twice the weight gets twice the tokens of another while both wait. Of a key it has no meaning."""

    def __post_init__(self) -> None:
        if not 1 <= self.weight <= 1000:
            raise ValueError(f"The weight is {self.weight}: it is from 1 to 1000.")


def community_account(community: str) -> str:
    return f"c:{community}"


def key_account(key_id: str) -> str:
    return f"k:{key_id}"


async def pass_on(connection: AsyncConnection, account: str, to: str) -> None:
    """What was agreed with `account`, if anything was, holds for `to` as well, which is new."""
    held = (await connection.execute(select(terms).where(terms.c.account == account))).mappings().first()
    if held is not None:
        await connection.execute(insert(terms).values({**held, "account": to}))


class TermsStore:
    """Errors leave it as adapters.registry.DatabaseError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, account: str, agreed: Terms) -> None:
        """In place of what there was. `account`: of `community_account` or `key_account`."""
        row = {"account": account, **asdict(agreed.limits), "at_cap": agreed.at_cap.value, "weight": agreed.weight}
        async with self._database.writing() as connection:
            await connection.execute(delete(terms).where(terms.c.account == account))
            await connection.execute(insert(terms).values(row))

    async def drop(self, account: str) -> None:
        """The default holds again."""
        async with self._database.writing() as connection:
            await connection.execute(delete(terms).where(terms.c.account == account))

    async def all(self) -> dict[str, Terms]:
        return (await self.since(None))[1]

    async def since(self, revision: int | None) -> tuple[int, dict[str, Terms]]:
        """The present revision, and all terms if it is another than `revision`."""
        async with self._database.reading() as connection:
            present = int((await connection.execute(select(accounts.c.revision))).scalar_one())
            if present == revision:
                return present, {}
            return present, {row["account"]: _terms(row) for row in (await connection.execute(select(terms))).mappings()}


class TermsBook:
    """Goes on with what it knows if the table cannot be read. Before the first `refresh` everybody has the defaults."""

    def __init__(self, store: TermsStore, *, community: Terms, key: Terms) -> None:
        """`community`, `key`: for those with whom nothing else was agreed."""
        self.community = community
        self.key = key
        self._store = store
        self._held: dict[str, Terms] = {}
        self._revision: int | None = None
        self._looking = asyncio.Lock()

    async def refresh(self) -> None:
        """What was agreed before this call holds after it. Raises adapters.registry.DatabaseError.

        Looks follow each other: an old one that took long would else bring back what held before.
        """
        async with self._looking:
            revision, held = await self._store.since(self._revision)
            if revision != self._revision:
                self._revision, self._held = revision, held

    async def follow(self, *, every: float) -> None:
        """Refresh every so many seconds, until cancelled."""
        while True:
            try:
                await self.refresh()
            except DatabaseError as exc:
                log.error("the terms of communities cannot be read: %s", exc)
            except Exception:  # a bug must not leave this gateway on one state for ever
                log.exception("the terms of communities cannot be read")
            await asyncio.sleep(every)

    def of_community(self, community: str) -> Terms:
        return self._held.get(community_account(community), self.community)

    def of_key(self, key_id: str) -> Terms:
        return self._held.get(key_account(key_id), self.key)

    def has(self, account: str) -> bool:
        """Whether anything but the default was agreed."""
        return account in self._held

    def allowed(self, community: str, key_id: str) -> Allowed:
        """For `Ledger.reserve`."""
        return Allowed(self.of_community(community).limits, self.of_key(key_id).limits)


def _terms(row: Mapping[Any, Any]) -> Terms:
    return Terms(Limits(**{kind.value: row[kind.value] for kind in Kind}), AtCap(row["at_cap"]), row["weight"])
