"""What `publish` sends: an adapter's two files, and the documents that travel with them. Looks into none of the weights."""

import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from adapters.cli.errors import CommandError
from adapters.registry.errors import InvalidAdapter
from adapters.registry.plain_file import open_plain
from adapters.registry.registry import MAX_DOCUMENT_BYTES
from adapters.registry.validation import CONFIG, WEIGHTS

FILES = (CONFIG, WEIGHTS)


class CountedFile(io.BufferedReader):
    """A plain file that tells how many bytes each read took."""

    def __init__(self, path: Path, took: Callable[[int], None]) -> None:
        with open_plain(path) as file:
            super().__init__(io.FileIO(os.dup(file.fileno())))
        self._took = took

    @property
    def size(self) -> int:
        return os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        self._took(len(content))
        return content


def check_files(directory: Path) -> None:
    """Whether `directory` holds an adapter's files and nothing else, as the registry will not see the rest. Raises InvalidAdapter."""
    try:
        extra = sorted(set(os.listdir(directory)) - set(FILES))
    except OSError as exc:
        raise InvalidAdapter("directory", f"The adapter directory {directory} cannot be read: {exc.strerror}.") from exc
    if extra:
        raise InvalidAdapter(extra[0], f"The adapter holds {extra[0][:40]!r}: exactly {CONFIG} and {WEIGHTS} are accepted, take it out.")


def read_document(path: Path | None) -> Mapping[str, Any] | None:
    """The JSON object in the file at `path`; None for None. Raises CommandError."""
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            text = file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as exc:
        raise CommandError(f"{path} cannot be read: {exc.strerror}.") from exc
    try:
        content = json.loads(text) if len(text) <= MAX_DOCUMENT_BYTES else None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise CommandError(f"{path} is not a JSON object of at most {MAX_DOCUMENT_BYTES >> 20} MiB: mend it, or publish without it.")
    return content
