"""A store of adapters in memory: bytes, names, and what was asked of it. Can be told to wait, to fail and to give damaged bytes."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

from adapters.registry.blobs import CONFIG, WEIGHTS, Stored, digest_of
from adapters.registry.errors import RegistryError, UnknownModel

CONFIGURATION = b"{}"


class Shelf:
    def __init__(self) -> None:
        self.weights: dict[str, bytes] = {}
        self.fetched: list[str] = []
        self.failure: RegistryError | None = None
        self.open = threading.Event()
        self.open.set()
        self.asked = threading.Event()
        self.delivered: Callable[[], None] = lambda: None
        """Called in the fetching thread once an adapter's bytes lie in the folder."""

    def put(self, community: str, weights: bytes) -> str:
        """Returns the engine name."""
        sums = [hashlib.sha256(content).hexdigest() for content in (CONFIGURATION, weights)]
        digest = digest_of(*sums).removeprefix("sha256:")
        self.weights[digest] = weights
        return f"{community}-{digest[:16]}"

    def find(self, short: str) -> Stored:
        for digest, weights in self.weights.items():
            if digest.startswith(short):
                return Stored(f"sha256:{digest}", len(CONFIGURATION) + len(weights))
        raise UnknownModel(f"The shelf holds no {short}.")

    def fetch(self, short: str, into: Path) -> str:
        stored = self.find(short)
        self.fetched.append(short[:16])
        self.asked.set()
        into.mkdir()
        (into / CONFIG).write_bytes(CONFIGURATION)
        self.open.wait(60)
        if self.failure:
            raise self.failure
        (into / WEIGHTS).write_bytes(self.weights[stored.digest.removeprefix("sha256:")])
        self.delivered()
        return stored.digest
