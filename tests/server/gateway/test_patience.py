"""A bound for waits that follow one another, on a clock of our own."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from server.gateway.patience import Patience


@dataclass
class Bell:
    """A timer that rings when its time is told."""

    at: float
    call: Callable[[], None]
    is_set: bool = True

    def cancel(self) -> None:
        self.is_set = False


@dataclass
class Hours:
    """The clock, and the bells that were set by it."""

    now: float = 0.0
    bells: list[Bell] = field(default_factory=list)

    def later(self, seconds: float, call: Callable[[], None]) -> Bell:
        self.bells.append(Bell(self.now + seconds, call))
        return self.bells[-1]

    def pass_to(self, now: float) -> None:
        """Ring what is due."""
        self.now = now
        for bell in list(self.bells):
            if bell.is_set and bell.at <= now:
                bell.is_set = False
                bell.call()

    @property
    def waiting(self) -> int:
        return sum(bell.is_set for bell in self.bells)


@pytest.fixture
def hours() -> Hours:
    return Hours()


@pytest.fixture
def patience(hours: Hours) -> Patience:
    return Patience(10.0, clock=lambda: hours.now, later=hours.later)


async def test_one_timer_does_for_many_waits(hours: Hours, patience: Patience) -> None:
    """However long they last together, as long as each of them is short."""
    for start in range(0, 100, 5):
        hours.pass_to(start)
        with patience:
            hours.pass_to(start + 4)
    assert len(hours.bells) <= 20
    assert hours.waiting <= 1


async def test_a_wait_that_takes_too_long_ends_at_its_own_time(hours: Hours, patience: Patience) -> None:
    """Counted from its own beginning, though the timer was set for one before it."""
    with patience:
        hours.pass_to(3)

    async def wait() -> None:
        with patience:
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    hours.pass_to(12.9)
    await asyncio.sleep(0)
    assert not task.done()
    hours.pass_to(13)
    with pytest.raises(TimeoutError):
        await task
    assert task.cancelling() == 0


async def test_who_does_not_wait_is_left_alone(hours: Hours, patience: Patience) -> None:
    """A timer that rings between two waits does nothing, and the next one is bounded all the same."""
    with patience:
        pass
    hours.pass_to(11)
    assert hours.waiting == 0
    with patience:
        assert hours.waiting == 1


async def test_a_cancellation_of_somebody_else_stays_one(hours: Hours, patience: Patience) -> None:
    """Even if it comes in the moment in which the time is over."""

    async def wait() -> None:
        with patience:
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    hours.pass_to(10)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_nothing_is_left_once_it_is_closed(hours: Hours, patience: Patience) -> None:
    """No timer of a reply that has ended lives on."""
    with patience:
        pass
    patience.close()
    assert hours.waiting == 0


async def test_an_error_passes(patience: Patience) -> None:
    """What goes wrong in a wait is not hidden by its bound."""
    with pytest.raises(ConnectionResetError), patience:
        raise ConnectionResetError
