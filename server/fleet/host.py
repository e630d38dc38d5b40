"""A standby host as its supervisor holds it: started once, forks engines on demand, comes back if it dies.

Speaks the lines of `server/engine/control.py`. Does not know what is forked.
"""

import asyncio
import contextlib
import json
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from server.fleet.engine import Cause, EngineDown, Failure
from server.fleet.leader import Leader, not_started, why_ended
from server.fleet.leftovers import kill_group

PATIENCE = 20.0
"""Seconds for a fork, which takes a hundredth of one."""


class StandbyHost:
    """A `Launcher` whose engines are forked from `command`, a host. If it dies it is started again with growing `pauses`, or at once
    when an engine is wanted; one that refused only then."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], *, log: Path, pauses: Sequence[float]) -> None:
        self._command = tuple(command)
        self._environment = dict(environment)
        self._log = log
        self._pauses = tuple(pauses)
        self._keeper: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._run: HostRun | None = None
        self._next: asyncio.Future[HostRun | EngineDown] | None = None

    @property
    def process_id(self) -> int | None:
        """Of the host; None while there is none."""
        return self._run.process.pid if self._run and not self._run.ended.done() else None

    def open(self) -> None:
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())

    async def launch(self, log: Path, shm: str) -> Leader:
        self.open()
        run = self._run
        if run is None or run.ended.done():
            self._next = self._next or asyncio.get_running_loop().create_future()
            self._wanted.set()
            begun = await asyncio.shield(self._next)
            if isinstance(begun, EngineDown):
                raise begun
            run = begun
        return await run.fork(log, shm)

    async def close(self) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper

    async def _keep(self) -> None:
        failures = 0
        while True:
            self._wanted.clear()
            patient = False
            try:
                run = await self._begin()
            except EngineDown as exc:
                self._tell_next(exc)
                failures += 1
            else:
                try:
                    self._run = run
                    self._tell_next(run)
                    await asyncio.wait({run.ended})
                    failures = 0 if run.was_ready else failures + 1
                    patient = run.refused
                finally:
                    self._run = None
                    await run.end()
            pause = None if patient else self._pauses[min(failures, len(self._pauses) - 1)]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):  # not `wait_for`, which may swallow a cancellation
                    await self._wanted.wait()

    def _tell_next(self, begun: "HostRun | EngineDown") -> None:
        if self._next is not None:
            self._next.set_result(begun)
            self._next = None

    async def _begin(self) -> "HostRun":
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("wb") as output:
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=output,
                    env=self._environment,
                    start_new_session=True,
                )
        except OSError as exc:
            raise not_started(exc) from exc
        return HostRun(process, self._log)


class HostRun:
    """One host from its start to its end."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        loop = asyncio.get_running_loop()
        self.process = process
        self.was_ready = False
        self.refused = False
        self._log = log
        self._failure: Failure | None = None
        self._ready: asyncio.Future[None] = loop.create_future()
        self._forking: asyncio.Future[Leader] | None = None
        self._engines: dict[int, asyncio.Future[int]] = {}
        self.ended: asyncio.Task[None] = asyncio.create_task(self._follow())

    async def fork(self, log: Path, shm: str) -> Leader:
        """Raises EngineDown if the host ends before there is an engine."""
        either: set[asyncio.Future[Any]] = {self._ready, self.ended}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        self._forking = forking = asyncio.get_running_loop().create_future()
        try:
            if not self.ended.done():
                self._say({"command": "fork", "log": str(log), "shm": shm})
                either = {forking, self.ended}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
            if forking.done():
                leader: Leader = forking.result()
                return leader
            if not self.ended.done():
                self._failure = Failure(
                    Cause.HUNG, f"The standby host forked nothing for {PATIENCE:.0f} s and is replaced; see {self._log}."
                )
                kill_group(self.process.pid)
            raise EngineDown(self._failure or Failure(Cause.CRASHED, f"The standby host is gone; see {self._log}."))
        except asyncio.CancelledError:
            if forking.done():
                kill_group(forking.result().pid)
            raise
        finally:
            forking.cancel()  # one that comes after this is wanted by nobody

    async def end(self) -> None:
        """The host and whatever it forked."""
        for pid in self._engines:
            kill_group(pid)
        if self.process.stdin:
            self.process.stdin.close()
        try:
            await asyncio.wait({self.ended}, timeout=3.0)
        finally:
            kill_group(self.process.pid)
            await asyncio.wait({self.ended})

    async def _follow(self) -> None:
        assert self.process.stdout is not None
        with contextlib.suppress(ValueError):  # a line without end is no event
            async for line in self.process.stdout:
                self._heard(line)
        if self.process.stdin:
            self.process.stdin.close()
        status = await self.process.wait()
        self._failure = self._failure or why_ended(status, self._log, was_ready=self.was_ready)
        for pid, exited in self._engines.items():
            kill_group(pid)
            exited.set_result(-signal.SIGKILL)
        self._engines.clear()

    def _heard(self, line: bytes) -> None:
        try:
            said: Any = json.loads(line)
            event, pid, status = str(said["event"]), int(said.get("pid", 0)), int(said.get("status", 0))
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        if event == "ready" and not self._ready.done():
            self.was_ready = True
            self._ready.set_result(None)
        elif event == "refused":
            self.refused = True
            self._failure = Failure(Cause.SETTINGS, str(said.get("sentence", "")))
        elif event == "forked":
            exited = self._engines[pid] = asyncio.get_running_loop().create_future()
            if self._forking is None or self._forking.done():
                kill_group(pid)  # whoever wanted it has left
            else:
                self._forking.set_result(Leader(pid, exited))
        elif event == "exited" and pid in self._engines:
            self._engines.pop(pid).set_result(status)

    def _say(self, command: dict[str, str]) -> None:
        if self.process.stdin:
            self.process.stdin.write(json.dumps(command).encode() + b"\n")
