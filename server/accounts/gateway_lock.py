"""Which gateways of this machine live: each holds a lock on a file of its own, which the kernel lets go however the process ends."""

import fcntl
import os
import time
from collections.abc import Iterable
from pathlib import Path

_DAY = 86_400


class GatewayLock:
    """Cheap to make; `hold` before anything is written in this gateway's name."""

    def __init__(self, folder: Path, gateway: str) -> None:
        self.folder = folder
        self._gateway = gateway
        self._held: int | None = None

    def hold(self) -> None:
        """Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._held = os.open(self._path(self._gateway), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._held, fcntl.LOCK_EX)

    def is_held(self, gateway: str) -> bool:
        try:
            file = os.open(self._path(gateway), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def left_behind(self) -> list[str]:
        """Gateways of days ago that never let go of their file and are dead."""
        old = time.time() - _DAY
        return [path.name for path in self.folder.iterdir() if path.stat().st_mtime < old and not self.is_held(path.name)]

    def clear(self, gateways: Iterable[str]) -> None:
        for gateway in gateways:
            self._path(gateway).unlink(missing_ok=True)

    def release(self) -> None:
        if self._held is not None:
            self.clear([self._gateway])
            os.close(self._held)
            self._held = None

    def _path(self, gateway: str) -> Path:
        return self.folder / gateway
