"""Time as the fleet knows it, so that tests can have an hour pass at once."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

Clock = Callable[[], float]
"""Seconds, from any beginning, never backwards."""
Pause = Callable[[asyncio.Event, float | None], Awaitable[None]]
"""Returns when the event is set, or after so many seconds; None: only then."""


async def pause_for(event: asyncio.Event, seconds: float | None) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
