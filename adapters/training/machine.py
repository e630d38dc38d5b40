"""What there is to train on: a device, its free memory, and how much of it was used."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Machine:
    """`free` bytes can be taken by a training, of `total`; on CUDA of the device, else of the host or the container."""

    device: torch.device
    name: str
    cores: int
    free: int
    total: int

    @property
    def is_cuda(self) -> bool:
        return self.device.type == "cuda"

    @property
    def dtype(self) -> torch.dtype:
        """What the base's weights are kept and multiplied in."""
        return torch.bfloat16 if has_fast_bfloat16(self.device.type) else torch.float32


def find_machine() -> Machine:
    cores = len(os.sched_getaffinity(0))
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        return Machine(torch.device("cuda", torch.cuda.current_device()), torch.cuda.get_device_name(), cores, free, total)
    free, total = _host_memory()
    return Machine(torch.device("cpu"), "cpu", cores, free, total)


def has_fast_bfloat16(device: str) -> bool:
    """Whether matrix products in bfloat16 are faster than in float32 there."""
    return device != "cpu" or bool(torch.cpu._is_avx512_bf16_supported())


def start_measuring(machine: Machine) -> None:
    """Forget the peak of what ran before in this process."""
    if machine.is_cuda:
        torch.cuda.reset_peak_memory_stats()
    else:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")


def peak_memory(machine: Machine) -> int:
    """Bytes at the worst moment since then: of the device, or of this whole process."""
    if machine.is_cuda:
        return int(torch.cuda.max_memory_allocated())
    return _kilobytes(_STATUS, "VmHWM:") * 1024


def _host_memory() -> tuple[int, int]:
    memory = Path("/proc/meminfo")
    free, total = _kilobytes(memory, "MemAvailable:") * 1024, _kilobytes(memory, "MemTotal:") * 1024
    limit = _CGROUP / "memory.max"
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        used = int((_CGROUP / "memory.current").read_text())
        cached = _kilobytes(_CGROUP / "memory.stat", "inactive_file ")
        free, total = min(free, max(0, int(text) - used + cached)), min(total, int(text))
    return free, total


def _kilobytes(path: Path, key: str) -> int:
    """The number after `key`, in the unit that the file uses."""
    return int(path.read_text().partition(key)[2].split()[0])
