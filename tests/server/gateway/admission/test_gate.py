"""The gate's runner: who waits, who is told, and that nobody's seat is lost."""

import asyncio
import itertools
import random
from collections.abc import Callable
from contextlib import suppress

import pytest

from server.gateway.admission.errors import DeadlinePassed, GateClosed, Refused, ShareFull
from server.gateway.admission.gate import Gate
from server.gateway.admission.policy import Bounds, Ticket
from server.gateway.admission.seats import SPARE


class Time:
    """A clock that stands until it is moved, and rings then."""

    def __init__(self) -> None:
        self.now = 0.0
        self.bells: list[Bell] = []

    def __call__(self) -> float:
        return self.now

    def later(self, seconds: float, call: Callable[[], None]) -> "Bell":
        bell = Bell(self.now + seconds, call)
        self.bells.append(bell)
        return bell

    async def move(self, seconds: float) -> None:
        await settle()
        end = self.now + seconds
        while due := [bell for bell in self.bells if bell.at <= end]:
            bell = min(due, key=lambda each: each.at)
            self.bells.remove(bell)
            self.now = max(self.now, bell.at)
            if not bell.cancelled:
                bell.call()
        self.now = end
        await settle()


class Bell:
    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at, self.call, self.cancelled = at, call, False

    def cancel(self) -> None:
        self.cancelled = True


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def make_gate(bounds: Bounds | None = None) -> tuple[Gate, Time]:
    time = Time()
    return Gate(bounds or Bounds(slots=2, batch=2), clock=time, later=time.later), time


def ticket(community: str = "a", adapter: str | None = None, deadline: float | None = None) -> Ticket:
    return Ticket(community, adapter, 10, deadline=deadline)


class Caller:
    """Enters in a task of its own, and stays until it is let go."""

    def __init__(self, gate: Gate, asked: Ticket) -> None:
        self.go, self.inside, self.waited = asyncio.Event(), False, 0.0
        self.task = asyncio.create_task(self._run(gate, asked))

    async def _run(self, gate: Gate, asked: Ticket) -> None:
        async with gate.enter(asked) as admission:
            self.inside, self.waited = True, admission.waited
            admission.sent()
            await self.go.wait()
            admission.streamed(3)
            admission.finish(10, 3)


async def test_whoever_finds_a_free_seat_enters_at_once() -> None:
    """No turn of the event loop is spent on waiting."""
    gate, _ = make_gate()
    async with gate.enter(ticket()) as admission:
        assert gate.in_flight == 1
        assert admission.waited == 0.0
    assert gate.in_flight == 0


async def test_who_found_a_free_seat_has_not_waited_however_slow_the_machine() -> None:
    """The clock goes on by a tenth of a second whenever it is looked at."""
    ticks = itertools.count()
    gate = Gate(Bounds(slots=2, batch=2), clock=lambda: next(ticks) / 10)
    async with gate.enter(ticket()) as admission:
        assert admission.waited == 0.0


async def test_a_seat_that_falls_free_goes_to_who_waits() -> None:
    gate, time = make_gate()
    callers = [Caller(gate, ticket()) for _ in range(2 + SPARE + 1)]
    await settle()
    assert [caller.inside for caller in callers] == [True] * (2 + SPARE) + [False]
    await time.move(1.5)
    callers[0].go.set()
    await settle()
    assert callers[-1].inside
    assert callers[-1].waited == pytest.approx(1.5)
    for caller in callers:
        caller.go.set()
    await asyncio.gather(*(caller.task for caller in callers))
    assert (gate.in_flight, gate.waiting) == (0, 0)


async def test_finishing_frees_the_seat_before_the_block_is_left_and_only_once() -> None:
    """What is still to be written to the caller holds no seat of the engine."""
    gate, _ = make_gate()
    async with gate.enter(ticket()) as admission:
        admission.finish(10, 5)
        assert gate.in_flight == 0
        admission.streamed(1)
        admission.finish(10, 5)
    assert gate.in_flight == 0


async def test_a_broken_request_frees_its_seat() -> None:
    gate, _ = make_gate()

    async def breaks() -> None:
        async with gate.enter(ticket()) as admission:
            admission.sent()
            raise RuntimeError("broke")

    with pytest.raises(RuntimeError, match="broke"):
        await breaks()
    assert gate.in_flight == 0
    assert gate.decisions.seats.beginning == 0


async def test_a_deadline_that_passes_in_the_queue_is_told_then() -> None:
    gate, time = make_gate()
    callers = [Caller(gate, ticket()) for _ in range(2 + SPARE)]
    await settle()
    late = Caller(gate, ticket("b", deadline=5.0))
    await time.move(4.9)
    assert not late.task.done()
    await time.move(0.2)
    with pytest.raises(DeadlinePassed):
        await late.task
    assert gate.waiting == 0
    for caller in callers:
        caller.go.set()
    await asyncio.gather(*(caller.task for caller in callers))


async def test_a_full_queue_refuses_at_once() -> None:
    gate, _ = make_gate(Bounds(slots=1, batch=1, waiting=3))
    callers = [Caller(gate, ticket()) for _ in range(1 + SPARE + 2)]
    await settle()
    with pytest.raises(ShareFull):
        async with gate.enter(ticket()):
            pass
    for caller in callers:
        caller.go.set()
    await asyncio.gather(*(caller.task for caller in callers))


async def test_a_drain_that_is_due_needs_no_event_but_time() -> None:
    """Nothing comes and nothing ends, and yet the resident's requests are held back from then on."""
    gate, time = make_gate(Bounds(slots=1, batch=4))
    first = Caller(gate, ticket("a", "a"))
    await settle()
    outsider = Caller(gate, ticket("b", "b"))
    await time.move(3.0)
    assert gate.decisions.slots.draining is not None
    first.go.set()
    await settle()
    assert outsider.inside
    assert gate.swaps == 1
    outsider.go.set()
    await outsider.task


async def test_who_is_cancelled_while_waiting_leaves_no_trace() -> None:
    gate, _ = make_gate()
    callers = [Caller(gate, ticket()) for _ in range(2 + SPARE)]
    await settle()
    waiting = Caller(gate, ticket("b", "b"))
    await settle()
    assert gate.waiting_of("b") == 1
    waiting.task.cancel()
    await settle()
    assert (gate.waiting, gate.waiting_of("b")) == (0, 0)
    for caller in callers:
        caller.go.set()
    await asyncio.gather(*(caller.task for caller in callers))
    assert gate.in_flight == 0


async def test_who_is_cancelled_in_the_moment_of_its_turn_gives_the_seat_on() -> None:
    """The turn was given and not yet taken."""
    gate, _ = make_gate(Bounds(slots=1, batch=1))
    callers = [Caller(gate, ticket()) for _ in range(1 + SPARE)]
    await settle()
    cancelled, next_one = Caller(gate, ticket()), Caller(gate, ticket())
    await settle()
    callers[0].task.cancel()
    callers[0].task.add_done_callback(lambda _: cancelled.task.cancel())
    await settle()
    assert cancelled.task.cancelled()
    assert next_one.inside
    for caller in (*callers, next_one):
        caller.task.cancel()
    await asyncio.gather(*(caller.task for caller in (*callers, next_one)), return_exceptions=True)
    assert gate.in_flight == 0


async def test_a_gate_that_closes_tells_those_who_wait_and_lets_the_others_end() -> None:
    gate, _ = make_gate()
    inside = [Caller(gate, ticket()) for _ in range(2 + SPARE)]
    await settle()
    outside = Caller(gate, ticket())
    await settle()
    gate.close()
    with pytest.raises(GateClosed):
        await outside.task
    with pytest.raises(GateClosed):
        async with gate.enter(ticket()):
            pass
    for caller in inside:
        caller.go.set()
    await asyncio.gather(*(caller.task for caller in inside))
    assert gate.in_flight == 0


async def test_cancels_at_any_moment_lose_no_seat() -> None:
    """A thousand callers come, some are cancelled wherever they are; in the end all seats are free and nothing is remembered."""
    gate, time = make_gate(Bounds(slots=2, batch=3, waiting=200))
    chance = random.Random(3)
    callers: list[Caller] = []
    for number in range(1000):
        callers.append(Caller(gate, ticket(f"c{number % 5}", chance.choice((None, "x", "y", "z")), chance.choice((None, 3.0)))))
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        some = chance.choice(callers[-40:])
        if chance.random() < 0.4:
            some.task.cancel()
        else:
            some.go.set()
        if chance.random() < 0.1:
            await time.move(0.3)
    for caller in callers:
        caller.go.set()
    for _ in range(100):
        await time.move(3.0)
    for caller in callers:
        with suppress(asyncio.CancelledError, Refused):
            await asyncio.wait_for(caller.task, 10)
    assert (gate.in_flight, gate.waiting) == (0, 0)
    assert len(gate.decisions.lanes) == 0
    assert gate.decisions.shares.weight == 0
    assert gate.decisions.seats.beginning == 0
