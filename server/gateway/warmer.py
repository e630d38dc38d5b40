"""Loads what was just promoted before anybody asks for it, one adapter at a time, when it disturbs least.

Loading happens inside the engine's step and holds up every running stream: so it looks for a lull, but not for long. Nothing depends
on it; what fails here is loaded by the first request instead.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from adapters.registry import CANARY, LIVE, Manifest, ModelRef, Snapshot, UnknownModel
from server.fleet.engine import EngineState
from server.fleet.fleet import Fleet
from server.gateway.directory import Directory
from server.gateway.loader import Loader
from server.gateway.upstream import Upstream

log = logging.getLogger("troupe.gateway")

TICK_SECONDS = 0.1
QUIET = 1
"""So many requests in flight, or fewer, are a lull at once."""
PATIENCE_SECONDS = 3.0
WATCH_SECONDS = 1.0


def is_lull(in_flight: Sequence[int], waited: float) -> bool:
    """Whether now is the time to load. `in_flight`: what was counted since the wait began, the newest last; `waited`: seconds.

    At once when hardly anything runs; after a while of watching when fewer run than ever since; when patience ends, anyhow.
    """
    if in_flight[-1] <= QUIET or waited >= PATIENCE_SECONDS:
        return True
    return waited >= WATCH_SECONDS and in_flight[-1] < min(in_flight[:-1], default=0)


def promoted(before: Snapshot, after: Snapshot) -> list[Manifest]:
    """The adapters that `live` and `canary` point at in `after` and did not in `before`."""
    found = []
    for community, aliases in after.aliases.items():
        for alias in (LIVE, CANARY):
            pointer, old = aliases.get(alias), before.pointers(community).get(alias)
            if pointer is None or (old is not None and old.version == pointer.version):
                continue
            manifest = resolved(after, community, pointer.version)
            if manifest is not None:
                found.append(manifest)
    return found


def is_pointed_at(snapshot: Snapshot, manifest: Manifest) -> bool:
    """Whether `live` or `canary` still means this adapter."""
    pointers = snapshot.pointers(manifest.community)
    return any(alias in pointers and pointers[alias].version == manifest.version for alias in (LIVE, CANARY))


def resolved(snapshot: Snapshot, community: str, version: int) -> Manifest | None:
    try:
        return snapshot.resolve(ModelRef(community, version=version))
    except UnknownModel:
        return None


class Warmer:
    """`run` beside the requests. `sleep`, in seconds, is for tests."""

    def __init__(
        self,
        directory: Directory,
        fleet: Fleet,
        upstream: Upstream,
        loader: Loader,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._directory = directory
        self._fleet = fleet
        self._upstream = upstream
        self._loader = loader
        self._sleep = sleep
        self._seen: Snapshot | None = None
        self._queue: deque[Manifest] = deque()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._step()
            except Exception:  # a bug here must not end the warming of all that is to come
                log.exception("warming failed")
            await self._sleep(TICK_SECONDS)

    async def _step(self) -> None:
        now = self._directory.snapshot
        if now is None:
            return
        if self._seen is not None and now is not self._seen:
            self._queue.extend(each for each in promoted(self._seen, now) if each not in self._queue)
        self._seen = now
        if not self._queue:
            return
        manifest = self._queue.popleft()
        if self._loader.knows(manifest):  # by the trial before its promotion
            return
        if await self._lull():
            await self._load(manifest)

    async def _lull(self) -> bool:
        """Wait for one; false if there is no engine to warm."""
        counts: list[int] = []
        waited = 0.0
        while self._fleet.state is EngineState.READY:
            counts.append(self._upstream.in_flight)
            if is_lull(counts, waited):
                return True
            await self._sleep(TICK_SECONDS)
            waited += TICK_SECONDS
        return False

    async def _load(self, manifest: Manifest) -> None:
        snapshot = self._directory.snapshot
        if snapshot is not None and is_pointed_at(snapshot, manifest) and self._directory.is_served(manifest):
            await self._loader.load(manifest)
