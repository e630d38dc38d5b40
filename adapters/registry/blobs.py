"""An adapter's two files by the digest of the adapter, in a local folder or in an S3-compatible bucket.

    <root>/uploads/<random>/adapter_config.json, adapter_model.safetensors       while they are written and read back
    <root>/adapters/<64 hex>/adapter_config.json, adapter_model.safetensors      for good; the configuration comes last and goes first

Whatever is read is checked against its digest. Knows nothing of communities, versions and aliases. Everything blocks: on an event loop,
call it in a thread.
"""

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from adapters.registry.bucket import Bucket
from adapters.registry.errors import BadName, Conflict, DamagedAdapter, StoreError, UnknownModel
from adapters.registry.folder import Entry, Folder
from adapters.registry.names import DIGEST
from adapters.registry.safetensors_header import FILE

CONFIG, WEIGHTS = "adapter_config.json", FILE
_UPLOADS, _ADAPTERS = "uploads", "adapters"
_FOREIGN = ("botocore", "aiobotocore", "aiohttp", "fsspec", "s3fs")
_HEX = re.compile(r"[0-9a-f]{64}")
_SHORT = re.compile(r"[0-9a-f]{16}|[0-9a-f]{64}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}){0,16}")


class Files(Protocol):
    """Where the bytes lie; `Folder` and `Bucket` say what each call does."""

    def write(self, path: str, chunks: Iterable[bytes]) -> None: ...
    def read(self, path: str) -> Iterator[bytes]: ...
    def move(self, source: str, target: str) -> None: ...
    def delete(self, directory: str, first: str) -> None: ...
    def entries(self, directory: str, prefix: str = "") -> Mapping[str, Entry]: ...
    def abort_uploads(self, directory: str, before: datetime) -> int: ...


@dataclass(frozen=True)
class Staged:
    """An upload that was read back, and is not yet in its place. `size_bytes`: of both files together."""

    digest: str
    size_bytes: int
    place: str


@dataclass(frozen=True)
class Stored:
    """An adapter that is in its place. `size_bytes`: of both files together."""

    digest: str
    size_bytes: int


def digest_of(config_sha256: str, weights_sha256: str) -> str:
    """The digest of an adapter, from the sha256 sums of its two files in hex."""
    return "sha256:" + hashlib.sha256(f"{CONFIG}:{config_sha256}\n{WEIGHTS}:{weights_sha256}\n".encode()).hexdigest()


def open_files(url: str) -> Files:
    """`/folder`, `file:///folder` or `s3://bucket/prefix`. Raises StoreError; opens nothing."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return Folder(Path(url).expanduser().absolute())
    if scheme == "file" and urlsplit(url).path and not urlsplit(url).netloc:
        return Folder(Path(unquote(urlsplit(url).path)))
    if scheme == "s3" and _BUCKET.fullmatch(rest.rstrip("/")):
        return Bucket(rest.rstrip("/"))
    # The URL is not repeated: somebody may have put a password into it.
    raise StoreError("TROUPE_STORE_URL is not a store: use a folder, or s3://bucket/prefix with the keys in AWS_* variables.")


class BlobStore:
    """Adapters at `url`. Cheap to make: the store is not opened before it is used. Safe to use from several threads and processes."""

    def __init__(self, url: str, files: Files | None = None) -> None:
        self._files = files or open_files(url)

    def __str__(self) -> str:
        return str(self._files)

    def stage(self, config: bytes, weights: Iterable[bytes]) -> Staged:
        """Write both files to a temporary place and read them back. `commit` or `discard` what is returned.

        Raises StoreError; what was written is then removed as far as possible, and `sweep_uploads` takes the rest.
        """
        staged = Staged("", 0, f"{_UPLOADS}/{secrets.token_hex(16)}")
        written = {CONFIG: hashlib.sha256(), WEIGHTS: hashlib.sha256()}
        sizes = dict.fromkeys(written, 0)
        try:
            for name, chunks in ((CONFIG, (config,)), (WEIGHTS, weights)):
                with self._told("written"):
                    self._files.write(f"{staged.place}/{name}", _counted(chunks, name, written, sizes))
            digest = digest_of(written[CONFIG].hexdigest(), written[WEIGHTS].hexdigest())
            with self._told("read back"):
                found = self._digest(staged.place)
            if found != digest:
                raise StoreError(f"The store {self} gave back other bytes than were written: check the disk or the service behind it.")
        except BaseException:  # whatever ended it, also a cancellation: no half upload stays; raised again
            with suppress(StoreError):
                self.discard(staged)
            raise
        return Staged(digest, sum(sizes.values()), staged.place)

    def commit(self, staged: Staged) -> None:
        """Move an upload to its place for good; the same bytes may be there already, and damaged ones are replaced.

        Committing again is fine. Raises StoreError; Conflict if the first 16 digits are those of other bytes.
        """
        target = self._place(staged.digest)
        with self._told("written"):
            digits = target.rpartition("/")[2]
            short = digits[:16]
            if set(self._entries(short)) - {digits}:
                raise Conflict(f"Another adapter has a digest that starts with {short} too: train this one anew.")
            uploaded = self._files.entries(_UPLOADS, staged.place.rpartition("/")[2])
            waiting = next(iter(uploaded.values())).files if uploaded else frozenset[str]()
            intact = self._is_intact(staged.digest)
            # The configuration always, so that even bytes that were there have a new time: who deletes what is old leaves them alone.
            for name in (CONFIG,) if intact else (WEIGHTS, CONFIG):
                if name in waiting:
                    self._files.move(f"{staged.place}/{name}", f"{target}/{name}")
        if not intact and waiting != {CONFIG, WEIGHTS}:
            self.check(staged.digest)
        self.discard(staged)

    def discard(self, staged: Staged) -> None:
        """Remove an upload, or what is left of it. Raises StoreError."""
        with self._told("cleaned up"):
            self._files.delete(staged.place, first=CONFIG)

    def find(self, short: str) -> Stored:
        """Which adapter has a digest that starts with `short`, its first 16 digits or all 64.

        Raises BadName, UnknownModel, StoreError; DamagedAdapter if there are several.
        """
        if not _SHORT.fullmatch(short):
            raise BadName(f"{short[:80]!r} is not the start of a digest: expected 16 or 64 hex digits.")
        with self._told("read"):
            found = {digits: entry for digits, entry in self._entries(short).items() if CONFIG in entry.files}
        if not found:
            raise UnknownModel(f"The store holds no adapter {short}.")
        if len(found) > 1:
            raise DamagedAdapter(f"The store holds {len(found)} adapters that start with {short}: retire all but one.")
        return next(Stored(f"sha256:{digits}", entry.size_bytes) for digits, entry in found.items())

    def fetch(self, short: str, into: Path) -> str:
        """Copy the adapter that `find` finds into `into`, a new directory, and return its digest.

        What is written there is verified. Raises BadName, UnknownModel, DamagedAdapter or StoreError; `into` is gone then.
        """
        digest, copy = self.find(short).digest, Folder(into)
        with self._told("copied"):
            into.mkdir(parents=True)
        try:
            with self._told("copied", digest):
                if self._digest(self._place(digest), copy) != digest:
                    raise _damaged(digest, "are not the ones that were published")
        except BaseException:  # whatever ended it, no half copy stays; raised again
            copy.delete("", first=CONFIG)
            raise
        return digest

    def check(self, digest: str) -> None:
        """Read and verify an adapter that should be there. Raises DamagedAdapter, also when it is gone, or StoreError."""
        place = self._place(digest)
        with self._told("read"):
            # Raises when the store as a whole is gone: that is not damage to this one adapter.
            self._files.entries(_ADAPTERS, place.rpartition("/")[2])
        with self._told("read", digest):
            if self._digest(place) != digest:
                raise _damaged(digest, "are not the ones that were published")

    def digests(self) -> Mapping[str, datetime]:
        """Whatever is stored whole, and when it was last written. Raises StoreError."""
        with self._told("listed"):
            return {f"sha256:{digits}": entry.changed for digits, entry in self._entries().items() if CONFIG in entry.files}

    def remove(self, digest: str) -> None:
        """Remove an adapter. Not being there is fine. Raises StoreError."""
        place = self._place(digest)
        with self._told("cleaned up"):
            self._files.delete(place, first=CONFIG)

    def sweep_uploads(self, before: datetime) -> int:
        """Remove what was left behind by whoever died while writing or removing, unless it changed since `before`. Raises StoreError."""
        with self._told("cleaned up"):
            left = [f"{_UPLOADS}/{name}" for name, entry in self._files.entries(_UPLOADS).items() if entry.changed < before]
            left += [f"{_ADAPTERS}/{d}" for d, e in self._entries().items() if CONFIG not in e.files and e.changed < before]
            for place in left:
                self._files.delete(place, first=CONFIG)
            return len(left) + self._files.abort_uploads(_UPLOADS, before)

    def _entries(self, prefix: str = "") -> dict[str, Entry]:
        return {name: entry for name, entry in self._files.entries(_ADAPTERS, prefix).items() if _HEX.fullmatch(name)}

    def _place(self, digest: str) -> str:
        if not DIGEST.fullmatch(digest):
            raise BadName(f"{digest[:80]!r} is not a digest: expected sha256: and 64 hex digits.")
        return f"{_ADAPTERS}/{digest.removeprefix('sha256:')}"

    def _is_intact(self, digest: str) -> bool:
        try:
            return self._digest(self._place(digest)) == digest
        except (FileNotFoundError, DamagedAdapter):
            return False

    def _digest(self, place: str, copy: Folder | None = None) -> str:
        """The digest of what lies at `place`, copied on the way if `copy` is given."""
        sums = {CONFIG: hashlib.sha256(), WEIGHTS: hashlib.sha256()}
        sizes = dict.fromkeys(sums, 0)
        for name in sums:
            chunks = _counted(self._files.read(f"{place}/{name}"), name, sums, sizes)
            if copy:
                copy.write(name, chunks)
            else:
                for _ in chunks:
                    pass
        return digest_of(sums[CONFIG].hexdigest(), sums[WEIGHTS].hexdigest())

    @contextmanager
    def _told(self, done: str, digest: str = "") -> Iterator[None]:
        """The one place where other libraries' errors become ours. `digest`: whose files must be there, if any must."""
        try:
            yield
        except FileNotFoundError as exc:
            if digest:
                raise _damaged(digest, "are gone") from exc
            raise StoreError(f"The store {self} could not be {done}: it is not there; check TROUPE_STORE_URL.") from exc
        except Exception as exc:  # the libraries of a store have no common error: told by their modules, others are raised again
            if isinstance(exc, OSError | ImportError) or type(exc).__module__.partition(".")[0] in _FOREIGN:
                raise StoreError(f"The store {self} could not be {done}: {_reason(exc)}.") from exc
            raise


def _reason(exc: BaseException) -> str:
    """Never the text of a service or of its client, which may hold an address with a password."""
    if isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full, make room and try again"
    response = getattr(exc, "response", None) or getattr(exc.__cause__, "response", None)
    if isinstance(response, dict) and (code := response.get("Error", {}).get("Code")):
        return f"the service says {code}"
    if isinstance(exc, OSError) and exc.errno:
        return os.strerror(exc.errno) + (f" ({exc.filename})" if exc.filename else "")
    return f"{type(exc).__name__}; check that it is running and that the AWS_* variables are right"


def _damaged(digest: str, how: str) -> DamagedAdapter:
    return DamagedAdapter(f"The stored bytes of {digest} {how}: publish the adapter again.")


def _counted(chunks: Iterable[bytes], name: str, sums: Mapping[str, "hashlib._Hash"], sizes: dict[str, int]) -> Iterator[bytes]:
    for chunk in chunks:
        sums[name].update(chunk)
        sizes[name] += len(chunk)
        yield chunk
