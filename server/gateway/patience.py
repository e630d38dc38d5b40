"""An upper bound for each of many waits that follow one another, at the price of one timer for all of them.

A stream waits for every piece of it to be sent and hardly ever has to; a timer made and cancelled each time would cost more than all else
that is done with the piece. Knows nothing of what is waited for.
"""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from server.gateway.admission.gate import Later, Timer, call_later


class Patience:
    """`with patience:` around each wait, of one task at a time; a wait of more than `seconds` ends with a TimeoutError there.

    To be closed, or its timer lives for as long once more.
    """

    __slots__ = ("_began", "_cancelling", "_clock", "_is_over", "_later", "_seconds", "_task", "_timer")

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic, later: Later = call_later) -> None:
        self._seconds = seconds
        self._clock, self._later = clock, later
        self._began = 0.0
        self._timer: Timer | None = None
        self._task: asyncio.Task[object] | None = None
        """Who waits now."""
        self._cancelling = 0
        self._is_over = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling, self._began = task, task.cancelling(), self._clock()
        if self._timer is None:
            self._timer = self._later(self._seconds, self._look)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        task, self._task = self._task, None
        if not self._is_over or task is None:
            return
        self._is_over = False
        # As in asyncio.timeout: somebody else's cancellation at the same time is not taken for ours.
        if task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def close(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _look(self) -> None:
        """Whether the present wait, which need not be the one for which the timer was set, takes too long."""
        self._timer = None
        if self._task is None:
            return  # the next wait sets a timer again
        left = self._began + self._seconds - self._clock()
        if left > 0:
            self._timer = self._later(left, self._look)
        else:
            self._is_over = True
            self._task.cancel()
