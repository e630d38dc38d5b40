"""A crash at any write, rename or the like leaves the old state or the new one, and nothing that is in the way.

Here at some of the points; `make soak` tries all of them, with S3 every second one.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(5400)  # with --soak they take as many minutes as otherwise seconds

ROOT = Path(__file__).resolve().parents[3]
SOURCE = Path(__file__).with_name("crash_points.c")


@pytest.fixture(scope="module")
def crash_points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("crash"))


def compiled(folder: Path) -> Path:
    library = folder / "crash_points.so"
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, SOURCE, "-ldl"], check=True)
    except FileNotFoundError as exc:
        raise AssertionError("Crash tests need a C compiler: install the package `gcc`.") from exc
    return library


def crash(library: Path, *arguments: str) -> dict[str, dict[str, int]]:
    """What `crash.py` counted, per operation. Raises AssertionError with its output."""
    command = [sys.executable, "-m", "tests.adapters.registry.crash", *arguments]
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-4000:]
    counted: dict[str, dict[str, int]] = json.loads(run.stdout)
    return counted


def test_a_crash_on_sqlite_and_a_folder(crash_points: Path, record_property: Callable[[str, object], None], soak: bool) -> None:
    """Each operation is killed before, and in the middle of, what it changes; then it is done again and succeeds."""
    counted = crash(crash_points, "--first", "1", "--step", "1" if soak else "12")
    record_property("points crashed at, SQLite and folder", {name: count["tried"] for name, count in counted.items()})
    assert all(count["tried"] >= 4 for count in counted.values())
    # Were an operation over with its first write, or never, then the points would not be where it happens.
    assert all(
        0 < counted[name]["undone"] < counted[name]["tried"] for name in ("publish", "promote", "override", "canary", "rollback", "retire")
    )


def test_a_crash_with_the_bytes_in_s3(crash_points: Path, s3_url: str, record_property: Callable[[str, object], None], soak: bool) -> None:
    """The same for what touches the bytes, which now travel over a socket."""
    step = "2" if soak else "60"
    counted = crash(crash_points, "--store", s3_url, "--operations", "publish", "gc", "--first", "3", "--step", step)
    record_property("points crashed at, SQLite and S3", {name: count["tried"] for name, count in counted.items()})
    assert all(count["tried"] >= 4 for count in counted.values())
