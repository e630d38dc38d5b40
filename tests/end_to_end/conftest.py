"""One real stack for all end-to-end tests of a run; one of each worker's own where tests run in parallel. And a second one, for tests
that publish: what they leave behind is in nobody's way."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.admin import Admin
from tests.end_to_end.constant_voices import Voices
from tests.end_to_end.many_voices import Choir, choir_settings
from tests.end_to_end.stack import Stack, newest_demo, start_stack


@pytest.fixture(scope="session")
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The shared stack's TROUPE_HOME."""
    kept = request.config.getoption("--stack-home")
    home = Path(kept) if kept else tmp_path_factory.mktemp("stack") / "home"
    if worker_id != "master" and not kept:
        _share_demo(tmp_path_factory.getbasetemp().parent / "shared", home)
    return home


@pytest.fixture(scope="session")
def stack(home: Path) -> Iterator[Stack]:
    running = start_stack(home)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def demo(home: Path) -> Path:
    """The built demo, without a stack."""
    if not any((home / "demo").glob("*/")):
        _build_demo(home)
    return newest_demo(home)


@pytest.fixture(scope="session")
def voices(demo: Path) -> Voices:
    """What it takes to make adapters that say one word each."""
    return Voices(demo / "base", 128)


@pytest.fixture(scope="session")
def choir(demo: Path, voices: Voices, soak: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Choir]:
    """A stack for many adapters: more of them than slots, than places in host memory, and than its cache of files can hold."""
    folder = tmp_path_factory.mktemp("choir")
    members = voices.write_all(64 if soak else 24, folder / "adapters")
    settings = choir_settings(demo / "base", members)
    running = start_stack(folder / "home", **settings)
    try:
        with Admin(running) as admin:
            yield Choir(running, admin, members)
    finally:
        running.stop()


def _share_demo(shared: Path, home: Path) -> None:
    """One worker builds, the others wait and copy: two trainings on two cores would take five times as long as one."""
    _build_demo(shared)
    shutil.copytree(shared / "demo", home / "demo")


def _build_demo(home: Path) -> None:
    subprocess.run([sys.executable, "-m", "adapters.demo", "--home", str(home)], check=True)
