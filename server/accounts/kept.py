"""Secrets that this installation keeps in files that only its owner can read: the pepper, and the keys it made for itself."""

import os
import secrets
from pathlib import Path

PEPPER_LENGTH = 32
_LARGEST = 4096


def read_kept(path: Path) -> str:
    """What the file holds, stripped; empty if there is no file. Raises OSError, ValueError for what is no text or too large."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return ""
    if len(content) > _LARGEST:
        raise ValueError(f"{path} is too large.")
    return content.decode().strip()


def keep(path: Path, secret: str) -> str:
    """Store `secret` with mode 0600, durably, unless somebody was quicker: what the file holds then. Raises OSError, ValueError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not read_kept(path):  # an empty file is left by a full disk
        scratch = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secret + "\n")
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(scratch, path)  # never in the place of what another process stored meanwhile
            except FileExistsError:
                if not read_kept(path):
                    os.replace(scratch, path)
        finally:
            scratch.unlink(missing_ok=True)
        _sync(path.parent)
    return read_kept(path)


def make_pepper() -> str:
    return secrets.token_hex(PEPPER_LENGTH)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
