"""The HTTP server, as one part of a program: how it ends at a signal.

uvicorn closes its doors at once when it is told to end. Here the gateway first refuses new work with a word, while what runs may finish.
"""

import asyncio
import contextlib
import signal
from collections.abc import Iterator

import uvicorn

from server.fleet.fleet import Fleet
from server.gateway.admission.gate import Gate

SIGNALS = (signal.SIGINT, signal.SIGTERM)
POLL_SECONDS = 0.05
FAREWELL_SECONDS = 2.0
"""How long requests that are ended may take to say so."""


class Server(uvicorn.Server):
    """At the first signal, readiness is over and new requests are refused; streams go on for up to `drain_timeout` seconds. Then, or at
    the second signal, what is left is told and ends."""

    def __init__(self, config: uvicorn.Config, *, gate: Gate, fleet: Fleet, drain_timeout: float) -> None:
        super().__init__(config)
        self._gate = gate
        self._fleet = fleet
        self._drain_timeout = drain_timeout
        self._ending: asyncio.Task[None] | None = None
        self._enough = asyncio.Event()

    def end(self) -> None:
        """What a signal does."""
        if self._ending is None:
            self._gate.close()
            self._fleet.begin_stop()
            self._ending = asyncio.create_task(self._end())
        else:
            self._enough.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn's: a signal is not raised again afterwards, for there is more to clean up."""
        loop = asyncio.get_running_loop()
        for each in SIGNALS:
            loop.add_signal_handler(each, self.end)
        try:
            yield
        finally:
            for each in SIGNALS:
                loop.remove_signal_handler(each)

    async def _end(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._drain_timeout):
                while self._is_busy() and not self._enough.is_set():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._enough.wait(), POLL_SECONDS)
        left = list(self.server_state.tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=FAREWELL_SECONDS)
        self.should_exit = True

    def _is_busy(self) -> bool:
        return bool(self._fleet.in_flight or self.server_state.tasks)
