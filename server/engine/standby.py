"""The standby host: has everything imported that an engine needs, touches no accelerator, and forks an engine when it is told to.

A forked engine has nothing left to import, which is most of what a start costs. Knows how to fork and what to be careful of; does not
know vLLM: what an engine does comes from whoever called `Host.run`, which returns once in the host and once in each engine.
"""

import contextlib
import gc
import multiprocessing.shared_memory
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from setproctitle import setproctitle

from server.engine.control import Control, Order
from server.engine.lifeline import DyingForks, adopt_orphans, die_with_parent

DEVICES = ("/dev/nvidia", "/dev/kfd", "/dev/dri")
"""How the files of accelerators begin."""

_TOUCHED = "The standby host {what}, so no engine can be forked from it: set TROUPE_MODE=cold."


def why_not_fork() -> str | None:
    """A sentence if a fork of this process could not be trusted: an accelerator's context and other threads do not come along."""
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        return _TOUCHED.format(what=f"has {threads} threads")
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return _TOUCHED.format(what="has initialised CUDA")
    opened = next((path for path in map(_target, Path("/proc/self/fd").iterdir()) if path.startswith(DEVICES)), None)
    return _TOUCHED.format(what=f"has opened {opened}") if opened else None


class Host:
    """Forks at most one engine at a time; a second order while one lives is served too, should a supervisor want that."""

    def __init__(self, control: Control, why_not: Callable[[], str | None] = why_not_fork) -> None:
        self._control = control
        self._why_not = why_not
        self._engines: set[int] = set()

    def run(self) -> int | None:
        """In the host: serve until the supervisor is gone, then return an exit code. In a forked engine: return None."""
        adopt_orphans()
        self._control.listen_for_children()
        gc.collect()
        gc.freeze()  # what is shared with the engines is not written to by a collection
        if sentence := self._why_not():
            return self._refuse(sentence)
        self._control.tell("ready")
        while (orders := self._control.wait()) is not None:
            self._reap()
            for order in orders:
                if sentence := self._why_not():
                    return self._refuse(sentence)
                if not self._fork(order):
                    return None
        self._end()
        return 0

    def _fork(self, order: Order) -> bool:
        """False in the engine."""
        host = os.getpid()
        led, leads = os.pipe()
        pid = os.fork()
        if pid == 0:
            die_with_parent(host)
            self._control.leave()
            os.setsid()
            os.close(led)
            os.close(leads)
            setproctitle("troupe-engine")
            _become_engine(order)
            return False
        os.close(leads)
        os.read(led, 1)  # its end says that there is a group, which the supervisor may kill from its first moment on
        os.close(led)
        self._engines.add(pid)
        self._control.tell("forked", pid=pid)
        return True

    def _reap(self) -> None:
        """Whatever has ended: engines, which is told, and what they left behind."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._engines:
                self._engines.discard(pid)
                self._control.tell("exited", pid=pid, status=os.waitstatus_to_exitcode(status))

    def _refuse(self, sentence: str) -> int:
        sys.stderr.write(f"troupe-engine: {sentence}\n")
        self._control.tell("refused", sentence=sentence)
        self._end()
        return 2

    def _end(self) -> None:
        for pid in self._engines:
            _kill_group(pid)
        deadline = time.monotonic() + 5
        while self._engines and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.01)


def _become_engine(order: Order) -> None:
    """Writes to its log and reads nothing."""
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    begin_engine(order.shm)


def begin_engine(shm: str) -> None:
    """What every process that becomes an engine does first: its forks die with it, its shared memory can be told by its name."""
    DyingForks()
    if shm:
        # The only way to name what others make through `SharedMemory()`; vLLM's queues between its processes are such.
        memory = multiprocessing.shared_memory
        memory._SHM_NAME_PREFIX = f"/{shm}"  # type: ignore[attr-defined]
        memory._SHM_SAFE_NAME_LENGTH = len(shm) + 17  # type: ignore[attr-defined]
    tempfile.tempdir = None


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""
