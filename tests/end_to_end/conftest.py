"""One real stack for all end-to-end tests of a run; one of each worker's own where tests run in parallel."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.stack import Stack, start_stack


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Stack]:
    kept = request.config.getoption("--stack-home")
    home = Path(kept) if kept else tmp_path_factory.mktemp("stack") / "home"
    if worker_id != "master" and not kept:
        _share_demo(tmp_path_factory.getbasetemp().parent / "shared", home)
    running = start_stack(home)
    yield running
    running.stop()


def _share_demo(shared: Path, home: Path) -> None:
    """One worker builds, the others wait and copy: two trainings on two cores would take five times as long as one."""
    subprocess.run([sys.executable, "-m", "adapters.demo", "--home", str(shared)], check=True)
    shutil.copytree(shared / "demo", home / "demo")
