"""The line in a terminal that says why nothing is said yet: for whom one waits, since when, and whether it is waking up.

Shown only after a moment, and gone without a trace when the answer begins. Knows terminals, deltas' meaning and time; no gateway.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self, TextIO

PATIENCE_S = 1.5
"""An engine that is awake answers sooner: then there is nothing to say."""
_ERASE = "\r\x1b[K"
_NAME = 40


class Waiting:
    """While it is entered and until `over`, a line on `screen`; none on None, which is for pipes. `clock` is in seconds, for tests."""

    def __init__(
        self,
        model: str,
        screen: TextIO | None,
        *,
        patience: float = PATIENCE_S,
        tick: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._screen = screen
        self._patience = patience
        self._tick = tick
        self._clock = clock
        self._waking = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def waking(self) -> None:
        """The gateway says that the engine wakes: no more patience, and other words."""
        self._waking.set()

    async def over(self) -> None:
        """Take the line away."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def __aenter__(self) -> Self:
        if self._screen is not None:
            self._task = asyncio.create_task(self._show(self._screen))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.over()

    async def _show(self, screen: TextIO) -> None:
        began = self._clock()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._waking.wait(), self._patience)
        try:
            while True:
                screen.write(_ERASE + sentence(self._model, self._clock() - began, waking=self._waking.is_set()))
                screen.flush()
                await asyncio.sleep(self._tick)
        finally:
            screen.write(_ERASE)
            screen.flush()


def sentence(model: str, seconds: float, *, waking: bool) -> str:
    """What the line says, short enough for any terminal: a line that wraps could not be taken away."""
    name = model if len(model) <= _NAME else model[: _NAME - 1] + "…"
    return f"{name} is waking up … {seconds:.0f} s" if waking else f"waiting for {name} … {seconds:.0f} s"
