"""One engine on this machine: a group of processes, followed from start to end.

Knows how to tell that it answers, why it ended, and how to make sure that nothing of it stays. Does not know what the command is: vLLM
in production, a fake in tests; nor when to start again, which is for the fleet to say.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.fleet.engine import Endpoint, EngineDown, Failure
from server.fleet.health import healthy
from server.fleet.host import StandbyHost
from server.fleet.leader import Command, Launcher, Leader, why_ended
from server.fleet.leftovers import SHM_VARIABLE, end_group, kill_group, scratch_name, shm_prefix, unlink_shared_memory

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Timing:
    """Seconds. The defaults suit vLLM with a model of some gigabytes."""

    start: float = 600.0
    """From the start of the process to its first healthy answer; a standby host's own start included."""
    poll: float = 0.02
    stop: float = 20.0
    """From SIGTERM to SIGKILL."""
    backoff: Sequence[float] = field(default=(1.0, 2.0, 5.0, 15.0, 60.0))
    """Pauses before a standby host that died is started again; the last one repeats."""


class LocalEngine:
    """An `Engine` (see `server.fleet.engine`) that runs `command` and answers on the unix socket `socket`.

    With `standby`, `command` is a host that forks the engine (see `server/engine/control.py`); without, the engine itself. Either has its
    standard input held open for as long as it may live: a command that watches it ends with us even if we are killed. An engine's output
    goes to the file `log`, a host's to another beside it. Its temporary files lie in a folder of their own below the `TMPDIR` of
    `environment`, and go with it; that path has to be short, for vLLM's sockets with 43 bytes of name are among them.
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
        standby: bool = False,
    ) -> None:
        self._log = log
        self._timing = timing or Timing()
        self._endpoint = Endpoint(base_url="http://engine", socket=socket, api_key=api_key)
        self._socket = socket
        told = dict(os.environ if environment is None else environment)
        self._scratch = Path(told.get("TMPDIR") or tempfile.gettempdir(), scratch_name(socket))
        self._shm = shm_prefix(socket)
        told |= {SHM_VARIABLE: self._shm, "TMPDIR": str(self._scratch)}
        self._host: StandbyHost | None = None
        if standby:
            host_log = log.with_name(f"{log.stem}-standby{log.suffix}")
            self._host = StandbyHost(command, told, log=host_log, pauses=self._timing.backoff)
        self._launcher: Launcher = self._host or Command(command, told)
        self._leader: Leader | None = None

    @property
    def endpoint(self) -> Endpoint:
        return self._endpoint

    @property
    def process_id(self) -> int | None:
        """Of the engine's first process, which leads its group; None while there is none."""
        return self._leader.pid if self._leader else None

    @property
    def host_process_id(self) -> int | None:
        """Of the standby host; None without one."""
        return self._host.process_id if self._host else None

    async def open(self) -> None:
        self._clear()  # a host's temporary folder, from its first moment on
        self._launcher.open()

    async def start(self) -> None:
        await self.stop(force=True)
        self._clear()
        self._log.parent.mkdir(parents=True, exist_ok=True)
        leader: Leader | None = None
        try:
            async with asyncio.timeout(self._timing.start):
                leader = self._leader = await self._launcher.launch(self._log, self._shm)
                if await self._answers(leader):
                    return
        except TimeoutError:
            if leader is None or not leader.exited.done():
                await self.stop(force=True)
                raise EngineDown(why_ended(None, self._log, was_ready=False)) from None
        except BaseException:  # whatever it is, a cancellation too: nothing may stay, and it goes on its way
            await self.stop(force=True)
            raise
        await self.stop(force=True)
        raise EngineDown(why_ended(leader.exited.result(), self._log, was_ready=False))

    async def wait(self) -> Failure:
        leader = self._leader
        if leader is None:
            await asyncio.Event().wait()  # what was not started does not go away
            raise AssertionError
        await asyncio.wait({leader.exited})
        failure = why_ended(leader.exited.result(), self._log, was_ready=True)
        await self.stop(force=True)
        return failure

    async def stop(self, *, force: bool = False) -> None:
        leader = self._leader
        if leader is None:
            return
        try:
            if not force and not leader.exited.done():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(leader.pid, signal.SIGTERM)
                await asyncio.wait({leader.exited}, timeout=self._timing.stop)
        finally:
            kill_group(leader.pid)  # at once, in case what follows is cancelled
            await end_group(leader.pid)
            await asyncio.wait({leader.exited}, timeout=1.0)  # a host that hangs tells nothing, and need not
            self._leader = None
            self._clear()

    async def close(self) -> None:
        try:
            await self.stop()
        finally:
            await self._launcher.close()
            shutil.rmtree(self._scratch, ignore_errors=True)

    async def _answers(self, leader: Leader) -> bool:
        """True once it does, False if it ended first."""
        while not leader.exited.done():
            if self._socket.exists():
                question = asyncio.create_task(healthy(self._endpoint))
                either: set[asyncio.Future[Any]] = {question, leader.exited}
                try:
                    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                    if question.done() and question.result():
                        return True
                finally:
                    question.cancel()
            await asyncio.wait({leader.exited}, timeout=self._timing.poll)
        return False

    def _clear(self) -> None:
        """What a process leaves when it is killed; an empty folder for the temporary files of the next one."""
        self._socket.unlink(missing_ok=True)
        unlink_shared_memory(self._shm)
        shutil.rmtree(self._scratch, ignore_errors=True)
        try:
            self._scratch.mkdir(parents=True, mode=0o700)
        except OSError as exc:
            logger.error("There is no folder for the engine's temporary files: %s", exc)
