"""Has the engine load an adapter before anybody asks for it, without a token: our own errand, which wakes nobody and keeps nobody awake."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from secrets import token_hex

from adapters.registry import Manifest
from server.fleet.fleet import Fleet
from server.gateway.errors import EngineLost, GatewayError
from server.gateway.leases import Leased
from server.gateway.metrics import Metrics
from server.gateway.upstream import Upstream

log = logging.getLogger("troupe.gateway")

PATH = "/tokenize"
"""Of vLLM: it resolves a model's name, and by that loads it, and computes nothing."""
LOAD_SECONDS = 60.0
REMEMBER_SECONDS = 30.0
"""How long an adapter that was there counts as loaded; after that the engine may have dropped it for others."""


class Loader:
    """One adapter at a time. `clock`, in seconds, is for tests."""

    def __init__(self, fleet: Fleet, upstream: Upstream, metrics: Metrics, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fleet = fleet
        self._upstream = upstream
        self._metrics = metrics
        self._clock = clock
        self._turn = asyncio.Lock()
        self._loaded: dict[str, tuple[int, float]] = {}
        """Engine name → in which engine it was seen, and when."""

    def note(self, manifest: Manifest) -> None:
        """The engine has just answered with this one."""
        now = self._clock()
        self._loaded = {name: seen for name, seen in self._loaded.items() if self._holds(seen, now)}
        self._loaded[manifest.engine_name] = (self._fleet.wakes, now)

    def knows(self, manifest: Manifest) -> bool:
        """Whether the engine had it just now."""
        return self._holds(self._loaded.get(manifest.engine_name), self._clock())

    async def load(self, manifest: Manifest) -> None:
        """Returns when it is loaded, or is not going to be: then the first request will find out why."""
        try:
            async with self._turn, asyncio.timeout(LOAD_SECONDS), Leased(self._fleet, counts=False) as lease:
                body = json.dumps({"model": manifest.engine_name, "prompt": "hi", "add_special_tokens": False}).encode()
                try:
                    name = f"warm_{token_hex(16)}"
                    async with self._upstream.post(lease.endpoint, PATH, body, stream=False, request_id=name, quotes=True) as response:
                        await response.content.read()
                except EngineLost:
                    lease.lost()
                    raise
        except (GatewayError, TimeoutError) as error:
            log.warning("warming %s failed: %r", manifest.ref, error)
            self._metrics.note_warm_load("failed")
        else:
            self.note(manifest)
            log.info("warmed %s", manifest.ref)
            self._metrics.note_warm_load("loaded")

    def _holds(self, seen: tuple[int, float] | None, now: float) -> bool:
        return seen is not None and seen[0] == self._fleet.wakes and now - seen[1] < REMEMBER_SECONDS
