"""A stack whose engine sleeps after a moment without requests, and what its operator can see of that."""

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.end_to_end.stack import ADMIN_KEY, COMMUNITIES, MAKE_UP, Stack, processes_of, start_stack


@dataclass
class Sleeper:
    """`temporary`: the stack's TMPDIR, nobody else's."""

    stack: Stack
    temporary: Path
    settings: Mapping[str, str]
    command: Sequence[str]

    def engine(self) -> dict[str, Any]:
        """The engine as /admin/v1/status tells of it. Looking wakes nobody."""
        answer = httpx.get(f"{self.stack.url}/admin/v1/status", headers={"Authorization": f"Bearer {ADMIN_KEY}"}, timeout=30)
        return dict(answer.json()["engine"])

    def wait_for(self, *states: str, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while (engine := self.engine())["state"] not in states:
            assert time.monotonic() < deadline, f"after {seconds} s the engine is {engine}"
            time.sleep(0.05)

    @property
    def gateway(self) -> int:
        """Its process id. `make` and a shell may stand above it."""
        return next(pid for pid in (self.stack.process.pid, *generations(self.stack.process.pid)) if is_gateway(pid))

    def host(self) -> int | None:
        """The standby host's process id."""
        gateway = self.gateway
        titles = self._processes().items()
        return next((pid for pid, title in titles if "--standby" in title and parent_of(pid) == gateway), None)

    def engine_processes(self) -> list[int]:
        """What the host has forked: the API server first, then the engine core, then its workers."""
        host = self.host()
        return [] if host is None else generations(host)

    def _processes(self) -> dict[int, str]:
        return processes_of(self.stack.process.pid)

    def restart(self) -> None:
        """What a service manager does with a gateway that died."""
        self.stack.stop()
        self.stack = start_stack(self.stack.home, self.command, **self.settings)


@contextmanager
def sleeper(home: Path, command: Sequence[str] = MAKE_UP, **settings: str) -> Iterator[Sleeper]:
    """A stack in `home`, whose demo is built, ended with everything that it made."""
    temporary = Path(tempfile.mkdtemp(prefix="troupe-e2e-"))
    told = {"TMPDIR": str(temporary), "TROUPE_IDLE_TIMEOUT": "1", **settings}
    running = Sleeper(start_stack(home, command, **told), temporary, told, command)
    try:
        yield running
    finally:
        running.stack.stop()
        shutil.rmtree(temporary, ignore_errors=True)


def question(number: int, *, max_tokens: int = 8) -> dict[str, Any]:
    """One of many, streamed or not, to one voice or the other."""
    return {
        "model": COMMUNITIES[number % len(COMMUNITIES)],
        "messages": [{"role": "user", "content": f"who wins game {number}?"}],
        "max_tokens": max_tokens,
        "stream": number % 4 < 2,
    }


def alive(pids: Iterable[int]) -> list[int]:
    """Those that still run."""
    return [pid for pid in pids if (_stat(pid) or ["Z"])[0] != "Z"]


def is_gateway(pid: int) -> bool:
    """Whether this is `troupe up`, with real engines or fake ones, and not the shell that was told to run it."""
    try:
        said = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(word.endswith((b"bin/troupe", b".fake_up")) for word in said[1:3]) and b"python" in said[0]


def parent_of(pid: int) -> int | None:
    """None for a process that is gone."""
    fields = _stat(pid)
    return None if fields is None else int(fields[1])


def generations(ancestor: int) -> list[int]:
    """Everything below `ancestor`: its children, then theirs, and so on."""
    below, level = [], [ancestor]
    processes = {int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()}
    while level := sorted(pid for pid in processes if parent_of(pid) in level and pid not in below):
        below += level
    return alive(below)


def _stat(pid: int) -> list[str] | None:
    """State, parent and what follows in Linux's line on a process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
