"""The workspace's secret: what turns ids into digests and names that nobody without it can turn back.

Without a key a digest of a Discord id hides nothing: there are few enough of them to try them all. The key is made once for each
community and never leaves its folder; with it goes every link between people and pseudonyms.
"""

import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from adapters.curation.privacy.errors import BrokenPeople
from adapters.pseudonyms import keyed_digest

KEY_BYTES = 32


@dataclass(frozen=True)
class Key:
    """HMAC-SHA256 with a purpose in front, so that a digest made for one thing says nothing about another."""

    secret: bytes = field(repr=False)

    def digest(self, purpose: str, value: str) -> bytes:
        """32 bytes."""
        return keyed_digest(self.secret, purpose, value)


def make_key() -> Key:
    """A new one, kept nowhere."""
    return Key(secrets.token_bytes(KEY_BYTES))


def open_key(path: Path) -> Key:
    """The key in the file, made if there is none. Of several who make it at once, all get the same. Raises BrokenPeople, OSError."""
    try:
        return _read(path)
    except FileNotFoundError:
        _write(path, make_key())
    return _read(path)


def _read(path: Path) -> Key:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC), "rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            with suppress(OSError):  # some file systems know no permissions; there is nothing more to be done there
                os.fchmod(file.fileno(), 0o600)
        secret = file.read(KEY_BYTES + 1)
    if len(secret) != KEY_BYTES:
        raise BrokenPeople(f"{path} is not a key of {KEY_BYTES} bytes: put the backup back, as without it nobody's consent can be found.")
    return Key(secret)


def _write(path: Path, key: Key) -> None:
    """Whole and readable by nobody else from its first moment, or not there. Leaves one that exists as it is."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.secret)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # somebody else was first: theirs counts
            os.link(temporary, path)
    finally:
        temporary.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
