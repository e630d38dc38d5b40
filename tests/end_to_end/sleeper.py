"""A stack whose engine sleeps after a moment without requests, and what its operator can see of that."""

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from server.fleet.leftovers import RUN_PREFIX, run_prefix
from tests.end_to_end.remains import shared_memory
from tests.end_to_end.stack import ADMIN_KEY, COMMUNITIES, MAKE_UP, Stack, start_stack


@dataclass
class Sleeper:
    """`temporary`: the stack's TMPDIR, nobody else's."""

    stack: Stack
    temporary: Path
    settings: Mapping[str, str]
    command: Sequence[str]
    runs: set[Path] = field(default_factory=set)
    """The folders of this installation's sockets, of runs that were killed too."""

    def engine(self) -> dict[str, Any]:
        """The engine as /admin/v1/status tells of it. Looking wakes nobody."""
        answer = httpx.get(f"{self.stack.url}/admin/v1/status", headers={"Authorization": f"Bearer {ADMIN_KEY}"}, timeout=30)
        return dict(answer.json()["engine"])

    def wait_for(self, *states: str, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while (engine := self.engine())["state"] not in states:
            assert time.monotonic() < deadline, f"after {seconds} s the engine is {engine}"
            time.sleep(0.05)

    def restart(self) -> None:
        """What a service manager does with a gateway that died."""
        self.stack.stop()
        self.stack = start_stack(self.stack.home, self.command, **self.settings)
        self.note_run()

    def note_run(self) -> None:
        self.runs.update(self.temporary.glob(f"{RUN_PREFIX}*"))

    def shared_memory(self) -> list[str]:
        """What there is in /dev/shm of this installation, and not of another one on this machine."""
        return [name for name in shared_memory() for run in self.runs if name.startswith(run_prefix(run))]


@contextmanager
def sleeper(home: Path, command: Sequence[str] = MAKE_UP, **settings: str) -> Iterator[Sleeper]:
    """A stack in `home`, whose demo is built, ended with everything that it made."""
    temporary = Path(tempfile.mkdtemp(prefix="troupe-e2e-"))
    told = {"TMPDIR": str(temporary), "TROUPE_IDLE_TIMEOUT": "1", **settings}
    running = Sleeper(start_stack(home, command, **told), temporary, told, command)
    running.note_run()
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
