"""What the machine has, found without touching an accelerator: no CUDA context is made, no device file is opened."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    cores: int
    memory_gib: float
    """Host memory, or the container's limit where it is lower."""
    gpu_memory_gib: float
    """Memory of the smallest GPU; 0 without one."""

    @property
    def has_gpu(self) -> bool:
        return self.gpu_memory_gib > 0


def find_machine() -> Machine:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        memory = min(memory, int(text))
    return Machine(cores=len(os.sched_getaffinity(0)), memory_gib=memory / (1 << 30), gpu_memory_gib=_gpu_memory_gib())


def _gpu_memory_gib() -> float:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return 0.0
    query = [tool, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    sizes = [float(line) for line in answer.stdout.split() if line.replace(".", "", 1).isdigit()]
    return min(sizes) / 1024 if answer.returncode == 0 and sizes else 0.0
