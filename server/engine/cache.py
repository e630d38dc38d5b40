"""A bounded folder of verified adapters for one engine: those in use stay, of the others the least recently used goes first.

vLLM remembers a name and its path, and may read the files again at any later step. So an adapter's files go only after vLLM was made to
forget its name, and that happens only to a name that no request uses, nor has used a moment ago.

Knows engine names, files and bytes; not vLLM and not HTTP. Runs on one event loop; what blocks is done in threads.
"""

import asyncio
import errno
import fcntl
import hashlib
import logging
import os
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, ParamSpec, Protocol, TypeVar

from adapters.registry.blobs import CONFIG, WEIGHTS, Stored, digest_of
from adapters.registry.errors import BadName, DamagedAdapter, StoreError
from adapters.registry.folder import Folder
from adapters.registry.names import ENGINE_NAME

logger = logging.getLogger("vllm.troupe.cache")

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

MIB = 1 << 20
THREADS = 8
_LONG_AGO = float("-inf")


class Store(Protocol):
    """What the cache needs of a `BlobStore`."""

    def find(self, short: str) -> Stored: ...
    def fetch(self, short: str, into: Path) -> str: ...


@dataclass(frozen=True)
class Held:
    """An adapter whose files lie in the folder. `used`: when a request for it last began or ended, on the cache's clock."""

    size_bytes: int
    used: float


@dataclass(frozen=True)
class Patience:
    """Seconds. `idle`: how long a name rests after its last request before its files may go; an aborted request can live for one more
    step of the engine. `room`: how long a new adapter waits until others are idle. `poll`: how often it looks."""

    idle: float = 2.0
    room: float = 10.0
    poll: float = 0.1


def next_to_go(held: Mapping[str, Held], busy: Container[str], now: float, idle: float) -> str | None:
    """The adapter that may be deleted first; None if each is in use or was a moment ago. Pure."""
    free = [name for name, entry in held.items() if name not in busy and now - entry.used >= idle]
    return min(free, key=lambda name: held[name].used, default=None)


class AdapterCache:
    """At most `max_bytes` of adapters below `folder`, fetched from `store`. Opens nothing until the first fetch.

    `forget` is called with a name before its files are deleted: after it, vLLM must not use the name without asking again.
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        max_bytes: int,
        *,
        forget: Callable[[str], None],
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._folder = folder
        self._max_bytes = max_bytes
        self._forget = forget
        self._patience = patience or Patience()
        self._clock = clock
        self._requests: Counter[str] = Counter()
        self._held: dict[str, Held] = {}
        self._reserved = 0
        self._fetching: dict[str, asyncio.Task[Path]] = {}
        self._making_room = asyncio.Lock()
        self._slot: Slot | None = None
        # Our own: a store that hangs must not take the threads that vLLM works with.
        self._threads = ThreadPoolExecutor(THREADS, "troupe-cache")

    @contextmanager
    def using(self, name: str) -> Iterator[None]:
        """Around each request for `name`, whatever becomes of it: the files that it needs stay."""
        self._requests[name] += 1
        self._touch(name)
        try:
            yield
        finally:
            self._requests[name] -= 1
            if not self._requests[name]:
                del self._requests[name]
            self._touch(name)

    def in_use(self, name: str) -> bool:
        return name in self._requests

    async def fetch(self, name: str) -> Path:
        """The directory of the adapter with engine name `name`, its bytes just now verified.

        Several callers share one download, and it goes on if they leave. Raises BadName, UnknownModel, DamagedAdapter or StoreError.
        """
        if not ENGINE_NAME.fullmatch(name):
            raise BadName(f"{name[:80]!r} is not an engine name.")
        task = self._fetching.get(name)
        if task is None:
            task = self._fetching[name] = asyncio.create_task(self._fetch(name))
            task.add_done_callback(lambda done: self._fetched(name, done))
        return await asyncio.shield(task)

    def close(self) -> None:
        """Leave the folder to the next engine; the end of the process does that too. Nothing may be in use."""
        self._threads.shutdown()
        if self._slot:
            self._slot.lock.close()

    async def _in_thread(self, function: Callable[Parameters, Result], *told: Parameters.args, **named: Parameters.kwargs) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(function, *told, **named))

    def _fetched(self, name: str, task: asyncio.Task[Path]) -> None:
        del self._fetching[name]
        if not task.cancelled():
            task.exception()  # who asked may have left: then nobody else looks at it

    async def _fetch(self, name: str) -> Path:
        slot = await self._opened()
        path = slot.path / name
        if name in self._held:
            if await self._in_thread(_is_intact, path, name):
                self._touch(name)
                return path
            logger.error("The files of %s in %s are damaged: fetching them again.", name, slot.path)
            await self._evict(name, slot)
        short = name.rpartition("-")[2]
        stored = await self._in_thread(self._store.find, short)
        await self._reserve(stored.size_bytes, slot)
        try:
            await self._in_thread(self._download, stored, path, slot)
            self._held[name] = Held(stored.size_bytes, self._clock())
        finally:
            self._reserved -= stored.size_bytes
        return path

    def _download(self, stored: Stored, path: Path, slot: "Slot") -> None:
        part = slot.scratch()
        try:
            self._store.fetch(stored.digest.removeprefix("sha256:"), part)
            # From the disk, and not as it came over the wire.
            if not _is_intact(part, path.name):
                raise DamagedAdapter(f"The disk below {slot.path} gives back other bytes than were written to it: check it.")
            with _disk(slot.path):
                os.replace(part, path)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    async def _reserve(self, size: int, slot: "Slot") -> None:
        """Make room for `size` bytes, one caller after the other."""
        full = f"The cache of {self._max_bytes // MIB} MiB has no room for an adapter of {size} bytes"
        if size > self._max_bytes:
            raise StoreError(f"{full}: raise TROUPE_ENGINE_CACHE_GIB.")
        async with self._making_room:
            until = self._clock() + self._patience.room
            while sum(held.size_bytes for held in self._held.values()) + self._reserved + size > self._max_bytes:
                name = next_to_go(self._held, self._busy(), self._clock(), self._patience.idle)
                if name:
                    await self._evict(name, slot)
                elif self._clock() < until:
                    await asyncio.sleep(self._patience.poll)
                else:
                    raise StoreError(f"{full} while all the others in it are in use: raise TROUPE_ENGINE_CACHE_GIB.")
            self._reserved += size

    def _busy(self) -> set[str]:
        return {*self._requests, *self._fetching}

    async def _evict(self, name: str, slot: "Slot") -> None:
        # No request can come between these lines: they do not wait. The next one for this name asks the resolver again.
        self._forget(name)
        size = self._held.pop(name).size_bytes
        gone = slot.scratch()
        with _disk(slot.path):
            os.replace(slot.path / name, gone)
        self._reserved += size  # its bytes are on the disk until they are deleted
        try:
            await self._in_thread(shutil.rmtree, gone, ignore_errors=True)
        finally:
            self._reserved -= size

    def _touch(self, name: str) -> None:
        if held := self._held.get(name):
            self._held[name] = replace(held, used=self._clock())

    async def _opened(self) -> "Slot":
        if slot := self._slot:
            return slot
        async with self._making_room:
            if self._slot is None:
                self._slot = await self._in_thread(Slot.take, self._folder)
                self._held = {path.name: Held(_size(path), _LONG_AGO) for path in self._slot.adapters()}
            return self._slot


@dataclass(frozen=True)
class Slot:
    """One engine's own folder below the cache's: two engines of one home must not delete each other's files.

    `lock` is held as long as the process lives, and by no other.
    """

    path: Path
    lock: IO[bytes]

    @classmethod
    def take(cls, folder: Path) -> "Slot":
        """The first folder that no running engine has; what an earlier engine left there stays, but for what it had only half."""
        make_folder(folder)
        with _disk(folder):
            number = 0
            while (slot := cls._try(folder / str(number))) is None:
                number += 1
            for path in slot.path.iterdir():
                if not ENGINE_NAME.fullmatch(path.name) or path.is_symlink() or not path.is_dir():
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            for other in folder.iterdir():
                # Left by engines that ran beside an earlier one of ours. Nobody may come back for it, and no bound counts it.
                if other.is_dir() and other != slot.path and (abandoned := cls._try(other)):
                    shutil.rmtree(other)
                    abandoned.lock.close()
        return slot

    @classmethod
    def _try(cls, path: Path) -> "Slot | None":
        path.mkdir(exist_ok=True, mode=0o700)
        lock = path.with_name(f"{path.name}.lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return None
        return cls(path, lock)

    def adapters(self) -> list[Path]:
        """Directories of adapters, those that were fetched first first."""
        return sorted(self.path.iterdir(), key=lambda path: path.stat().st_mtime)

    def scratch(self) -> Path:
        """A path that is no adapter's."""
        return self.path / f".{secrets.token_hex(8)}"


def make_folder(folder: Path) -> None:
    """Make the cache's folder, or see that it can be written to. Raises StoreError."""
    with _disk(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _is_intact(directory: Path, name: str) -> bool:
    """Whether what lies in `directory` is the adapter that `name` was made from."""
    files, sums = Folder(directory), {CONFIG: hashlib.sha256(), WEIGHTS: hashlib.sha256()}
    try:
        for file, digest in sums.items():
            for chunk in files.read(file):
                digest.update(chunk)
    except OSError:
        return False
    digits = digest_of(sums[CONFIG].hexdigest(), sums[WEIGHTS].hexdigest()).removeprefix("sha256:")
    return name.endswith("-" + digits[:16]) and {path.name for path in directory.iterdir()} == set(sums)


def _size(directory: Path) -> int:
    with suppress(OSError):
        return sum(path.stat(follow_symlinks=False).st_size for path in directory.iterdir())
    return 0


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise StoreError(f"The cache {folder} cannot be used ({exc.strerror}): set TROUPE_ENGINE_CACHE to a folder of the engine.") from exc
