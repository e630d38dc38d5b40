"""What is there of an engine and its host, counted from outside: for tests that say nothing stays and nothing grows."""

import os
from dataclasses import dataclass
from pathlib import Path

from server.fleet.leftovers import members, shm_prefix


@dataclass(frozen=True)
class Count:
    processes: int
    """Of our user and started from here: those that carry the run's sign."""
    sockets: int
    memory_blocks: int
    descriptors: int
    """Of the host and of this process."""
    host_mib: float
    own_mib: float
    """Memory of the host and of this process, what is shared divided by those who share it; without mapped files, which anybody on the
    machine may share or cease to."""


def count(run: Path, host: int) -> Count:
    sign = shm_prefix(run / "e.sock").encode()
    return Count(
        processes=sum(sign in _read(Path(f"/proc/{pid}/environ")) for pid in os.listdir("/proc") if pid.isdigit()),
        sockets=_read(Path("/proc/net/unix")).count(str(run).encode()),
        memory_blocks=sum(name.encode().startswith(sign) for name in os.listdir("/dev/shm")),
        descriptors=sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in (host, os.getpid())),
        host_mib=_memory_mib(host),
        own_mib=_memory_mib(os.getpid()),
    )


def parts(leader: int) -> tuple[int, int, int]:
    """The processes of an engine: (API server, engine core, worker)."""
    ours = [pid for pid in members(leader) if b"resource_tracker" not in _read(Path(f"/proc/{pid}/cmdline"))]
    core = next(pid for pid in ours if _parent(pid) == leader)
    return leader, core, next(pid for pid in ours if _parent(pid) == core)


def all_gone(run: Path) -> bool:
    """Whether nothing is there any more that carries the run's sign, its host included."""
    sign = shm_prefix(run / "e.sock").encode()
    return not any(sign in _read(Path(f"/proc/{pid}/environ")) for pid in os.listdir("/proc") if pid.isdigit())


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def devices(pid: int) -> list[str]:
    """Files of accelerators that it has open."""
    links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
    return [link for link in links if link.startswith(("/dev/nvidia", "/dev/kfd", "/dev/dri"))]


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _memory_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return round(sum(int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:"))) / 1024, 1)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
