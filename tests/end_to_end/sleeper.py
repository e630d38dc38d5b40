"""A stack whose engine sleeps after a moment without requests, and what its operator can see of that."""

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.end_to_end.stack import ADMIN_KEY, COMMUNITIES, MAKE_UP, Stack, start_stack


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
