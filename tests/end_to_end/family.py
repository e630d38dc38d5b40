"""The processes of a running installation, told apart: the gateway, its standby host, and what that has forked. Linux's own word for it."""

from collections.abc import Iterable
from pathlib import Path

from tests.end_to_end.stack import Stack


def gateway_of(stack: Stack) -> int:
    """Its process id. `make` and a shell may stand above it."""
    return next(pid for pid in (stack.process.pid, *generations(stack.process.pid)) if _is_gateway(pid))


def host_of(stack: Stack) -> int | None:
    """The standby host's process id; None while there is none."""
    gateway = gateway_of(stack)
    return next(
        (pid for pid in generations(gateway) if parent_of(pid) == gateway and any(b"-standby" in word for word in _words(pid))), None
    )


def engine_of(stack: Stack) -> list[int]:
    """What the host has forked: the API server first, then the engine core, then its workers."""
    host = host_of(stack)
    # Python's tracker of shared memory is nobody whom anything waits for.
    return [] if host is None else [pid for pid in generations(host) if not any(b"resource_tracker" in word for word in _words(pid))]


def alive(pids: Iterable[int]) -> list[int]:
    """Those that still run."""
    return [pid for pid in pids if (_stat(pid) or ["Z"])[0] != "Z"]


def _is_gateway(pid: int) -> bool:
    """Whether this is `troupe up`, with real engines or fake ones, and not the shell that was told to run it."""
    said = _words(pid)
    return any(word.endswith((b"bin/troupe", b".fake_up")) for word in said[1:3]) and b"python" in said[0]


def _words(pid: int) -> list[bytes]:
    """Of its command line; none for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


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
