"""What callers say they will ask soon: an engine wakes for them, and has the adapter loaded when they ask.

The caller never waits. Nothing depends on it: what fails here is woken or loaded by the request itself.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from adapters.registry import Manifest
from server.fleet.engine import EngineState
from server.fleet.fleet import Fleet
from server.gateway.loader import Loader

log = logging.getLogger("troupe.gateway")

MOST = 64
"""Adapters that are remembered while no engine is there; then the one that was named first is forgotten."""
PATIENCE_SECONDS = 120.0
"""So long after it was named nobody is about to ask for it any more."""
LOOK_SECONDS = 5.0


class Foresight:
    """`run` beside the requests. `clock`, in seconds, is for tests."""

    def __init__(self, fleet: Fleet, loader: Loader, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fleet = fleet
        self._loader = loader
        self._clock = clock
        self._named: dict[str, tuple[Manifest, float]] = {}
        """Engine name → the adapter, and until when it is worth loading."""
        self._news = asyncio.Event()

    def expect(self, manifests: Iterable[Manifest]) -> None:
        """Somebody will ask for one of these, or for the base if there are none. Returns at once."""
        self._fleet.wake()
        for manifest in manifests:
            self._named.pop(manifest.engine_name, None)
            self._named[manifest.engine_name] = (manifest, self._clock() + PATIENCE_SECONDS)
            if len(self._named) > MOST:
                del self._named[next(iter(self._named))]
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._news.wait()
                self._news.clear()
                await self._load_all()
            except Exception:  # a bug here must not end the foresight for all that is to come
                log.exception("loading ahead failed")

    async def _load_all(self) -> None:
        while self._named:
            if self._fleet.state is not EngineState.READY:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._fleet.wait_for_change(), LOOK_SECONDS)
                self._forget()
                continue
            manifest, _ = self._named.pop(next(iter(self._named)))
            if not self._loader.knows(manifest):
                await self._loader.load(manifest)

    def _forget(self) -> None:
        now = self._clock()
        self._named = {name: entry for name, entry in self._named.items() if now < entry[1]}
