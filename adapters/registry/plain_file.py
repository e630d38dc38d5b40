"""Opens a stranger's file: a plain one or none. Never follows a link, never waits on a pipe, never touches a device."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from adapters.registry.errors import InvalidAdapter


def open_plain(path: Path) -> BinaryIO:
    """`path`, open for reading. Raises InvalidAdapter, naming the file, for anything but a plain file that may be read."""
    try:
        # Looked at before it is opened, as opening alone can have effects on a device; and again after, as it may be another by then.
        if not stat.S_ISREG(path.lstat().st_mode):
            raise _not_plain(path.name)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as exc:
        raise InvalidAdapter(path.name, f"The adapter has no {path.name}: add it.") from exc
    except OSError as exc:
        raise InvalidAdapter(path.name, f"{path.name} cannot be read ({exc.strerror}): check the file.") from exc
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_plain(path.name)
    return os.fdopen(descriptor, "rb")


def _not_plain(name: str) -> InvalidAdapter:
    return InvalidAdapter(name, f"{name} is not a plain file: put the file itself there, not a link, folder or device.")
