"""A process of our own under measurement: started on a core, waited for, its CPU time and memory read, ended by its id.

Knows Linux's /proc; nothing of what the process does.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TROUPE = str(Path(sys.executable).with_name("troupe"))
"""The console script of this installation, as Python is told to run it."""


class NotStarted(Exception):
    """The process ended, or said nothing of what was awaited; the message holds the end of what it said."""


def end_like_ctrl_c() -> None:
    """Let SIGTERM, too, leave every block of this process, so that what it started is ended."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def free_port() -> int:
    """One that nobody listened at just now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Process:
    """`python ARGUMENTS`, in a session of its own, with its output in the file `log`; ended when the block is left.

    `environment` is set over ours, from which every TROUPE_ variable is taken away first. `python`: of another installation than ours.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        core: int | None = None,
        python: Path | None = None,
    ) -> None:
        self._arguments = [str(python or sys.executable), *arguments]
        self._log = log
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("TROUPE_")} | dict(environment or {})
        self._core = core

    def __enter__(self) -> Self:
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )
        if self._core is not None:
            os.sched_setaffinity(self._process.pid, {self._core})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def must_live(self) -> None:
        """Raises NotStarted with its last words if it has ended."""
        if self._process.poll() is not None:
            raise NotStarted(f"{' '.join(self._arguments[1:4])} …: {self._log.read_text(errors='replace')[-2000:]}")

    def wait_for(self, pattern: str, *, seconds: float) -> str:
        """The first group of `pattern` in what the process says. Raises NotStarted."""
        deadline = time.monotonic() + seconds
        while True:
            text = self._log.read_text(errors="replace")
            if found := re.search(pattern, text):
                return found[1]
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise NotStarted(f"{' '.join(self._arguments[1:])}: {text[-2000:]}")
            time.sleep(0.01)

    def stop(self, stop_signal: int = signal.SIGTERM, *, seconds: float = 60.0) -> float:
        """End it, and by force if it takes longer than `seconds`. Returns how long it took."""
        start = time.monotonic()
        if self._process.poll() is None:
            self._process.send_signal(stop_signal)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # what it started and left
        return time.monotonic() - start

    def cpu_s(self) -> float:
        """User and system time so far, of all its threads, in seconds."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        user, system = int(fields[11]), int(fields[12])
        return (user + system) * TICK_S

    def resident_bytes(self) -> int:
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * PAGE_BYTES
