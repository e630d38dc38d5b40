"""What a running installation holds of the machine: processes, shared memory, sockets, files, descriptors, memory. Linux's own counts."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.end_to_end.stack import Stack, processes_of

SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Remains:
    """At one moment. `memory` in bytes: each process's own share of what it holds (PSS), summed."""

    processes: dict[int, str]
    shared_memory: frozenset[str]
    sockets: frozenset[str]
    files: frozenset[str]
    descriptors: int
    memory: int


def remains_of(stack: Stack, temporary: Path, memory: Iterable[str]) -> Remains:
    """Of the gateway and everything below it. `temporary`: the TMPDIR that the stack was started with, and nobody else has; `memory`: its
    names in /dev/shm."""
    processes = processes_of(stack.process.pid)
    return Remains(
        processes=processes,
        shared_memory=frozenset(memory),
        sockets=frozenset(path for path in _listening_paths() if path.startswith(str(temporary))),
        files=frozenset(str(path.relative_to(temporary)) for path in temporary.rglob("*")),
        descriptors=sum(map(_descriptors, processes)),
        memory=sum(map(memory_of, processes)),
    )


def shared_memory() -> frozenset[str]:
    """Names of all blocks on this machine, other programs' too: compare two moments."""
    return frozenset(os.listdir(SHARED_MEMORY))


def memory_of(pid: int) -> int:
    """Bytes of one process, shared pages divided among those who share them; 0 for one that is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:")), 0)


def _descriptors(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def _listening_paths() -> list[str]:
    """Paths of the unix sockets that somebody holds open."""
    return [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()[1:] if "/" in line.split()[-1]]
