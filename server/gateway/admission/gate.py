"""Lets requests to the engine as `admission` decides: what waits for its turn waits here, without a thread or a task of its own.

    gate = Gate(Bounds(slots=8, batch=64))
    async with gate.enter(Ticket(community="c1", adapter="c1-0123456789abcdef", prompt_tokens=120, deadline=30.0)) as admission:
        async with fleet.lease(deadline=30.0 - admission.waited) as lease:
            admission.sent()                     # just before the request goes to the engine
            ...
            admission.streamed(1)                # for every piece of the answer that passes, with its tokens
            ...
            admission.finish(prompt, completion) # as soon as the engine is done; without it the seat is free when the block is left

Entering raises Refused: at once if the queue is full, or when the deadline passes. Whatever goes wrong inside the block, its seat becomes
free. While no engine is ready, as many are let in as an engine takes: they wait in the fleet, and wake it, in the order that is fair. A
request whose engine was lost keeps its seat and asks the fleet again inside the same block: that is nearer than the head of the queue.
"""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from server.gateway.admission.errors import GateClosed, Refused
from server.gateway.admission.lanes import Place
from server.gateway.admission.policy import Admission as Decisions
from server.gateway.admission.policy import Bounds, Ticket


class Timer(Protocol):
    def cancel(self) -> None: ...


Later = Callable[[float, Callable[[], None]], Timer]
"""Calls the function after so many seconds."""


def call_later(seconds: float, call: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(seconds, call)


class Admission:
    """One request's way through the gate: `async with` waits for its turn."""

    __slots__ = ("_gate", "_place", "_ticket", "waited")

    def __init__(self, gate: "Gate", ticket: Ticket) -> None:
        self._gate = gate
        self._ticket = ticket
        self._place: Place | None = None
        self.waited = 0.0
        """Seconds in the queue; 0 where there was a seat at once, however slow the machine."""

    async def __aenter__(self) -> "Admission":
        self._place, self.waited = await self._gate.admitted(self._ticket)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.finish()

    def sent(self) -> None:
        """An engine is asked now: what waits from here on waits inside it. Again, if another one is."""
        if self._place is not None:
            self._gate.decisions.sent(self._place, self._gate.now())

    def streamed(self, tokens: int) -> None:
        """So many more tokens of the answer came. Cheap; a whole answer needs none, `finish` tells."""
        if self._place is not None:
            self._gate.decisions.streamed(self._place, tokens, self._gate.now())

    def finish(self, prompt: int | None = None, completion: int | None = None) -> None:
        """The engine is done with it, after so many tokens; the next may go. Nothing happens if that was said before."""
        place, self._place = self._place, None
        if place is not None:
            self._gate.left(place, prompt, completion)


class Gate:
    """The queue in front of one engine. To be used in one event loop."""

    def __init__(self, bounds: Bounds, *, clock: Callable[[], float] = time.monotonic, later: Later = call_later) -> None:
        self.decisions = Decisions(bounds)
        self._clock, self._later = clock, later
        self._turns: dict[Place, asyncio.Future[None]] = {}
        self._timer: tuple[float, Timer] | None = None
        self._closed = False

    def now(self) -> float:
        return self._clock()

    @property
    def waiting(self) -> int:
        return self.decisions.lanes.waiting

    @property
    def in_flight(self) -> int:
        return self.decisions.seats.in_flight

    @property
    def seats(self) -> int:
        """Requests that may be in flight, as found out so far."""
        return self.decisions.seats.limit

    @property
    def swaps(self) -> int:
        """How often an adapter was drained for another one."""
        return self.decisions.slots.swaps

    def waiting_of(self, community: str) -> int:
        return self.decisions.shares.waiting_of(community)

    def enter(self, ticket: Ticket) -> Admission:
        return Admission(self, ticket)

    def look(self, ticket: Ticket) -> None:
        """For before anything is done for it that costs: raises Refused, as entering would now."""
        if self._closed:
            raise GateClosed(retry_after=5.0)
        self.decisions.look(ticket)

    def close(self) -> None:
        """Nobody enters any more, and those who wait are told GateClosed. What is in flight goes on."""
        self._closed = True
        for place in list(self._turns):
            self.decisions.leave(place)
            self._tell(place, GateClosed(retry_after=5.0))
        self._look()

    async def admitted(self, ticket: Ticket) -> tuple[Place, float]:
        """Wait for a seat, so many seconds; whoever gets one owes `left`. Raises Refused."""
        if self._closed:
            raise GateClosed(retry_after=5.0)
        place = self.decisions.arrive(ticket, self._clock())
        self._look()
        if not place.waits:
            return place, 0.0
        turn = self._turns[place] = asyncio.get_running_loop().create_future()
        try:
            await turn
        except asyncio.CancelledError:
            if self._turns.pop(place, None) is not None:
                self.decisions.leave(place)
                self._look()
            elif place.in_flight:  # its turn came in the very moment in which it was cancelled
                self.left(place, None, None)
            raise
        return place, self._clock() - place.arrived

    def left(self, place: Place, prompt: int | None, completion: int | None) -> None:
        self.decisions.finish(place, self._clock(), prompt=prompt, completion=completion)
        self._look()

    def _look(self) -> None:
        """Let in whom there is room for, tell those who are too late, and see when to look again."""
        now, decisions = self._clock(), self.decisions
        for place in decisions.expired(now):
            self._tell(place, decisions.late())
        while (admitted := decisions.next(now)) is not None:
            turn = self._turns.pop(admitted, None)
            if turn is not None and not turn.done():
                turn.set_result(None)
        self._set_timer(decisions.look_at, now)

    def _tell(self, place: Place, error: Refused) -> None:
        turn = self._turns.pop(place, None)
        if turn is not None and not turn.done():
            turn.set_exception(error)

    def _set_timer(self, at: float | None, now: float) -> None:
        if self._timer is not None:
            if at is not None and self._timer[0] <= at:
                return  # it comes early enough: looking once too often is cheaper than a new timer for each request
            self._timer[1].cancel()
            self._timer = None
        if at is not None:
            self._timer = (at, self._later(max(0.0, at - now), self._ring))

    def _ring(self) -> None:
        self._timer = None
        self._look()
