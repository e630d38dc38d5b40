"""The first process of an engine, as its supervisor holds it; and the plain way to come by one: run a command."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from server.fleet.causes import translate
from server.fleet.engine import Cause, EngineDown, Failure

TAIL = 64 << 10
"""Bytes of a log that are looked at for a reason."""


@dataclass(frozen=True)
class Leader:
    """Its group is named by `pid` and outlives it if it is killed."""

    pid: int
    exited: "asyncio.Future[int]"
    """Exit code, or minus the signal that ended it. Never cancelled, never an error."""
    holds: object = field(default=None, repr=False)
    """What has to stay as long as the engine shall live, such as the other end of its standard input."""


class Launcher(Protocol):
    """Where leaders come from."""

    def open(self) -> None:
        """Begin what makes `launch` quick."""
        ...

    async def launch(self, log: Path, shm: str) -> Leader:
        """Raises EngineDown. When it is cancelled, nothing of the engine stays."""
        ...

    async def close(self) -> None: ...


class Command:
    """A `Launcher` that runs a command, in a group of its own. Its standard input ends with us."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = tuple(command)
        self._environment = dict(environment)

    def open(self) -> None:
        """Nothing is kept ready."""

    async def launch(self, log: Path, shm: str) -> Leader:
        """`shm` is in the environment already."""
        try:
            with log.open("wb") as output:
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    env=self._environment,
                    start_new_session=True,
                )
        except OSError as exc:
            raise not_started(exc) from exc
        return Leader(process.pid, asyncio.ensure_future(process.wait()), process)

    async def close(self) -> None:
        """Nothing is kept ready."""


def not_started(exc: OSError) -> EngineDown:
    return EngineDown(Failure(Cause.CRASHED, f"The engine could not be started: {exc.strerror} ({exc.filename})."))


def why_ended(status: int | None, log: Path, *, was_ready: bool) -> Failure:
    """`status`: as `Leader.exited` has it; None for one that was too slow."""
    try:
        with log.open("rb") as written:
            written.seek(max(0, log.stat().st_size - TAIL))
            said = written.read().decode(errors="replace")
    except OSError:
        said = ""
    return translate(status, said, was_ready=was_ready, log=log)
