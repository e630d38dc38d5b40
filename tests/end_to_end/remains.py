"""What a running installation holds of the machine: processes, shared memory, sockets, files, descriptors, memory. Linux's own counts."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.end_to_end.stack import Stack, processes_of

SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Remains:
    """At one moment. In bytes, of all processes together, what pages several share divided among them: `memory` is all that they hold,
    `own` without the files that they map, whose share grows when somebody else ends who mapped them too."""

    processes: dict[int, str]
    shared_memory: frozenset[str]
    sockets: frozenset[str]
    files: frozenset[str]
    descriptors: int
    memory: int
    own: int


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
        memory=sum(_pss(pid, "Pss:") for pid in processes),
        own=sum(_pss(pid, "Pss_Anon:", "Pss_Shmem:") for pid in processes),
    )


def shared_memory() -> frozenset[str]:
    """Names of all blocks on this machine, other programs' too: compare two moments."""
    return frozenset(os.listdir(SHARED_MEMORY))


def _pss(pid: int, *kinds: str) -> int:
    """0 for a process that is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(kinds))


def _descriptors(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def _listening_paths() -> list[str]:
    """Paths of the unix sockets that somebody holds open."""
    return [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()[1:] if "/" in line.split()[-1]]
