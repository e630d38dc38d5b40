"""The form that an adapter is uploaded in: a few parts with known names, each with a bound, the two files written as they come.

Blocking, and to be used in a worker thread; one thread at a time. Knows multipart forms and a folder; nothing of requests or of what a
good adapter is. Names of parts are compared and never become paths; the file names that senders give are not even read.
"""

import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from adapters.registry import Base
from adapters.registry.lora_config import FILE as CONFIG
from adapters.registry.lora_config import LINEARS
from adapters.registry.lora_config import MAX_BYTES as MAX_CONFIG_BYTES
from adapters.registry.safetensors_header import FILE as WEIGHTS
from adapters.registry.safetensors_header import MAX_HEADER_BYTES
from server.gateway.admin.moves import Documents
from server.gateway.errors import GatewayError, InvalidRequest, UploadTooLarge
from server.gateway.strict_json import is_deeper, read_object

DOCUMENT_BYTES = 1 << 20
DOCUMENT_DEPTH = 32
AUTHOR_BYTES = 400
AROUND_BYTES = 64 << 10
"""For boundaries and the headers of parts."""
UNKNOWN_BASE_BYTES = 2 << 30


def largest_weights(base: Base, max_rank: int) -> int:
    """Bytes of the largest adapter of this base: every linear layer, at `max_rank`, in float32."""
    sides = sum(out + into for name, (out, into) in base.shapes.items() if name.rpartition(".")[2] in LINEARS)
    return sides * max_rank * 4 + MAX_HEADER_BYTES if sides else UNKNOWN_BASE_BYTES


class Form:
    """Fed with the bytes of a body, in order. Its folder is there until `discard`. Raises GatewayError, and OSError if it cannot write."""

    def __init__(self, content_type: str, *, weights_bytes: int, scratch: Path | None) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not 0 < len(boundary) <= 70:
            raise InvalidRequest("Send the adapter as multipart/form-data, with a boundary.", param="content-type")
        self._limits = {
            CONFIG: MAX_CONFIG_BYTES, WEIGHTS: weights_bytes, "training": DOCUMENT_BYTES, "report_card": DOCUMENT_BYTES, "by": AUTHOR_BYTES,
        }  # fmt: skip
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_begin": self._begin_header,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._open,
                "on_part_data": self._data,
                "on_part_end": self._close,
                "on_end": self._end,
            },
        )
        self._lock = threading.Lock()
        self._name = ""
        self._left = 0
        self._header = (b"", b"")
        self._disposition = b""
        self._file: BinaryIO | None = None
        self._fields: dict[str, bytearray] = {}
        self._seen: set[str] = set()
        self._complete = False
        self._folder: Path | None = Path(tempfile.mkdtemp(prefix="upload-", dir=scratch))

    @property
    def total_bytes(self) -> int:
        """The most that a whole body of this kind can have."""
        return sum(self._limits.values()) + AROUND_BYTES

    def feed(self, data: bytes) -> None:
        with self._lock:
            if self._folder is None:
                return  # its request was given up while this call waited for a thread
            try:
                self._parser.write(data)
            except FormParserError as exc:
                raise InvalidRequest("The body is not a multipart form.") from exc

    def finish(self) -> tuple[Path, Documents]:
        """The folder with the two files and nothing else, and what came with them."""
        if not self._complete or self._folder is None:
            raise InvalidRequest("The form ends before its last boundary: send it again, whole.")
        for name in (CONFIG, WEIGHTS):
            if name not in self._seen:
                raise InvalidRequest(f"The form has no part named {name}.", param=name)
        return self._folder, Documents(self._document("training"), self._document("report_card"), self._author())

    def discard(self) -> None:
        """Remove all that was written. Further calls and further bytes do nothing."""
        with self._lock:
            if self._file is not None:
                self._file.close()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _begin(self) -> None:
        self._disposition = b""

    def _begin_header(self) -> None:
        self._header = (b"", b"")

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], self._header[1])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])

    def _end_header(self) -> None:
        if self._header[0].lower() == b"content-disposition":
            self._disposition = self._header[1]

    def _open(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name not in self._limits:
            allowed = ", ".join(self._limits)
            raise InvalidRequest(f"The form has a part named {name[:64]!r}: {allowed} are all that is read.", param=name[:64])
        if name in self._seen:
            raise InvalidRequest(f"The form has two parts named {name}.", param=name)
        self._seen.add(name)
        self._name, self._left = name, self._limits[name]
        if name in (CONFIG, WEIGHTS) and self._folder is not None:
            self._file = (self._folder / name).open("xb")
        else:
            self._fields[name] = bytearray()

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._left -= end - start
        if self._left < 0:
            raise UploadTooLarge(f"{self._name} may have at most {self._limits[self._name]} bytes here.", param=self._name)
        if self._file is not None:
            self._file.write(memoryview(data)[start:end])
        else:
            self._fields[self._name] += data[start:end]

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _end(self) -> None:
        self._complete = True

    def _document(self, name: str) -> Mapping[str, Any] | None:
        if name not in self._fields:
            return None
        try:
            document = read_object(bytes(self._fields[name]))
        except GatewayError as exc:
            raise InvalidRequest(f"{name} cannot be read: {str(exc).replace('The body', 'it')}", param=name) from exc
        if is_deeper(document, DOCUMENT_DEPTH):
            raise InvalidRequest(f"{name} is nested more than {DOCUMENT_DEPTH} deep.", param=name)
        return document

    def _author(self) -> str:
        author = self._fields.get("by", bytearray()).decode("utf-8", "replace")
        if not author.isprintable():
            raise InvalidRequest("by must be printable characters.", param="by")
        return author
