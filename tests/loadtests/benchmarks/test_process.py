"""Processes under measurement, on short programs of our own."""

from pathlib import Path

import pytest

from loadtests.benchmarks.process import NotStarted, Process

FOREVER = "import signal, sys; print('at', sys.argv[1], flush=True); signal.pause()"


def test_a_process_is_waited_for_measured_and_ended(tmp_path: Path) -> None:
    """What it says is found, its CPU time and memory can be read, and it is gone after the block."""
    with Process(["-c", FOREVER, "17"], log=tmp_path / "log") as process:
        assert process.wait_for(r"at (\d+)", seconds=30.0) == "17"
        assert process.cpu_s() >= 0
        assert process.resident_bytes() > 1 << 20
        assert process.stop() >= 0
    with pytest.raises(FileNotFoundError):
        process.cpu_s()


def test_a_process_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    """The error holds what the process said last."""
    with Process(["-c", "raise SystemExit('no base')"], log=tmp_path / "log") as process, pytest.raises(NotStarted, match="no base"):
        process.wait_for("(never)", seconds=30.0)


def test_our_own_settings_do_not_reach_it(tmp_path: Path) -> None:
    """A benchmark must not depend on the shell that it is run from: only what is given arrives."""
    program = "import os; print('has', [name for name in os.environ if name.startswith('TROUPE_')])"
    with Process(["-c", program], log=tmp_path / "log", environment={"TROUPE_PORT": "0"}) as process:
        assert process.wait_for(r"has (.*)", seconds=30.0) == "['TROUPE_PORT']"
