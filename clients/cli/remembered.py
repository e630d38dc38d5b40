"""The model strings of a gateway as they were lately, in a file, so that a shell can complete them at once. Holds no key."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from clients.offer import Offer
from clients.settings import ClientSettings

FRESH_S = 120.0


class RememberedModels:
    """What this key may use at this gateway. A file that cannot be read or written is no reason to fail: it only saves time.

    `clock` gives Unix seconds, for tests.
    """

    def __init__(self, settings: ClientSettings, clock: Callable[[], float] = time.time) -> None:
        whose = hashlib.sha256(f"{settings.url} {settings.api_key}".encode()).hexdigest()[:16]
        self._path = settings.home / "models" / f"{whose}.json"
        self._clock = clock

    def fresh(self) -> list[str] | None:
        """The names, if they are not older than `FRESH_S` seconds."""
        names, kept_at = self._read()
        return names if 0 <= self._clock() - kept_at <= FRESH_S else None

    def any(self) -> list[str]:
        """The names, however old; none if nobody asked yet."""
        return self._read()[0]

    def keep(self, offers: Sequence[Offer]) -> None:
        names = list(dict.fromkeys(name for offer in offers for name in offer.strings))
        part = self._path.with_suffix(f".{os.getpid()}.part")
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w") as file:
                json.dump({"kept_at": self._clock(), "models": names}, file)
            part.replace(self._path)

    def _read(self) -> tuple[list[str], float]:
        try:
            content = json.loads(self._path.read_bytes())
            return [str(name) for name in content["models"]], float(content["kept_at"])
        except (OSError, ValueError, KeyError, TypeError):
            return [], float("-inf")
