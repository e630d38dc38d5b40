"""Measures curation: imports an export of a million messages and curates it in a fresh process, says time and memory.

    python -m tests.adapters.curation.bench_curate [--messages 1000000] [--keep FOLDER] [--max-examples 20000]

The export is that of tests/adapters/sources/bench_import.py. The cleaner only puts names in, so that the figures are curation's own.
Stages are the seconds between a stage's first and last report of progress.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapters.curation.curate import curate
from adapters.curation.recipe import CurationRecipe
from adapters.curation.seams import Cleaned
from adapters.sources.source import open_source
from tests.adapters.sources.bench_import import write


class Everybody:
    """Everybody agrees, and is called by the end of their id."""

    def allowed(self, author_id: str) -> bool:
        return bool(author_id)

    def name(self, author_id: str) -> str:
        return f"p{author_id[-4:]}"


class OnlyNames:
    """Puts pseudonyms in, and nothing else."""

    def clean(self, text: str, names: Mapping[str, str]) -> Cleaned:
        for author_id, name in names.items():
            text = text.replace(f"<@{author_id}>", f"p{author_id[-4:]}").replace(name, f"p{author_id[-4:]}")
        return Cleaned(text)


class Stages:
    """Takes progress, and remembers when each stage began and ended."""

    def __init__(self) -> None:
        self._times: dict[str, tuple[float, float]] = {}

    def __call__(self, stage: str, _done: int, _total: int) -> None:
        now = time.perf_counter()
        self._times[stage] = self._times.get(stage, (now, now))[0], now

    def seconds(self) -> dict[str, float]:
        return {stage: round(end - start, 1) for stage, (start, end) in self._times.items()}


def read(folder: Path, max_examples: int) -> dict[str, Any]:
    """Import the folder and curate it. Seconds; memory in units of 10^6 bytes."""
    with open_source(folder).read() as messages:
        imported = _peak()
        start, cpu, stages = time.perf_counter(), time.process_time(), Stages()
        recipe = CurationRecipe(max_examples=max_examples)
        dataset = curate(messages, recipe, Everybody(), OnlyNames(), community="bench", provenance=[], progress=stages)
        return {
            "messages": len(messages),
            "train": len(dataset.train),
            "held_out": len(dataset.held_out),
            "curate_s": round(time.perf_counter() - start, 1),
            "cpu_s": round(time.process_time() - cpu, 1),
            "stages_s": stages.seconds(),
            "peak_memory_mb": round(_peak() / 1e6),
            "peak_of_import_mb": round(imported / 1e6),
            "content_hash": dataset.content_hash[:23],
        }


def _peak() -> int:
    """The largest resident size of this process, in bytes."""
    return 1024 * int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])


def main() -> None:
    """Write, and curate in a process of its own, so that the memory is curation's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--max-examples", type=int, default=CurationRecipe.max_examples)
    parser.add_argument("--keep", type=Path, help="write the export here and leave it; one that is there is read again")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        print(json.dumps(read(arguments.read, arguments.max_examples)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            write(folder, arguments.messages)
        module = "tests.adapters.curation.bench_curate"
        command = [sys.executable, "-m", module, "--read", str(folder), "--max-examples", str(arguments.max_examples)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
