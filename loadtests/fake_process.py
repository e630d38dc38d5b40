"""A fake engine as processes: an API server with an engine core below it and a worker below that, as vLLM's are.

Each dies with its parent. The API server asks the core for every token and the core asks the worker, so that one that stands still
(SIGSTOP) stops every answer, and one that is killed takes the whole engine with it: all streams are reset. What is left then is what a
real one leaves: a block of shared memory, if there was one. Linux only. Forks, so whoever calls has one thread.
"""

import asyncio
import contextlib
import ctypes
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from loadtests.fake_behaviour import START_FAILURE_WORDS, FakeSettings, StartFailure
from loadtests.fake_server import FakeEngine, instantly

CORE_TITLE, WORKER_TITLE = "VLLM::EngineCore", "VLLM::Worker"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  what is made there is removed again, or left behind on purpose
CRASHED, REFUSED = 1, 2
BEAT, GOODBYE = b".", b"!"
"""What the API server says to its core. Without a goodbye nobody cleans up: whoever is killed says none."""
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Birth:
    """How an engine comes to life."""

    delay: float = 0.0
    """Seconds before it listens, or fails."""
    failure: StartFailure = StartFailure.NONE
    family: bool = False
    """With core and worker; otherwise one process."""
    shm: str = ""
    """Begin of the name of a block of shared memory that the core holds; none if empty."""
    lifeline: bool = False
    """End the process group when standard input ends."""


def live(settings: FakeSettings, birth: Birth, *, socket: Path | None = None, port: int = 0) -> None:
    """Be an engine until SIGTERM or SIGINT, or until something of it dies. The process ends here, or returns after a calm end."""
    core = _bear_core(birth.shm) if birth.family else None
    time.sleep(birth.delay)
    _fail(birth.failure)
    asyncio.run(_serve(settings, core, socket, port, lifeline=birth.lifeline))
    if core is not None:
        os.wait()


def die_with_parent(parent: int) -> None:
    """SIGKILL for this process as soon as `parent`, which forked it, is gone."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(CRASHED)


def call_oneself(title: str) -> None:
    """What `ps` shows, and /proc/PID/comm, which has room for 15 bytes."""
    _libc.prctl(_PR_SET_NAME, title.encode())


def _fail(failure: StartFailure) -> None:
    if failure is StartFailure.NONE:
        return
    if failure is StartFailure.KILLED:
        os.kill(os.getpid(), signal.SIGKILL)
    while failure is StartFailure.NEVER:
        signal.pause()
    sys.stderr.write(START_FAILURE_WORDS[failure] + "\n")
    sys.stderr.flush()
    os._exit(REFUSED if failure is StartFailure.SETTINGS else CRASHED)


async def _serve(settings: FakeSettings, core: socket.socket | None, path: Path | None, port: int, *, lifeline: bool) -> None:
    loop = asyncio.get_running_loop()
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    if lifeline:
        loop.add_reader(0, _watch_lifeline)
    pulse = Pulse(core) if core is not None else None
    async with FakeEngine(settings, socket=path, port=port, core=pulse.beat if pulse else instantly) as engine:
        print(engine.socket or engine.url, flush=True)
        await ending.wait()
    if pulse is not None:
        pulse.stop()


def _watch_lifeline() -> None:
    if not os.read(0, 1024):
        os.killpg(0, signal.SIGKILL)


class Pulse:
    """The API server's end of the line to its core: a byte there and a byte back for each beat. A core that is gone ends this process."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._waiting: deque[asyncio.Future[None]] = deque()
        line.setblocking(False)
        asyncio.get_running_loop().add_reader(line, self._heard)

    async def beat(self) -> None:
        answered = asyncio.get_running_loop().create_future()
        self._waiting.append(answered)
        try:
            self._line.send(BEAT)
        except OSError:
            os._exit(CRASHED)
        await answered

    def stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self._line)
        with contextlib.suppress(OSError):
            self._line.send(GOODBYE)
        self._line.close()

    def _heard(self) -> None:
        beats = b""
        with contextlib.suppress(OSError):
            beats = self._line.recv(4096)
        if not beats:
            os._exit(CRASHED)
        for _ in beats:
            answered = self._waiting.popleft()
            if not answered.done():
                answered.set_result(None)


def _bear_core(shm: str) -> socket.socket:
    """Fork the core. Returns the API server's end of the line to it."""
    here, there = socket.socketpair()
    parent = os.getpid()
    if os.fork():
        there.close()
        if not here.recv(1):  # as the real one, it listens once its core is there
            os._exit(CRASHED)
        return here
    try:
        here.close()
        die_with_parent(parent)
        call_oneself(CORE_TITLE)
        _leave_signals_to_parent()
        _be_core(there, _bear_worker(there), SHARED_MEMORY / f"{shm}{os.getpid()}" if shm else None)
    finally:
        os._exit(CRASHED)  # whatever happened, never run on as a copy of who forked us


def _bear_worker(line: socket.socket) -> socket.socket:
    """Fork the worker. Returns the core's end of the line to it."""
    here, there = socket.socketpair()
    parent = os.getpid()
    if os.fork():
        there.close()
        return here
    try:
        here.close()
        line.close()
        die_with_parent(parent)
        call_oneself(WORKER_TITLE)
        while beats := there.recv(4096):
            there.sendall(beats)
        os._exit(0)
    finally:
        os._exit(CRASHED)


def _be_core(line: socket.socket, worker: socket.socket, block: Path | None) -> None:
    """Hand every beat on to the worker and back. Ends calmly with the API server's calm end, and badly with the worker."""
    if block is not None:
        block.write_bytes(b"\0" * 4096)
    line.sendall(BEAT)
    while True:
        readable, _, _ = select.select([line, worker], [], [])
        if worker in readable:
            beats = worker.recv(4096)
            if not beats:
                os._exit(CRASHED)
            line.sendall(beats)
        if line in readable:
            beats = line.recv(4096)
            if not beats:
                os._exit(CRASHED)
            if beats.endswith(GOODBYE):
                break
            worker.sendall(beats)
    worker.close()
    os.wait()
    if block is not None:
        block.unlink(missing_ok=True)
    os._exit(0)


def _leave_signals_to_parent() -> None:
    """A Ctrl-C in a terminal reaches the whole group; the API server ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
