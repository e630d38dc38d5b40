"""A standby host under measurement: started, told to fork an engine, told to end. Speaks the host's lines of JSON."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from loadtests.benchmarks.process import NotStarted

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  what engines leave there is taken away


class Standby:
    """`python ARGUMENTS` with `environment`, its log in the file `log`; ended with all its engines when the block is left."""

    def __init__(self, arguments: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> None:
        self._arguments = [sys.executable, *arguments]
        self._log = log
        self._environment = dict(environment)
        self._shm = f"troupe-bench-{os.getpid()}-"
        self._unread = b""
        self._engine = 0
        """Its process id, while there is one."""
        self.start_s = 0.0
        """What it took the host to be ready."""

    def __enter__(self) -> Self:
        start = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        try:
            self._event("ready", seconds=120.0)
        except BaseException:  # whatever it is, Ctrl-C too: a host that is not entered is nobody's to end
            self.__exit__(None, None, None)
            raise
        self.start_s = time.monotonic() - start
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            self._process.stdout.close()
            for block in SHARED_MEMORY.glob(f"{self._shm}*"):
                block.unlink(missing_ok=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    @contextmanager
    def engine(self, log: Path) -> Iterator[None]:
        """One is forked, writes to the file `log`, and is ended when the block is left."""
        assert self._process.stdin is not None
        order = {"command": "fork", "log": str(log), "shm": self._shm}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        self._engine, self._engine_log = int(self._event("forked", seconds=30.0)["pid"]), log
        try:
            yield
        finally:
            self._end_engine()

    def must_live(self) -> None:
        """Raises NotStarted with the engine's last words if it, or the host, is gone."""
        if self._line(seconds=0.0) is not None:
            self._engine = 0
            raise NotStarted(f"the engine or its host has ended: {self._engine_log.read_text(errors='replace')[-2000:]}")

    def _end_engine(self) -> None:
        """SIGTERM, and SIGKILL for the whole group if that takes too long."""
        if not self._engine:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._engine, signal.SIGTERM)
        if self._line(seconds=20.0) is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._engine, signal.SIGKILL)
            self._line(seconds=20.0)

    def _event(self, name: str, *, seconds: float) -> dict[str, Any]:
        line = self._line(seconds=seconds)
        event = json.loads(line) if line else {}
        if event.get("event") != name:
            raise NotStarted(
                f"{' '.join(self._arguments[1:4])}: {event or 'nothing'} in place of {name!r}: {self._log.read_text()[-2000:]}"
            )
        return dict(event)

    def _line(self, *, seconds: float) -> bytes | None:
        """The next line of the host; None if none comes in time. Empty where it is gone."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + seconds
        while b"\n" not in self._unread:
            readable, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                return None
            read = os.read(self._process.stdout.fileno(), 65536)
            if not read:
                return b""
            self._unread += read
        line, _, self._unread = self._unread.partition(b"\n")
        return line
