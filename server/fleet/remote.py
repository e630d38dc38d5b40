"""An engine that somebody else runs, known by its URL: a container beside us, a pod behind a Service.

Only looked at: `start` and `stop` begin and end the looking, never the engine.
"""

import asyncio
import contextlib

import aiohttp

from server.fleet.engine import Endpoint, EngineState


class RemoteEngine:
    """An `Engine` (see `server.fleet.engine`) at `url`, asked for its health every `poll` seconds."""

    def __init__(self, url: str, *, api_key: str = "", poll: float = 1.0, timeout: float = 5.0) -> None:
        self._endpoint = Endpoint(base_url=url.rstrip("/"), api_key=api_key)
        self._poll = poll
        self._timeout = timeout
        self._state = EngineState.ASLEEP
        self._failure: str | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def state(self) -> EngineState:
        return self._state

    @property
    def endpoint(self) -> Endpoint:
        return self._endpoint

    @property
    def failure(self) -> str | None:
        return self._failure

    async def start(self) -> None:
        if self._watcher is None:
            self._state = EngineState.WAKING
            self._watcher = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
        self._state = EngineState.ASLEEP

    async def _watch(self) -> None:
        url = self._endpoint.base_url + "/health"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._timeout)) as session:
            while True:
                try:
                    async with session.get(url) as answer:
                        self._set(None if answer.status == 200 else f"The engine at {url} answers {answer.status}.")
                except (aiohttp.ClientError, TimeoutError, OSError) as exc:
                    self._set(f"The engine at {url} does not answer ({type(exc).__name__}).")
                await asyncio.sleep(self._poll)

    def _set(self, failure: str | None) -> None:
        self._failure = failure
        self._state = EngineState.READY if failure is None else EngineState.FAILED
