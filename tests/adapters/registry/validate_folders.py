"""Validates every adapter below a folder, in a process of its own, and tells what it cost.

    python -m tests.adapters.registry.validate_folders BASE FOLDER

Prints one JSON object: what was accepted, the slowest one, by how much memory the process grew at its highest, and which of the libraries
that adapters must not reach were imported.
"""

import json
import sys
import time
from pathlib import Path

from adapters.registry.base import read_base
from adapters.registry.errors import InvalidAdapter
from adapters.registry.validation import validate
from tests.adapters.registry.hostile import MAX_RANK, MODULE_CANARY, good_adapter

NOT_TO_BE_IMPORTED = (MODULE_CANARY, "safetensors", "torch", "peft", "transformers")


def _memory_kib(what: str) -> int:
    """VmRSS: now; VmHWM: at most so far. From the kernel, as getrusage counts in what the parent of this process held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


def main(base_folder: Path, folder: Path) -> None:
    base = read_base(base_folder, "none")
    good = folder.parent / "good"
    good.mkdir()
    good_adapter(base_folder).write(good)
    validate(good, base, max_rank=MAX_RANK)
    before = _memory_kib("VmRSS")
    accepted, slowest = [], (0.0, "")
    for path in sorted(folder.iterdir()):
        start = time.perf_counter()
        try:
            validate(path, base, max_rank=MAX_RANK)
            accepted.append(path.name)
        except InvalidAdapter:
            slowest = max(slowest, (time.perf_counter() - start, path.name))
    told = {
        "accepted": accepted,
        "slowest_s": slowest[0],
        "slowest": slowest[1],
        "grown_mib": (_memory_kib("VmHWM") - before) / 1024,
        "imported": [name for name in NOT_TO_BE_IMPORTED if name in sys.modules],
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
