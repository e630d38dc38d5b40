"""Starting with a base of one's own, and what is left when everything has ended: nothing."""

import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.stack import Stack, processes_of, start_stack

pytestmark = pytest.mark.engine


def gone(pids: set[int], seconds: float = 15.0) -> bool:
    deadline = time.monotonic() + seconds
    while any(Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text() for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize("how", ["ctrl-c", "kill -9"])
def test_nothing_is_left_behind(stack: Stack, tmp_path: Path, how: str) -> None:
    """Neither a process nor a temporary folder, after Ctrl-C in the terminal; and no process after the gateway was killed outright."""
    temporary = Path(tempfile.mkdtemp())
    own = start_stack(tmp_path / "home", TROUPE_BASE=str(stack.base), TMPDIR=str(temporary))
    try:
        models = httpx.get(f"{own.v1}/models", headers=own.headers).json()["data"]
        below = processes_of(own.process.pid)
        assert [model["id"] for model in models] == ["base"]
        assert sum("VLLM" in title for title in below.values()) == 2
        if how == "ctrl-c":
            own.stop()
        else:
            os.kill(next(pid for pid, title in below.items() if "troupe up" in title), signal.SIGKILL)
            own.process.wait(20)
        assert gone(set(below))
        assert how != "ctrl-c" or not list(temporary.iterdir())
    finally:
        own.stop()
        shutil.rmtree(temporary)
