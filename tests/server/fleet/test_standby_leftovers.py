"""What a killed run leaves is found by the next one in the same home."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.fleet.leftovers import SHM_VARIABLE, forget, remember, shm_prefix, sweep


@pytest.fixture
def run() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="troupe-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def test_a_sweep_takes_everything_of_the_run_and_nothing_else(tmp_path: Path, run: Path) -> None:
    """Its processes, its shared memory, its folder; not those of another run."""
    other = run.with_name(run.name + "x")
    mine, theirs = (Path("/dev/shm", f"{shm_prefix(folder / 'e.sock')}1") for folder in (run, other))
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    process = subprocess.Popen(command, env={**os.environ, SHM_VARIABLE: shm_prefix(run / "e.sock")})
    try:
        for path in (mine, theirs):
            path.write_text("")
        (run / "e.sock").write_text("")
        remember(tmp_path, run)
        assert sweep(tmp_path) == run
        assert process.wait(30) != 0
        assert not run.exists()
        assert not mine.exists()
        assert theirs.exists()
        assert sweep(tmp_path) is None
    finally:
        process.kill()
        process.wait()
        for path in (mine, theirs):
            path.unlink(missing_ok=True)


def test_a_folder_that_is_no_run_s_is_left_alone(tmp_path: Path) -> None:
    """Whatever a record says."""
    (tmp_path / "precious").mkdir()
    remember(tmp_path, tmp_path / "precious")
    sweep(tmp_path)
    assert (tmp_path / "precious").is_dir()


@pytest.mark.parametrize("record", ["", "[]", '{"run": 5}', "{"])
def test_a_record_that_is_none_is_ignored(tmp_path: Path, record: str) -> None:
    """So is one that was forgotten."""
    (tmp_path / "run.json").write_text(record)
    assert sweep(tmp_path) is None
    remember(tmp_path, tmp_path)
    forget(tmp_path)
    assert sweep(tmp_path) is None
