"""What a family of processes holds of the machine's memory, from Linux's /proc."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Memory:
    """Bytes, summed. `pss`: pages that several share are divided among them; `rss`: counted for each."""

    pss: int = 0
    rss: int = 0

    def __add__(self, other: "Memory") -> "Memory":
        return Memory(self.pss + other.pss, self.rss + other.rss)


NOTHING = Memory()


def memory_below(pid: int) -> Memory:
    """Of a process and all that it started."""
    children = parents()
    family = [pid]
    for member in family:
        family += [child for child, parent in children.items() if parent == member]
    return sum(map(memory_of, family), NOTHING)


def memory_of(pid: int) -> Memory:
    """Nothing, for a process that is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return NOTHING
    sizes = {name: int(value.split()[0]) << 10 for name, _, value in (line.partition(":") for line in lines) if value.endswith("kB")}
    return Memory(pss=sizes["Pss"], rss=sizes["Rss"])


def parents() -> dict[int, int]:
    """Process → parent, of all there are."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    return found
