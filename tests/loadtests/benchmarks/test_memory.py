"""Memory of a family of processes."""

import subprocess
import sys

from loadtests.benchmarks.memory import Memory, memory_below, memory_of

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "held = bytearray(64 << 20); print(1, flush=True); input()"], stdin=sys.stdin)
child.wait()
"""


def test_children_count_and_who_is_gone_does_not() -> None:
    """What a child holds is part of its parent's family; shared pages are divided in PSS and not in RSS."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdin is not None
    assert parent.stdout is not None
    try:
        assert parent.stdout.readline() == b"1\n"
        alone, family = memory_of(parent.pid), memory_below(parent.pid)
        assert family.pss > alone.pss + (60 << 20)
        assert family.rss >= family.pss
        assert Memory(1, 2) + Memory(3, 4) == Memory(4, 6)
    finally:
        parent.stdin.close()
        parent.wait(60)
        parent.stdout.close()
    assert memory_below(parent.pid) == Memory()
