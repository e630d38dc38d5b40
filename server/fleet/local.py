"""One engine on this machine: a process of its own, in its own process group, watched from start to end.

Knows how to start a command, how to tell that it answers, and how to make sure that nothing of it stays. Does not know what the
command is: vLLM in production, a fake in tests.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from server.fleet.engine import Endpoint, EngineState

REFUSED = 2
"""Exit code of an engine whose settings are wrong: starting it again would not help."""

_SAID = "troupe-engine: "


@dataclass(frozen=True)
class Timing:
    """Seconds. The defaults suit vLLM with a model of some gigabytes."""

    start: float = 600.0
    """From the start of the process to its first healthy answer."""
    poll: float = 0.25
    health: float = 15.0
    """For one health answer of an engine that is up; it shares its cores with everybody's tokens."""
    exit: float = 0.5
    """From the last answer to the end of a process that is dying: after it the engine counts as stuck."""
    stop: float = 20.0
    """From SIGTERM to SIGKILL."""
    backoff: Sequence[float] = field(default=(1.0, 2.0, 5.0, 15.0, 60.0))
    """Pauses before the first, second … start again; the last one repeats."""


class LocalEngine:
    """An `Engine` (see `server.fleet.engine`) that runs `command` and answers on the unix socket `socket`.

    Started again with growing pauses when it dies. Its standard input is held open for as long as it may live: a command that watches
    it ends with us even if we are killed. Output goes to the file `log`.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        socket: Path,
        log: Path,
        api_key: str = "",
        environment: Mapping[str, str] | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._command = tuple(command)
        self._log = log
        self._environment = environment
        self._timing = timing or Timing()
        self._endpoint = Endpoint(base_url="http://engine", socket=socket, api_key=api_key)
        self._socket = socket
        self._state = EngineState.ASLEEP
        self._failure: str | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def state(self) -> EngineState:
        return self._state

    @property
    def endpoint(self) -> Endpoint:
        return self._endpoint

    @property
    def failure(self) -> str | None:
        return self._failure

    @property
    def process_id(self) -> int | None:
        """Of the engine's first process, which leads its group; None while there is none."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Begin to start the engine, and keep it running until `stop`."""
        if self._keeper is None:
            self._state = EngineState.WAKING
            self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End the engine and all its processes. Safe to call twice."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        self._state = EngineState.DRAINING
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper
        self._state = EngineState.ASLEEP

    async def _keep(self) -> None:
        failures = 0
        while True:
            self._state = EngineState.WAKING
            try:
                process = await self._launch()
                try:
                    lived = await self._watch(process)
                finally:
                    await self._end(process)
            except OSError as exc:
                self._fail(f"The engine could not be started: {exc.strerror} ({exc.filename}).")
                lived = False
            else:
                if process.returncode == REFUSED:
                    return
            failures = 0 if lived else failures + 1
            await asyncio.sleep(self._timing.backoff[min(failures, len(self._timing.backoff) - 1)])

    async def _launch(self) -> asyncio.subprocess.Process:
        self._socket.unlink(missing_ok=True)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        return self._process

    async def _watch(self, process: asyncio.subprocess.Process) -> bool:
        """Follow the engine to its end; True if it had been ready."""
        exited = asyncio.create_task(process.wait())
        timeout = aiohttp.ClientTimeout(total=self._timing.health)
        was_ready = False
        deadline = asyncio.get_running_loop().time() + self._timing.start
        connector = aiohttp.UnixConnector(path=str(self._socket), force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            while not exited.done():
                healthy = await self._healthy(session, exited)
                if exited.done():
                    break
                if healthy:
                    was_ready, self._failure, self._state = True, None, EngineState.READY
                elif was_ready:
                    self._fail("The engine stopped answering; it is started again.")
                    await asyncio.wait({exited}, timeout=self._timing.exit)
                    if not exited.done():
                        return was_ready
                    break
                elif asyncio.get_running_loop().time() > deadline:
                    self._fail(f"The engine was not ready after {self._timing.start:.0f} s; see {self._log}.")
                    return was_ready
                await asyncio.wait({exited}, timeout=self._timing.poll)
        self._fail(self._last_words(process, was_ready))
        return was_ready

    async def _healthy(self, session: aiohttp.ClientSession, exited: "asyncio.Task[int]") -> bool:
        async def ask() -> bool:
            try:
                async with session.get("http://engine/health") as answer:
                    return answer.status == 200
            except (aiohttp.ClientError, TimeoutError, OSError):
                return False

        question = asyncio.create_task(ask())
        try:
            await asyncio.wait({question, exited}, return_when=asyncio.FIRST_COMPLETED)
            return question.done() and question.result()
        finally:
            question.cancel()

    def _fail(self, sentence: str) -> None:
        self._state, self._failure = EngineState.FAILED, sentence

    def _last_words(self, process: asyncio.subprocess.Process, was_ready: bool) -> str:
        """Why the engine ended, in its own words where it left any."""
        with contextlib.suppress(OSError):
            for line in reversed(self._log.read_text(errors="replace").splitlines()):
                if line.startswith(_SAID):
                    return line.removeprefix(_SAID)
        code = process.returncode or 0
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"The engine {how} {'while it ran' if was_ready else 'before it was ready'}; see {self._log}."

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """SIGTERM, then SIGKILL, for the whole group; returns when nothing of it is left."""
        if self._state is EngineState.READY:
            self._state = EngineState.WAKING
        try:
            if process.returncode is None:
                process.terminate()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), self._timing.stop)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            self._socket.unlink(missing_ok=True)
            self._process = None
