import asyncio

import pytest

from server.fleet.errors import FleetError, Stopping
from server.fleet.waiting import Waiter, Waiters


def join(waiters: Waiters[int], *, deadline: float | None = None) -> "asyncio.Task[int]":
    return asyncio.create_task(waiters.join(0.0, deadline=deadline, woke=True))


async def test_what_is_given_to_one_who_just_left_comes_back() -> None:
    """Cancelled after it was given: it is given back. Cancelled before, in the very same turn: it is not given at all."""
    back: list[int] = []
    waiters: Waiters[int] = Waiters(back.append)
    before, after, stays = join(waiters), join(waiters), join(waiters)
    await asyncio.sleep(0)
    numbers = iter(range(10))
    before.cancel()
    waiters.release(lambda _: next(numbers))
    after.cancel()
    await asyncio.gather(before, after, stays, return_exceptions=True)
    assert (before.cancelled(), after.cancelled(), stays.result(), back) == (True, True, 1, [0])
    assert len(waiters) == 0


async def test_one_who_left_is_told_nothing() -> None:
    """Before or after the telling; the others are."""
    waiters: Waiters[int] = Waiters(lambda _: None)
    before, after, stays = join(waiters), join(waiters), join(waiters)
    await asyncio.sleep(0)
    before.cancel()
    waiters.tell(lambda _: Stopping())
    after.cancel()
    await asyncio.gather(before, after, stays, return_exceptions=True)
    assert (before.cancelled(), after.cancelled()) == (True, True)
    with pytest.raises(Stopping):
        stays.result()
    assert len(waiters) == 0


async def test_only_those_are_sent_away_for_whom_there_is_a_reason() -> None:
    """The nearest deadline is known."""
    waiters: Waiters[int] = Waiters(lambda _: None)
    short, never, long = join(waiters, deadline=1.0), join(waiters), join(waiters, deadline=2.0)
    await asyncio.sleep(0)
    assert waiters.next_deadline() == 1.0

    def reason(waiter: Waiter[int]) -> FleetError | None:
        return Stopping() if waiter.deadline == 1.0 else None

    waiters.tell(reason)
    await asyncio.sleep(0)
    assert (short.done(), len(waiters), waiters.next_deadline()) == (True, 2, 2.0)
    waiters.release(lambda _: 7)
    assert (await never, await long) == (7, 7)
    assert isinstance(short.exception(), Stopping)
    assert waiters.next_deadline() is None
