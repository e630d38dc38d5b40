"""Files of a store in a bucket of any S3-compatible service, through fsspec and s3fs.

Knows keys and bytes; not what an adapter is. Where the service is and who asks is botocore's business: the `AWS_*` variables say it.
Errors are those of the libraries below; an object that is missing is FileNotFoundError.
"""

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import fsspec  # type: ignore[import-untyped]

from adapters.registry.folder import Entry

PART = 5 << 20
"""Bytes of one part of an upload, and of one read; a few of them are in memory at a time. Services take no smaller parts."""
_TIMES = {"connect_timeout": 5, "read_timeout": 60, "retries": {"max_attempts": 3}}


class Bucket:
    """Everything below `root`, which is a bucket or a bucket and a prefix. All paths are relative to it. Opens nothing until it is used."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._opening = threading.Lock()
        self._opened: tuple[int, Any] | None = None

    def __str__(self) -> str:
        return f"s3://{self.root}"

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        file = self._files().open(f"{self.root}/{path}", "wb", block_size=PART)
        try:
            for chunk in chunks:
                file.write(chunk)
            file.close()
        except BaseException:  # whatever ended it, nothing is uploaded; raised again
            file.closed = True  # or the collector would finish the upload
            file.discard()
            raise

    def read(self, path: str) -> Iterator[bytes]:
        """In ranges, so that other bytes of the same content that replace the object meanwhile do no harm."""
        files, key = self._files(), f"{self.root}/{path}"
        size = files.info(key)["size"]
        for start in range(0, size, PART):
            yield files.cat_file(key, start=start, end=min(start + PART, size))

    def move(self, source: str, target: str) -> None:
        """Copies: whoever moves deletes the source when all is in its place, so that moving can be done again."""
        self._files().cp_file(f"{self.root}/{source}", f"{self.root}/{target}")

    def delete(self, directory: str, first: str) -> None:
        """Delete all objects below `directory`, the one named `first` before the others. Not being there is fine."""
        found = self._find(directory, "")
        for key in sorted(found, key=lambda key: not key.endswith(f"/{first}")):
            # One by one: the bulk request of s3fs keeps quiet about what it could not delete.
            self._files().rm_file(key)

    def entries(self, directory: str, prefix: str = "") -> Mapping[str, Entry]:
        """The prefixes in `directory` that start with `prefix`. One request for each thousand objects."""
        found: dict[str, Entry] = {}
        for key, info in self._find(directory, prefix).items():
            name, _, file = key.removeprefix(f"{self.root}/{directory}/").partition("/")
            written, so_far = info["LastModified"], found.get(name, Entry(frozenset(), 0, info["LastModified"]))
            found[name] = Entry(so_far.files | {file}, so_far.size_bytes + info["size"], max(so_far.changed, written))
        return found

    def abort_uploads(self, directory: str, before: datetime) -> int:
        """Throw away the parts of uploads below `directory` that began before then and never ended: they are no objects, and cost."""
        bucket, _, prefix = f"{self.root}/{directory}/".partition("/")
        aborted = 0
        # Some services do not list them, or not to everybody, and have rules of their own for what is left.
        with suppress(OSError):
            found = self._files().call_s3("list_multipart_uploads", Bucket=bucket, Prefix=prefix)
            for upload in found.get("Uploads", ()):
                if upload["Initiated"] < before:
                    self._files().call_s3("abort_multipart_upload", Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
                    aborted += 1
        return aborted

    def _find(self, directory: str, prefix: str) -> dict[str, Any]:
        place = f"{self.root}/{directory}"
        found = self._files().find(place, prefix=prefix, detail=True)
        return {key: info for key, info in found.items() if key.startswith(f"{place}/{prefix}")}

    def _files(self) -> Any:
        with self._opening:
            # A file system of s3fs cannot be used in a process that was forked from the one that made it.
            if self._opened is None or self._opened[0] != os.getpid():
                # Its listings are never cached: another process writes too.
                made = fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False, config_kwargs=_TIMES)
                self._opened = (os.getpid(), made)
            return self._opened[1]
