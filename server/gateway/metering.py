"""Each request on the ledger: written down before an engine is asked, settled when it is over, whatever became of it.

Knows no prompt and no parameter: how many tokens there are and may be, who pays, and what the answer tells of itself as it passes.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from adapters.registry import BASE, DatabaseError
from server.accounts.account_state import read_balances
from server.accounts.books import Books
from server.accounts.entries import Outcome, Request, Reservation, Settlement
from server.accounts.ledger import Ledger
from server.accounts.limits import Balance, Want, day_of, refusal
from server.accounts.refusals import BudgetSpent, LedgerError, Refused
from server.accounts.terms import AtCap, community_account, key_account
from server.fleet.fleet import Lease
from server.gateway.errors import GatewayError, LedgerUnavailable
from server.gateway.record import CALLER_GONE, Record
from server.gateway.sse import Usage
from server.gateway.translations import from_ledger

log = logging.getLogger("troupe.gateway")

Clock = Callable[[], int]
"""Unix time, in milliseconds."""

DEGRADED_TOKENS = 64
"""The longest answer, of all choices together, that is given past a spent budget."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a request may use."""

    key_id: str
    community: str
    """Who pays."""
    adapter: str
    """`zizou@7` or `base`."""
    prompt_tokens: int
    """Of all prompts together."""
    max_tokens: int
    """Of all answers together."""


class Metered:
    """One request that is written down. Cheap: nothing here waits."""

    def __init__(
        self, ledger: Ledger, reservation: Reservation, record: Record, *, weight: float, life: Callable[[int], str | None], now_ms: Clock
    ) -> None:
        self._ledger = ledger
        self._reservation = reservation
        self._record = record
        self._life_of = life
        self._now_ms = now_ms
        self._life: str | None = None
        self._from_ms = self._until_ms = 0
        self.weight = weight
        """Of its community, for admission."""
        self.tokens = 0
        """Of the answer, as far as it was passed on."""
        self._began = False

    @property
    def degraded(self) -> bool:
        return self._reservation.request.degraded

    @property
    def community(self) -> str:
        return self._reservation.request.community

    @property
    def prompt_tokens(self) -> int:
        return self._reservation.request.prompt_tokens

    @property
    def max_tokens(self) -> int:
        return self._reservation.request.max_tokens

    def engaged(self, lease: Lease) -> None:
        """An engine is asked now; again, if another one is."""
        self._life = self._life_of(lease.epoch)
        self._from_ms, self._until_ms = self._now_ms(), 0

    def released(self) -> None:
        """The engine is done with it."""
        self._until_ms = self._until_ms or self._now_ms()

    def began(self) -> None:
        """Something of an answer came: the engine has read the prompt."""
        self._began = True

    def streamed(self, tokens: int) -> None:
        """So many tokens of the answer in all were passed on."""
        self.tokens = tokens
        self._ledger.note(self._reservation, tokens)

    def settle(self) -> None:
        """It is over. The ledger keeps it until it is on disk."""
        self.released()
        record, outcome = self._record, self._outcome()
        usage = record.usage or Usage(0 if outcome is Outcome.FAILED else self.prompt_tokens, self.tokens)
        self._ledger.settle(
            self._reservation,
            Settlement(
                outcome,
                prompt_tokens=usage.prompt,
                cached_tokens=usage.cached,
                completion_tokens=usage.completion,
                ttft_ms=None if record.first_byte is None else round(record.first_byte * 1000),
                queue_ms=round((record.queued or 0.0) * 1000),
                wake_ms=round((record.waited or 0.0) * 1000),
                life=self._life,
                engine_from_ms=self._from_ms,
                engine_until_ms=self._until_ms,
            ),
        )

    def _outcome(self) -> Outcome:
        """Who leaves an engine at work has used it, whether or not a token was seen; who is left by it before the first pays nothing."""
        if self._record.complete:
            return Outcome.COMPLETE
        left = self._from_ms and self._record.error == CALLER_GONE
        return Outcome.ABORTED if self._began or left else Outcome.FAILED


class Metering:
    """`life`: which life an engine's epoch is, if it is known. `refused`: told of which limit of whom was in the way. `reserved_ms`: engine
    time that is set aside for a request."""

    def __init__(
        self,
        books: Books,
        *,
        life: Callable[[int], str | None],
        refused: Callable[[str, str], None],
        reserved_ms: int,
    ) -> None:
        self._books = books
        self._ledger = books.ledger
        self._terms = books.terms
        self._life = life
        self._refused = refused
        self._reserved_ms = reserved_ms
        self._now_ms = lambda: books.clock_ns() // 1_000_000

    def weight(self, community: str) -> float:
        """Of its part of the engine."""
        return float(self._terms.of_community(community).weight)

    async def look(self, key_id: str, community: str) -> None:
        """Whether even the shortest request would be let begin now: whoever may not use an engine has none woken either. Nothing is set
        aside or written down. Raises GatewayError."""
        limits = {community_account(community): self._terms.of_community(community), key_account(key_id): self._terms.of_key(key_id)}
        money = self._books.prices.most(1, 1, self._reserved_ms)
        try:
            balances = await read_balances(self._books.database, limits)
        except DatabaseError as exc:
            log.error("what is left of limits cannot be read: %s", exc)
            raise LedgerUnavailable("What is left of your limits cannot be read at the moment.") from exc
        now = self._books.clock_ns()
        for account, agreed in limits.items():
            want = Want.of(account, agreed.limits, tokens=2, money=money, budgeted=True)
            held = balances.get(account, Balance())
            refused = refusal(want, held, now, max(day_of(now), held.day))
            if refused is not None:
                raise self._told(refused)

    async def open(self, order: Order, record: Record, *, may_degrade: bool) -> Metered:
        """Whoever gets one owes its `settle`. Raises GatewayError.

        `may_degrade`: an engine is up anyway, and a short answer of the base is of use: a community that wishes it so gets one past its
        budget.
        """
        agreed = self._terms.of_community(order.community)
        try:
            reservation = await self._reserve(order, record, degraded=False)
        except BudgetSpent as spent:
            spender = self._terms.of_key(order.key_id) if spent.owner == "key" else agreed
            if spender.at_cap is not AtCap.DEGRADE or not may_degrade:
                raise self._told(spent) from spent
            try:
                reservation = await self._reserve(order, record, degraded=True)
            except LedgerError as error:
                raise self._told(error) from error
        except LedgerError as error:
            raise self._told(error) from error
        record.community, record.standing = order.community, reservation.standing
        record.degraded = reservation.request.degraded
        if record.degraded:
            record.adapter = reservation.request.adapter
        return Metered(self._ledger, reservation, record, weight=self.weight(order.community), life=self._life, now_ms=self._now_ms)

    def _told(self, error: LedgerError) -> GatewayError:
        if isinstance(error, Refused):
            self._refused(error.limit, error.owner)
        return from_ledger(error)

    async def _reserve(self, order: Order, record: Record, *, degraded: bool) -> Reservation:
        adapter, most = (BASE, min(order.max_tokens, DEGRADED_TOKENS)) if degraded else (order.adapter, order.max_tokens)
        request = Request(
            record.request_id,
            order.key_id,
            order.community,
            adapter,
            order.prompt_tokens,
            most,
            engine_ms=self._reserved_ms,
            degraded=degraded,
        )
        return await self._ledger.reserve(request, self._terms.allowed(order.community, order.key_id))
