"""Files and folders that are complete or not there, whenever a process is killed. Knows nothing of what is in them."""

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.workspace.errors import Broken, Busy, DiskFull

UNFINISHED = ".unfinished-"
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def room(path: Path) -> Iterator[None]:
    """Around what writes at `path`: an OSError leaves as a sentence. Raises DiskFull or Broken."""
    try:
        yield
    except OSError as exc:
        if exc.errno in _FULL:
            raise DiskFull(f"There is no room left at {path}: free some, or set TROUPE_HOME to a larger disk, and run it again.") from exc
        raise Broken(f"{exc.filename or path} cannot be used ({exc.strerror or exc}): mend it, or set TROUPE_HOME.") from exc


def make_folder(path: Path) -> Path:
    """`path` and what is above it, for nobody else to look into."""
    with room(path):
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """An empty folder to fill, which becomes `target` when all is well and is gone when it is not. `target` must not be there."""
    unfinished = target.with_name(f"{UNFINISHED}{target.name}")
    make_folder(target.parent)
    with room(target):
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        try:
            yield unfinished
            _flush(unfinished)
            unfinished.rename(target)
            flush_folder(target.parent)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """A path to write a file to, which takes the place of `target` when all is well."""
    unfinished = target.with_name(f"{UNFINISHED}{target.name}")
    with room(target):
        try:
            yield unfinished
            with unfinished.open("rb") as file:
                os.fsync(file.fileno())
            unfinished.replace(target)
            flush_folder(target.parent)
        finally:
            unfinished.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Raises DiskFull or Broken."""
    make_folder(target.parent)
    with new_file(target) as path:
        path.write_text(text, "utf-8", errors="replace")


def write_json(target: Path, content: Any) -> None:
    """Raises DiskFull or Broken."""
    write_text(target, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Mapping[str, Any]:
    """The JSON object at `path`. Raises Broken, also where there is none."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as exc:
        raise Broken(f"{path} cannot be read ({exc.strerror}): mend it, or remove its folder and make it anew.") from exc
    except (ValueError, RecursionError) as exc:
        raise Broken(f"{path} is damaged: remove its folder and make it anew.") from exc
    if not isinstance(content, dict):
        raise Broken(f"{path} is damaged: remove its folder and make it anew.")
    return content


def remove(path: Path) -> None:
    """A file, or a folder with all that is in it: it is not there any more from one moment to the next. Nothing if there is none."""
    gone = path.with_name(f"{UNFINISHED}gone-{path.name}")
    with room(path):
        shutil.rmtree(gone, ignore_errors=True)
        try:
            path.rename(gone)
        except FileNotFoundError:
            return
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
        flush_folder(path.parent)


def sweep(folder: Path) -> None:
    """Remove what killed processes left below `folder`. Only for who holds its lock."""
    with room(folder):
        for stale in sorted(folder.rglob(f"{UNFINISHED}*")):
            shutil.rmtree(stale, ignore_errors=True) if stale.is_dir() else stale.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, busy: str) -> Iterator[None]:
    """Hold the lock file at `path`; the system frees it when the process dies. Raises Busy with the sentence `busy`, at once."""
    make_folder(path.parent)
    with room(path):
        lock = path.open("a")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise Busy(busy) from exc
        yield


def flush_folder(path: Path) -> None:
    """So that names which came or went are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_dir():
            flush_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    flush_folder(folder)
