"""What is written together, in one transaction, and who can write it.

Group commit: whatever came in while the last transaction was on its way to the disk goes into the next one, so that the price of an
fsync is shared by all who wait for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from server.accounts.entries import Charge, Request, Reservation
from server.accounts.limits import Standing, Want
from server.accounts.refusals import LedgerError


@dataclass(frozen=True, slots=True)
class Wanted:
    """One reservation to be made, or not."""

    request: Request
    community: Want
    key: Want
    now_ns: int

    def granted(self, day: str, community_until: tuple[int, int], key_until: tuple[int, int]) -> Reservation:
        """`…_until`: `requests_until` and `tokens_until` of that account, as they are now."""
        return Reservation(
            self.request,
            day,
            self.community.tokens,
            self.community.money,
            self.community.token_ns,
            self.key.token_ns,
            Standing(self.now_ns, ((self.community.limits, *community_until), (self.key.limits, *key_until))),
        )


@dataclass(frozen=True, slots=True)
class Note:
    """How much of an answer was streamed: what is charged if the gateway dies now."""

    request_id: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Charges are written first: they free what reservations want."""

    wanted: Sequence[Wanted] = ()
    charges: Sequence[Charge] = ()
    notes: Sequence[Note] = ()
    beat: bool = False
    """Say that this gateway lives."""


@dataclass(frozen=True, slots=True)
class OpenRow:
    """A reservation whose gateway is dead."""

    request: Request
    day: str
    tokens: int
    money: int
    noted: int


class NotWritten(Exception):
    """The batch could not be written. `uncertain`: or it was, and the answer was lost."""

    def __init__(self, sentence: str, *, uncertain: bool = False) -> None:
        super().__init__(sentence)
        self.uncertain = uncertain


class Writer(Protocol):
    """A ledger's storage. One batch at a time."""

    async def open(self) -> None:
        """Say that this gateway begins. Raises NotWritten."""

    async def write(self, batch: Batch) -> list[Reservation | LedgerError]:
        """All of it or nothing, on the disk when it returns: an answer to each of `batch.wanted`. Raises NotWritten.

        A charge for a request that is not open (any more) changes nothing.
        """

    async def abandoned(self) -> list[OpenRow]:
        """Open rows of gateways that are dead for certain; some of them, if there are very many. Raises NotWritten."""

    async def close(self) -> None:
        """This gateway ends."""


@dataclass(slots=True)
class MemoryWriter:
    """The fake: grants everything and keeps it, until told to fail."""

    answers: list[LedgerError] = field(default_factory=list)
    """Given in turn in place of grants."""
    failure: NotWritten | None = None
    batches: list[Batch] = field(default_factory=list)
    rows: list[OpenRow] = field(default_factory=list)

    async def open(self) -> None:
        return None

    async def write(self, batch: Batch) -> list[Reservation | LedgerError]:
        if self.failure is not None:
            raise self.failure
        self.batches.append(batch)
        return [self.answers.pop(0) if self.answers else wanted.granted("2026-11-21", (0, 0), (0, 0)) for wanted in batch.wanted]

    async def abandoned(self) -> list[OpenRow]:
        rows, self.rows = self.rows, []
        return rows

    async def close(self) -> None:
        return None
