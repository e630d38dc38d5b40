"""The ledger: nothing runs that it has not written down first, and nothing that it has written down is settled twice or never.

    reservation = await ledger.reserve(Request(…), Allowed(community=Limits(…), key=Limits(…)))   # on disk when it returns
    ledger.note(reservation, tokens)             # as the answer streams; cheap, in memory, on disk within a second
    await ledger.settle(reservation, Settlement(Outcome.COMPLETE, …))       # or leave it unawaited: it is kept until it is on disk

Knows nothing of HTTP, engines or keys. Where and how it is written is a Writer's business (batch.py, sqlite_writer.py,
postgres_writer.py); this gathers what comes in at the same time, retries what must not be lost, and gives up what may.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable

from server.accounts.batch import Batch, Note, NotWritten, Wanted, Writer
from server.accounts.entries import Allowed, Charge, Outcome, Request, Reservation, Settlement
from server.accounts.limits import Want, day_of
from server.accounts.prices import Prices
from server.accounts.recovery import lost
from server.accounts.refusals import LedgerError, LedgerUnavailable

log = logging.getLogger("troupe.accounts")

LINGER_SECONDS = 0.005
"""A charge that nobody reserves beside waits so long for company: nobody waits for it, and it saves an fsync."""
PATIENCE_SECONDS = 5.0
"""How long a reservation may wait for a disk that does not come back."""
NOTE_SECONDS = 1.0
IDLE_BEATS = 10
"""With nothing in flight a gateway says that it lives every so many notes: a disk that sleeps should be let sleep."""
RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0)
BATCH = 64
"""Reservations in one transaction: so that none holds up the event loop for more than about a millisecond."""

_Waiting = tuple[Wanted, "asyncio.Future[Reservation]"]
_Settling = tuple[Charge, "asyncio.Future[None]"]

UNAVAILABLE = "Requests cannot be written down at the moment, so none are answered. Try again in a moment."

SILENT = "The disk or the database that holds the ledger does not answer."


class Ledger:
    """For one event loop. `open` before the first use; `close` waits for what is on its way to the disk."""

    def __init__(
        self,
        writer: Writer,
        prices: Prices,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        linger: float = LINGER_SECONDS,
        patience: float = PATIENCE_SECONDS,
        note_every: float = NOTE_SECONDS,
    ) -> None:
        """`clock_ns`: Unix time in nanoseconds; days and months are UTC by it."""
        self._writer = writer
        self._prices = prices
        self._clock_ns = clock_ns
        self._linger = linger
        self._patience = patience
        self._note_every = note_every
        self._waiting: deque[_Waiting] = deque()
        self._settling: deque[_Settling] = deque()
        self._being_settled = 0
        """In the transaction that is under way."""
        self._open: dict[str, Reservation] = {}
        self._notes: list[tuple[Note, Reservation]] = []
        self._beat = False
        self._look = False
        self._news = asyncio.Event()
        self._lingering: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._failure: str | None = None
        self._failures = 0
        self._refuse_until = 0.0
        self._stalled = False
        self._closing = False

    @property
    def failure(self) -> str | None:
        """Why the last transaction was not written, one sentence for the operator; None while all is well."""
        return self._failure or (SILENT if self._stalled else None)

    @property
    def unsettled(self) -> int:
        """Reservations of this gateway whose settlement is not on disk yet."""
        return len(self._open) + len(self._settling) + self._being_settled

    async def open(self) -> None:
        """Close what dead gateways have left open, and begin. Raises LedgerUnavailable."""
        try:
            await self._writer.open()
            while await self._recover():
                pass
        except NotWritten as exc:
            await self._writer.close()
            raise LedgerUnavailable(str(exc)) from exc
        self._tasks = [asyncio.create_task(self._write_all(), name="ledger"), asyncio.create_task(self._tick(), name="ledger notes")]

    async def close(self, *, within: float = 10.0) -> None:
        """What was settled is on disk afterwards, or will be charged as lost by the next gateway: the log tells how many."""
        self._closing = True
        self._news.set()
        if self._tasks:
            writing, ticking = self._tasks
            ticking.cancel()
            await asyncio.wait([writing], timeout=within)
            writing.cancel()
            await asyncio.wait(self._tasks)
        for _, waiter in self._settling:
            waiter.cancel()
        if self.unsettled:
            log.error("%d requests were not settled: the next gateway charges what is noted of them", self.unsettled)
        await self._writer.close()

    async def reserve(self, request: Request, allowed: Allowed) -> Reservation:
        """All that the request may use is set aside, and its row on the disk, before this returns: in one conditional update for each
        of its two accounts, so that no limit is overshot however many ask at once.

        Raises RateLimited, ConcurrencyLimited, BudgetSpent, DuplicateRequest, or LedgerUnavailable: then nothing was set aside.
        A caller that is cancelled while it waits leaves nothing behind.
        """
        if self._closing or self._stalled or time.monotonic() < self._refuse_until:
            raise LedgerUnavailable(UNAVAILABLE)
        tokens = request.prompt_tokens + request.max_tokens
        money = self._prices.most(request.prompt_tokens, request.max_tokens, request.engine_ms)
        budgeted = not request.degraded
        community = Want.of(f"c:{request.community}", allowed.community, tokens=tokens, money=money, budgeted=budgeted)
        key = Want.of(f"k:{request.key_id}", allowed.key, tokens=tokens, money=money, budgeted=budgeted)
        future: asyncio.Future[Reservation] = asyncio.get_running_loop().create_future()
        self._waiting.append((Wanted(request, community, key, self._clock_ns()), future))
        self._news.set()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:  # it was given in the very step of the end
                self.settle(future.result(), Settlement(Outcome.FAILED))
            raise

    def note(self, reservation: Reservation, completion_tokens: int) -> None:
        """How many tokens were passed on so far. May be called for every chunk."""
        reservation.streamed = completion_tokens

    def settle(self, reservation: Reservation, settlement: Settlement) -> "asyncio.Future[None]":
        """Charge what was used, release the rest. Done when it is on disk; it is kept and retried until then, awaited or not.

        May be called again: the first settlement of a request holds.
        """
        self._open.pop(reservation.request.id, None)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._settling.append((self._charge(reservation, settlement), future))
        if self._waiting or self._closing:
            self._news.set()
        else:
            self._linger_for_company()
        return future

    def _linger_for_company(self) -> None:
        if self._lingering is None:
            self._lingering = asyncio.get_running_loop().call_later(self._linger, self._news.set)

    def _charge(self, reservation: Reservation, settlement: Settlement) -> Charge:
        prompt, cached, completion = settlement.prompt_tokens, settlement.cached_tokens, settlement.completion_tokens
        free = reservation.request.degraded or (settlement.outcome is Outcome.FAILED and not completion)
        engine_ms = max(0, settlement.engine_until_ms - settlement.engine_from_ms) if settlement.life is not None else 0
        return Charge(
            reservation,
            settlement,
            tokens=0 if free else prompt + completion,
            engine_ms=0 if free else engine_ms,
            token_cost=0 if free else self._prices.tokens(prompt, cached, completion),
            engine_cost=0 if free else self._prices.engine(engine_ms),
            ended_ms=self._clock_ns() // 1_000_000,
        )

    async def _write_all(self) -> None:
        """One transaction after the other, until this is closed and everything is on disk."""
        while not (self._closing and not self._waiting and not self._settling):
            await self._news.wait()
            self._news.clear()
            if self._lingering is not None:
                self._lingering.cancel()
                self._lingering = None
            are_due = True  # those who lingered; who comes while a transaction is under way lingers, too
            while self._waiting or self._notes or self._beat or (self._settling and are_due):
                await self._write_once()
                are_due = self._closing or len(self._settling) >= BATCH
            if self._settling:
                self._linger_for_company()
            if self._look:
                self._look = False
                await self._recover_others()

    async def _write_once(self) -> None:
        waiting = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        settling = [self._settling.popleft() for _ in range(min(2 * BATCH, len(self._settling)))]
        self._being_settled = len(settling)
        notes, self._notes = self._notes, []
        batch = Batch([wanted for wanted, _ in waiting], [charge for charge, _ in settling], [note for note, _ in notes], self._beat)
        self._beat = False
        stall = asyncio.get_running_loop().call_later(self._patience, self._stall, waiting)
        try:
            answers = await self._write(batch)
        except NotWritten as exc:
            self._settling.extendleft(reversed(settling))
            self._being_settled = 0
            self._not_written(waiting, exc)
            await asyncio.sleep(RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS)) - 1])
            return
        finally:
            stall.cancel()
            self._stalled = False
            self._being_settled = 0
        self._written(waiting, answers)
        for _, settled in settling:
            if not settled.done():
                settled.set_result(None)
        for note, reservation in notes:
            reservation.noted = note.tokens

    async def _write(self, batch: Batch) -> list[Reservation | LedgerError]:
        try:
            return await self._writer.write(batch)
        except NotWritten:
            raise
        except Exception as exc:  # a bug must not leave this gateway without anybody who writes: it is a batch that was not written
            log.exception("the ledger's writer failed")
            raise NotWritten(f"The ledger's writer failed ({type(exc).__name__}): the log says where.", uncertain=True) from exc

    def _written(self, waiting: list[_Waiting], answers: list[Reservation | LedgerError]) -> None:
        if self._failure is not None:
            log.warning("the ledger can be written again")
            self._failure, self._failures, self._refuse_until = None, 0, 0.0
        for (_, future), answer in zip(waiting, answers, strict=True):
            if isinstance(answer, Reservation):
                if future.done():  # it was cancelled, or told that the disk does not answer
                    self.settle(answer, Settlement(Outcome.FAILED))
                else:
                    self._open[answer.request.id] = answer
                    future.set_result(answer)
            elif not future.done():
                future.set_exception(answer)

    def _not_written(self, waiting: list[_Waiting], error: NotWritten) -> None:
        if str(error) != self._failure:
            log.error("the ledger is not written: %s", error)
        self._failure = str(error)
        self._failures += 1
        pause = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS)) - 1]
        self._refuse_until = time.monotonic() + pause
        for wanted, future in waiting:
            if error.uncertain:  # if it is there after all, nobody will settle it
                maybe = wanted.granted(day_of(wanted.now_ns), (0, 0), (0, 0))
                self.settle(maybe, Settlement(Outcome.FAILED))
            if not future.done():
                future.set_exception(LedgerUnavailable(UNAVAILABLE))

    def _stall(self, waiting: list[_Waiting]) -> None:
        """The disk does not answer: tell all who wait, and whoever comes until it does."""
        self._stalled = True
        for _, future in [*waiting, *self._waiting]:
            if not future.done():
                future.set_exception(LedgerUnavailable(UNAVAILABLE))
        self._waiting.clear()

    async def _tick(self) -> None:
        idle = beats = 0
        while True:
            await asyncio.sleep(self._note_every)
            idle = 0 if self._open else idle + 1
            self._notes = [(Note(each.request.id, each.streamed), each) for each in self._open.values() if each.streamed != each.noted]
            self._beat = idle % IDLE_BEATS == 0
            beats += 1
            self._look = beats % IDLE_BEATS == 0
            if self._notes or self._beat or self._look:
                self._news.set()

    async def _recover(self) -> int:
        """Close rows of dead gateways, some at a time; how many there were. Raises NotWritten."""
        rows = await self._writer.abandoned()
        if rows:
            await self._writer.write(Batch(charges=[self._charge(*lost(row)) for row in rows]))
            log.warning("%d requests of a gateway that died are closed", len(rows))
        return len(rows)

    async def _recover_others(self) -> None:
        try:
            while await self._recover():
                pass
        except NotWritten as exc:
            log.warning("what dead gateways have left open cannot be closed now: %s", exc)
        except Exception:  # as in `_write`
            log.exception("what dead gateways have left open cannot be closed now")
