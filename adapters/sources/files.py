"""The files of an import, wherever they lie: one file, a folder, or a zip that is read in place.

Knows nothing of what is in them. Nothing is unpacked, links are not followed, and every failure to read is an `Unreadable`.
"""

import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from adapters.sources.errors import NothingThere, Unreadable

CHUNK = 64 * 1024
_BOMB_RATIO, _BOMB_BYTES = 200, 100_000_000
_BOM = b"\xef\xbb\xbf"
_ZIP_MAGIC = b"PK\x03\x04"
# What zipfile raises for damage, encryption and methods it does not know.
_ZIP_ERRORS = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)

Advance = Callable[[int], None]
"""Called with the number of bytes just read."""


@dataclass(frozen=True)
class SourceFile:
    """`name` is its path inside the folder or zip, with slashes; `size` is in bytes, unpacked."""

    name: str
    size: int
    opener: Callable[[], IO[bytes]]

    def open(self, advance: Advance = lambda _: None) -> io.BufferedReader:
        """Its bytes from the start. Raises Unreadable, then and later."""
        try:
            return io.BufferedReader(_Guarded(self.name, self.opener(), advance), CHUNK)
        except (OSError, *_ZIP_ERRORS) as exc:
            raise unreadable(self.name, exc) from exc


class _Guarded(io.RawIOBase):
    """Reads on, counts every byte once, and turns every failure into one sentence."""

    def __init__(self, name: str, inner: IO[bytes], advance: Advance) -> None:
        self._name, self._inner, self._advance = name, inner, advance
        self._at = self._counted = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with self._sentences():
            self._at = self._inner.seek(offset, whence)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the base wants any buffer; BufferedReader gives this one
        with self._sentences():
            data = self._inner.read(len(buffer))
        if self._at == 0 and data.startswith(_BOM):
            data = b"   " + data[len(_BOM) :]  # blank, so that every byte stays where it is
        buffer[: len(data)] = data
        self._at += len(data)
        if self._at > self._counted:
            self._advance(self._at - self._counted)
            self._counted = self._at
        return len(data)

    def close(self) -> None:
        self._inner.close()
        super().close()

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except (OSError, *_ZIP_ERRORS) as exc:
            raise unreadable(self._name, exc) from exc


@contextmanager
def files_of(path: Path) -> Iterator[tuple[SourceFile, ...]]:
    """The files at a path in the order of their names. They can be opened until the block ends.

    Raises NothingThere and Unreadable.
    """
    with ExitStack() as opened:
        try:
            files = _files(path, opened)
        except (OSError, *_ZIP_ERRORS) as exc:
            raise unreadable(str(path), exc) from exc
        yield files


def _files(path: Path, opened: ExitStack) -> tuple[SourceFile, ...]:
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise NothingThere(f"{path} is neither a file nor a folder: give the path of an export.")
    if _starts_with(path, _ZIP_MAGIC):
        return _zip(path, opened.enter_context(zipfile.ZipFile(path)))
    return (SourceFile(_printable(Path(path.name)), path.stat().st_size, _opener(path)),)


def unreadable(name: str, exc: BaseException) -> Unreadable:
    """The one sentence for a file that gives no bytes."""
    if isinstance(exc, OSError) and exc.strerror:
        return Unreadable(f"{name} cannot be read: {exc.strerror}.")
    if isinstance(exc, RuntimeError) and "encrypted" in str(exc):
        return Unreadable(f"{name} is encrypted: unpack it and import the folder.")
    return Unreadable(f"{name} is damaged or packed in an unknown way: unpack it yourself and import the folder.")


def _folder(path: Path) -> tuple[SourceFile, ...]:
    found = []
    for folder, _, names in os.walk(path, onerror=_raise):
        for name in names:
            file = Path(folder, name)
            if file.is_file() and not file.is_symlink():
                found.append(SourceFile(_printable(file.relative_to(path)), file.stat().st_size, _opener(file)))
    return tuple(sorted(found, key=lambda each: each.name))


def _printable(path: Path) -> str:
    """A name that every encoder takes, whatever bytes the disk has."""
    return os.fsencode(path.as_posix()).decode("utf-8", "replace")


def _raise(exc: OSError) -> None:
    raise exc


def _opener(file: Path) -> Callable[[], IO[bytes]]:
    return lambda: file.open("rb")


def _zip(path: Path, archive: zipfile.ZipFile) -> tuple[SourceFile, ...]:
    members = sorted((each for each in archive.infolist() if not each.is_dir()), key=lambda each: each.filename)
    for member in members:
        if member.file_size > _BOMB_BYTES and member.file_size > _BOMB_RATIO * member.compress_size:
            size = f"{member.file_size / 1e9:.1f} GB"
            raise Unreadable(
                f"{path} says that {member.filename} unpacks to {size}, as no export does: unpack it yourself if you trust it."
            )
    return tuple(SourceFile(member.filename, member.file_size, _member_opener(archive, member)) for member in members)


def _member_opener(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: archive.open(member)


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(magic)) == magic
