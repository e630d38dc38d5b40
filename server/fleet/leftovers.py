"""What an engine leaves behind when it is killed, and how to be rid of it: processes, shared memory, the folder of a run.

Names tell whose it is: everything of a run is named after its folder. Knows nothing of vLLM.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

SHM_VARIABLE = "TROUPE_ENGINE_SHM"
"""Tells an engine how to begin its names in /dev/shm, and whose a process is: it stays readable from outside as long as that lives."""

RUN_PREFIX = "troupe-"
"""How the name of a run's folder begins. No other folder is ever removed."""

_RECORD = "run.json"
_SHM = Path("/dev/shm")  # noqa: S108

logger = logging.getLogger(__name__)


def shm_prefix(socket: Path) -> str:
    """How an engine that listens on `socket` begins its names in /dev/shm: first its run's part, then its own."""
    return f"{run_prefix(socket.parent)}{_digest(socket.name, 4)}-"


def run_prefix(run: Path) -> str:
    """How everything of a run begins its names in /dev/shm. `run`: the folder of its sockets."""
    return f"troupe-{_digest(str(run), 10)}-"


def scratch_name(socket: Path) -> str:
    """The folder for the temporary files of an engine that listens on `socket`. Short: sockets are among them."""
    return f"t-{_digest(str(socket), 6)}"


def remember(home: Path, run: Path) -> None:
    """To be called before the first engine of a run is started; `run`: the folder of its sockets."""
    record = home / _RECORD
    record.with_suffix(".tmp").write_text(json.dumps({"run": str(run)}))
    record.with_suffix(".tmp").replace(record)


def forget(home: Path) -> None:
    """The run has ended well."""
    (home / _RECORD).unlink(missing_ok=True)


def sweep(home: Path) -> Path | None:
    """Remove what a killed run in this home has left; returns its folder if there was one. Nobody else may run in `home`."""
    try:
        run = Path(json.loads((home / _RECORD).read_text())["run"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    prefix = run_prefix(run)
    _end_owned(prefix)
    unlink_shared_memory(prefix)
    if run.name.startswith(RUN_PREFIX) and run.is_dir() and not run.is_symlink() and run.stat().st_uid == os.getuid():
        shutil.rmtree(run, ignore_errors=True)
    forget(home)
    return run


def unlink_shared_memory(prefix: str) -> None:
    """What is still mapped by somebody lives until that process ends."""
    with contextlib.suppress(OSError):
        for path in _SHM.glob(f"{prefix}*"):
            path.unlink(missing_ok=True)


def kill_group(group: int) -> None:
    """SIGKILL for a whole process group, if there is one."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


async def end_group(group: int, *, patience: float = 10.0, poll: float = 0.02) -> None:
    """SIGKILL for a whole process group; returns when none of it runs any more."""
    deadline = time.monotonic() + patience
    while True:
        kill_group(group)
        if not (left := members(group)):
            return
        if time.monotonic() > deadline:
            logger.error("These processes of an engine do not end, not even killed: %s", left)
            return
        await asyncio.sleep(poll)


def members(group: int) -> list[int]:
    """The processes of a group that have not ended yet."""
    return [pid for pid, state, of in _processes() if of == group and state not in "ZX"]


def _processes() -> Iterator[tuple[int, str, int]]:
    """(pid, state, group) of each."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                state, _parent, group = Path(entry.path, "stat").read_text().rpartition(")")[2].split()[:3]
                yield int(entry.name), state, int(group)


def _end_owned(prefix: str, patience: float = 10.0) -> None:
    """End every process that was told to begin its names with `prefix`."""
    sign = f"\0{SHM_VARIABLE}={prefix}".encode()
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        left = [pid for pid, state, _ in _processes() if state not in "ZX" and sign in b"\0" + _environment(pid)]
        if not left:
            return
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    logger.error("These processes of an earlier run do not end, not even killed: %s", left)


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]
