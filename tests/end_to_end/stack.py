"""The real thing for tests: `make up` in a folder of its own, on a free port, with real vLLM and the demo."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
API_KEY = "tr_test_chat-key-of-the-tests"
ADMIN_KEY = "tr_test_admin-key-of-the-tests"
COMMUNITIES = ("greybeards", "zizou")


@dataclass
class Stack:
    """A running `make up`. Times in seconds."""

    process: "subprocess.Popen[bytes]"
    home: Path
    output: Path
    url: str
    started: float
    """`time.monotonic()` just before `make up`."""
    ready_after: float

    @property
    def v1(self) -> str:
        return f"{self.url}/v1"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {API_KEY}"}

    @property
    def store(self) -> Path:
        """Where published adapters lie, unless the stack was told of another store."""
        return self.home / "registry" / "store"

    @property
    def cache(self) -> Path:
        """The engine's verified copies."""
        return self.home / "cache" / "adapters"

    @property
    def demo(self) -> Path:
        return newest_demo(self.home)

    @property
    def base(self) -> Path:
        return self.demo / "base"

    def special_tokens(self) -> list[int]:
        return [token["id"] for token in json.loads((self.base / "tokenizer.json").read_bytes())["added_tokens"]]

    def environment(self) -> dict[str, str]:
        """For commands that talk to this stack, `troupe` and the tests' Python first on the path."""
        path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return {**clean_environment(self.home), "PATH": path, "TROUPE_URL": self.url, "KEY": API_KEY}

    def wait_until_ready(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (answer := httpx.get(f"{self.url}/health/ready")).status_code != 200:
            assert time.monotonic() < deadline, f"after {seconds} s /health/ready still says {answer.status_code}"
            time.sleep(0.1)

    def stop(self) -> int:
        """What Ctrl-C does: SIGINT to everything in the terminal's foreground group. Returns the exit code; safe to call twice."""
        if self.process.poll() is not None:
            return self.process.returncode
        os.killpg(self.process.pid, signal.SIGINT)
        try:
            return self.process.wait(60)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


def newest_demo(home: Path) -> Path:
    """A kept home may hold older ones. Raises ValueError if there is none."""
    return max((home / "demo").glob("*/"), key=lambda folder: folder.stat().st_mtime)


def clean_environment(home: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TROUPE_")}
    return {**inherited, "TROUPE_HOME": str(home), "TROUPE_API_KEY": API_KEY, "TROUPE_ADMIN_KEY": ADMIN_KEY}


START_SECONDS = 400.0


MAKE_UP = ("make", "up")


def start_stack(home: Path, command: Sequence[str] = MAKE_UP, **settings: str) -> Stack:
    """Run `make up` and wait for its greeting. Raises AssertionError with its output if it ends before that."""
    output = home.with_suffix(".log")
    started = time.monotonic()
    with output.open("wb") as log:
        environment = {**clean_environment(home), "TROUPE_PORT": "0", **settings}
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )  # fmt: skip
    while True:
        said = output.read_text(errors="replace")
        if found := re.search(r"URL\s+(http://\S+)/v1", said):
            return Stack(process, home, output, found[1], started, time.monotonic() - started)
        if process.poll() is not None or time.monotonic() > started + START_SECONDS:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(f"{' '.join(command)} is not ready after {time.monotonic() - started:.0f} s:\n{said[-4000:]}")
        time.sleep(0.1)


def processes_of(ancestor: int) -> dict[int, str]:
    """Process id → command line of everything below `ancestor` that still runs."""
    parents, titles = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                title = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                continue
            if state != "Z":
                parents[int(folder.name)], titles[int(folder.name)] = int(parent), title
    below = {ancestor}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return {pid: titles[pid] for pid in below - {ancestor} if pid in titles}
