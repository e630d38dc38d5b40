"""An engine that somebody else runs, known by its URL: a container beside us, a pod behind a Service.

Only looked at: `start` waits until it answers, `stop` only ends the looking. Whoever runs it decides when it sleeps, so its fleet has a
policy that always wants it.
"""

import asyncio

from server.fleet.engine import Cause, Endpoint, EngineDown, Failure
from server.fleet.health import trouble


class RemoteEngine:
    """An `Engine` (see `server.fleet.engine`) at `url`, asked for its health every `poll` seconds. All times in seconds."""

    def __init__(
        self, url: str, *, api_key: str = "", poll: float = 1.0, timeout: float = 5.0, patience: float = 15.0, misses: int = 3
    ) -> None:
        """`patience`: how long a start waits for it. After `misses` questions in a row without a good answer it has gone away."""
        self._endpoint = Endpoint(base_url=url.rstrip("/"), api_key=api_key)
        self._poll, self._timeout = poll, timeout
        self._patience, self._misses = patience, misses

    @property
    def endpoint(self) -> Endpoint:
        return self._endpoint

    async def open(self) -> None:
        """Nothing makes it quicker."""

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience
        while said := await trouble(self._endpoint, timeout=self._timeout):
            if loop.time() + self._poll > until:
                raise EngineDown(self._unreachable(said))
            await asyncio.sleep(self._poll)

    async def wait(self) -> Failure:
        missed, said = 0, ""
        while missed < self._misses:
            await asyncio.sleep(self._poll)
            wrong = await trouble(self._endpoint, timeout=self._timeout)
            missed, said = (missed + 1, wrong) if wrong else (0, "")
        return self._unreachable(said)

    async def stop(self, *, force: bool = False) -> None:
        """It is not ours to end."""

    async def close(self) -> None:
        """Nothing was begun."""

    def _unreachable(self, said: str) -> Failure:
        return Failure(Cause.UNREACHABLE, f"The engine at {self._endpoint.base_url} cannot be used: {said}.")
