"""Gathering, retrying and giving up, with a writer that fails as it is told."""

import asyncio

import pytest

from server.accounts.batch import Batch, MemoryWriter, NotWritten, OpenRow
from server.accounts.entries import Outcome, Reservation
from server.accounts.ledger import Ledger
from server.accounts.refusals import LedgerError, LedgerUnavailable
from tests.server.accounts.ledger.desk import DONE, PRICES, allowed, request, until


async def test_what_comes_at_the_same_time_is_written_together() -> None:
    """A charge waits a moment for company; a reservation takes it along at once."""
    writer = MemoryWriter()
    ledger = Ledger(writer, PRICES, linger=60)
    await ledger.open()
    first = await asyncio.gather(*(ledger.reserve(request(), allowed()) for _ in range(10)))
    assert [len(batch.wanted) for batch in writer.batches] == [10]
    settled = [ledger.settle(each, DONE) for each in first]
    await ledger.reserve(request(), allowed())
    await asyncio.gather(*settled)
    assert [(len(batch.wanted), len(batch.charges)) for batch in writer.batches[1:]] == [(1, 10)]
    await ledger.close()


class Slow(MemoryWriter):
    """Keeps every batch until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()

    async def write(self, batch: Batch) -> list[Reservation | LedgerError]:
        await self.go.wait()
        return await super().write(batch)


async def test_a_charge_that_comes_while_a_transaction_is_under_way_waits_for_company_too() -> None:
    writer = Slow()
    ledger = Ledger(writer, PRICES, linger=60)
    await ledger.open()
    writer.go.set()
    first = await ledger.reserve(request(), allowed())
    writer.go.clear()
    second = asyncio.create_task(ledger.reserve(request(), allowed()))
    await asyncio.sleep(0.01)  # its batch is being written
    settled = ledger.settle(first, DONE)
    writer.go.set()
    await second
    await asyncio.sleep(0.01)
    assert not settled.done()
    await ledger.reserve(request(), allowed())
    await settled
    assert [(len(batch.wanted), len(batch.charges)) for batch in writer.batches] == [(1, 0), (1, 0), (1, 1)]
    await ledger.close()


async def test_charges_are_kept_in_order_until_they_are_written() -> None:
    """Reservations are not: whoever asked was told."""
    writer = MemoryWriter()
    ledger = Ledger(writer, PRICES, linger=0)
    await ledger.open()
    first, second = [await ledger.reserve(request(), allowed()) for _ in range(2)]
    writer.failure = NotWritten("The disk is away.")
    settled = [ledger.settle(first, DONE), ledger.settle(second, DONE)]
    with pytest.raises(LedgerUnavailable):
        await ledger.reserve(request(), allowed())
    assert (ledger.failure, ledger.unsettled) == ("The disk is away.", 2)
    writer.failure = None
    await asyncio.gather(*settled)
    charged = [charge.reservation for batch in writer.batches for charge in batch.charges]
    assert charged == [first, second]
    await ledger.close()


async def test_what_may_have_been_written_is_released() -> None:
    """Where the answer was lost, nobody would settle it."""
    writer = MemoryWriter(failure=NotWritten("The connection was lost.", uncertain=True))
    ledger = Ledger(writer, PRICES)
    writer_opens, writer.failure = writer.failure, None
    await ledger.open()
    writer.failure = writer_opens
    asked = request()
    with pytest.raises(LedgerUnavailable):
        await ledger.reserve(asked, allowed())
    writer.failure = None
    await ledger.close()
    released = [charge for batch in writer.batches for charge in batch.charges]
    assert [(charge.reservation.request, charge.settlement.outcome, charge.money) for charge in released] == [(asked, Outcome.FAILED, 0)]


class Buggy(MemoryWriter):
    """Raises what no writer should, the first time."""

    bugs = 1

    async def write(self, batch: Batch) -> list[Reservation | LedgerError]:
        if self.bugs:
            self.bugs -= 1
            raise ZeroDivisionError
        return await super().write(batch)


async def test_a_bug_of_a_writer_does_not_end_the_writing() -> None:
    ledger = Ledger(Buggy(), PRICES)
    await ledger.open()
    with pytest.raises(LedgerUnavailable):
        await ledger.reserve(request(), allowed())
    await until(lambda: ledger.failure is None)
    await ledger.settle(await ledger.reserve(request(), allowed()), DONE)
    await ledger.close()


async def test_what_streams_is_noted_only_when_it_moved() -> None:
    writer = MemoryWriter()
    ledger = Ledger(writer, PRICES, note_every=0.01)
    await ledger.open()
    quiet, loud = [await ledger.reserve(request(), allowed()) for _ in range(2)]
    ledger.note(loud, 7)
    await until(lambda: loud.noted == 7)
    await asyncio.sleep(0.05)
    notes = [note for batch in writer.batches for note in batch.notes]
    assert [(note.request_id, note.tokens) for note in notes] == [(loud.request.id, 7)]
    await asyncio.gather(ledger.settle(quiet, DONE), ledger.settle(loud, DONE))
    await ledger.close()


@pytest.mark.parametrize(("noted", "tokens", "cost"), [(0, 0, 0), (4, 14, 18)])
async def test_a_lost_request_is_charged_what_was_noted(noted: int, tokens: int, cost: int) -> None:
    """The prompt too, once there was an answer; nothing if there was none."""
    writer = MemoryWriter(rows=[OpenRow(request(), "2026-11-21", 30, 50, noted)])
    ledger = Ledger(writer, PRICES)
    await ledger.open()
    (charge,) = writer.batches[0].charges
    assert (charge.settlement.outcome, charge.tokens, charge.money) == (Outcome.LOST, tokens, cost)
    await ledger.close()
