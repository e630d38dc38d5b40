"""Builds the demo once and finds it again: a folder that is either complete or not there.

Knows files and locks; what is in the folder is made by `steps`, which is loaded only when there is something to build, so that finding a
finished demo costs no torch.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from adapters.demo.recipe import DemoRecipe, content_hash

COMMUNITIES = ("zizou", "greybeards")
_UNFINISHED = ".unfinished-"

Progress = Callable[[str, int, int], None]
"""Called with (stage, steps done, steps in all) as a build goes on."""


class DemoError(Exception):
    """The demo could not be built; one sentence that says what to do."""


@dataclass(frozen=True)
class Demo:
    """Where the parts are: the base's directory, and per community the adapter's directory and the folder with its export."""

    base: Path
    adapters: dict[str, Path]
    exports: dict[str, Path]


Fill = Callable[[Path, Path, DemoRecipe, Progress], None]
"""Fills an empty directory (first) that will be renamed to another (second)."""


def build_demo(home: Path, progress: Progress, recipe: DemoRecipe | None = None, fill: Fill | None = None) -> Demo:
    """The demo under `home/demo`, built if this very one is not there yet. Waits while another process builds.

    Raises DemoError where it cannot be written. An interrupted build leaves nothing that looks complete.
    """
    recipe = recipe or DemoRecipe()
    target = home / "demo" / content_hash(recipe)
    if target.is_dir():
        return _demo(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.parent / ".lock", lambda: progress("waiting", 0, 1)):
            if not target.is_dir():
                _build(target, recipe, progress, fill or _steps())
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise DemoError(f"The demo could not be written to {target.parent}: {reason}; make room there or set TROUPE_HOME.") from exc
    return _demo(target)


def _steps() -> Fill:
    fill: Fill = import_module("adapters.demo.steps").run
    return fill


def _build(target: Path, recipe: DemoRecipe, progress: Progress, fill: Fill) -> None:
    for stale in target.parent.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(stale)
    unfinished = target.parent / f"{_UNFINISHED}{target.name}"
    unfinished.mkdir()
    try:
        fill(unfinished, target, recipe, progress)
        _flush(unfinished)
        unfinished.rename(target)
        _flush_directory(target.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _demo(target: Path) -> Demo:
    return Demo(
        base=target / "base",
        adapters={name: target / "adapters" / name for name in COMMUNITIES},
        exports={name: target / "exports" / name for name in COMMUNITIES},
    )


@contextmanager
def _locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file: it is freed by the system when the process dies, so a killed build blocks nobody."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _flush(directory: Path) -> None:
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            _flush_directory(path)


def _flush_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
