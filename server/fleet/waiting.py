"""Callers who wait for an engine, in the order in which they came.

Knows who waits and until when. What they are given, and when, is decided by `fleet.py`; it all happens within one turn of the event loop.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from server.fleet.errors import FleetError

T = TypeVar("T")


@dataclass(eq=False)
class Waiter(Generic[T]):
    came: float
    deadline: float | None
    """When to be told at the latest, on the clock of `came`."""
    woke: bool
    """Whether no engine was ready when it came."""
    given: "asyncio.Future[T]"


class Waiters(Generic[T]):
    """Who waits. `give_back` takes what was given in the very turn in which its caller was cancelled."""

    def __init__(self, give_back: Callable[[T], None]) -> None:
        self._give_back = give_back
        self._all: dict[Waiter[T], None] = {}

    def __len__(self) -> int:
        return len(self._all)

    async def join(self, came: float, *, deadline: float | None, woke: bool) -> T:
        """Wait at the end of the queue. Raises the FleetError that is told; cancelled, it leaves no trace."""
        waiter: Waiter[T] = Waiter(came, deadline, woke, asyncio.get_running_loop().create_future())
        self._all[waiter] = None
        try:
            return await waiter.given
        except asyncio.CancelledError:
            if waiter.given.done() and not waiter.given.cancelled() and waiter.given.exception() is None:
                self._give_back(waiter.given.result())
            raise
        finally:
            self._all.pop(waiter, None)

    def release(self, gift: Callable[[Waiter[T]], T]) -> None:
        """Everybody gets one; the first who came gets the first."""
        for waiter in self._take_all():
            waiter.given.set_result(gift(waiter))

    def tell(self, reason: Callable[[Waiter[T]], FleetError | None]) -> None:
        """Send away those for whom there is a reason."""
        for waiter in list(self._all):
            error = reason(waiter)
            if error is not None:
                del self._all[waiter]
                if not waiter.given.done():
                    waiter.given.set_exception(error)

    def next_deadline(self) -> float | None:
        return min((waiter.deadline for waiter in self._all if waiter.deadline is not None), default=None)

    def _take_all(self) -> list[Waiter[T]]:
        waiting = [waiter for waiter in self._all if not waiter.given.done()]
        self._all.clear()
        return waiting
