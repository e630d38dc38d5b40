"""Files of a store in a local folder: durable when a call returns, and never read through a link.

Knows paths and bytes; not what an adapter is. Errors are the operating system's own; a file that is missing or is no plain file is
FileNotFoundError.
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

CHUNK = 1 << 20
_NO_PLAIN_FILE = (errno.ELOOP, errno.ENOTDIR, errno.ENXIO)


@dataclass(frozen=True)
class Entry:
    """What lies in one directory of a store: its plain files, their bytes together, and when anything of it was last written."""

    files: frozenset[str]
    size_bytes: int
    changed: datetime


class Folder:
    """Everything below `root`. All paths are relative to it, with `/`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        """Write a file that is not there yet, read-only."""
        target = self.root / path
        self._make(target.parent)
        with target.open("xb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fchmod(file.fileno(), 0o444)
            os.fsync(file.fileno())

    def read(self, path: str) -> Iterator[bytes]:
        try:
            directory = os.open((self.root / path).parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                # Not blocking: what lies there could be a pipe that nobody writes to.
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                descriptor = os.open(path.rpartition("/")[2], flags, dir_fd=directory)
            finally:
                os.close(directory)
        except OSError as exc:
            if exc.errno in _NO_PLAIN_FILE:
                raise FileNotFoundError(errno.ENOENT, "not a plain file", path) from exc
            raise
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FileNotFoundError(errno.ENOENT, "not a plain file", path)
            while chunk := os.read(descriptor, CHUNK):
                yield chunk
        finally:
            os.close(descriptor)

    def move(self, source: str, target: str) -> None:
        """Move a file, over one that is there. Its time becomes now."""
        place = self.root / target
        if place.parent.is_symlink():
            place.parent.unlink()
        self._make(place.parent)
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        os.utime(self.root / source)
        os.replace(self.root / source, place)
        _sync(place.parent)

    def delete(self, directory: str, first: str) -> None:
        """Delete a directory and all in it, the file named `first` before the others. Not being there is fine."""
        place = self.root / directory
        if place.is_symlink() or not place.is_dir():
            place.unlink(missing_ok=True)
            return
        if not (place / first).is_dir():
            (place / first).unlink(missing_ok=True)
            _sync(place)
        shutil.rmtree(place, onerror=_unless_gone)
        _sync(place.parent)

    def entries(self, directory: str, prefix: str = "") -> Mapping[str, Entry]:
        """The directories in `directory` whose names start with `prefix`."""
        try:
            with os.scandir(self.root / directory) as found:
                names = [entry.name for entry in found if entry.name.startswith(prefix) and entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            # A folder that was never written to is an empty store. One that is gone as a whole may be a disk that is not mounted.
            if not self.root.is_dir():
                raise
            return {}
        entries = {name: _entry(self.root / directory / name) for name in names}
        return {name: entry for name, entry in entries.items() if entry}

    def abort_uploads(self, directory: str, before: datetime) -> int:
        """A folder has no uploads beside the files that `entries` shows."""
        return 0

    def _make(self, directory: Path) -> None:
        if not directory.is_dir():
            self._make(directory.parent)
            directory.mkdir(exist_ok=True)
            _sync(directory.parent)


def _entry(directory: Path) -> Entry | None:
    try:
        changed, size, files = directory.stat(follow_symlinks=False).st_mtime, 0, set()
        with os.scandir(directory) as found:
            for entry in found:
                stated = entry.stat(follow_symlinks=False)
                changed = max(changed, stated.st_mtime)
                if entry.is_file(follow_symlinks=False):
                    size += stated.st_size
                    files.add(entry.name)
    except FileNotFoundError:  # somebody else has just deleted it
        return None
    return Entry(frozenset(files), size, datetime.fromtimestamp(changed, UTC))


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unless_gone(_function: Any, _path: str, error: tuple[type[BaseException], BaseException, TracebackType]) -> None:
    if not isinstance(error[1], FileNotFoundError):
        raise error[1]
