"""Reads and checks the header of a safetensors file before any library touches it.

Source of the format: the safetensors specification (8 bytes little-endian header length, JSON header, tensor bytes). The limits are
ours, and far tighter than the format's: a hostile header costs kilobytes here and not gigabytes in a parser. What passes here, the
safetensors library reads too, and reads the same.
"""

import math
import os
from dataclasses import dataclass
from typing import Any, BinaryIO

from adapters.registry import strict_json
from adapters.registry.errors import InvalidAdapter
from adapters.registry.strict_json import shown

FILE = "adapter_model.safetensors"
MAX_HEADER_BYTES = 1 << 20
MAX_TENSORS = 4096
DTYPE_BYTES = {"F32": 4, "F16": 2, "BF16": 2}
_PREFIX_BYTES = 8
_METADATA = "__metadata__"
# The header, the entry of a tensor, and its lists.
_DEPTH = 3


@dataclass(frozen=True)
class Tensor:
    """One entry of the header. `span` is (first, one past last) in bytes after the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    span: tuple[int, int]


@dataclass(frozen=True)
class Header:
    """`start`: the offset in the file of the first tensor byte. `tensors` are in the order of their bytes."""

    start: int
    tensors: tuple[Tensor, ...]


def read_raw_header(file: BinaryIO, *, limit: int, tensors: int) -> tuple[dict[str, Any], int]:
    """The header as JSON, and the offset of the first tensor byte.

    Raises ValueError, whose message ends the sentence "The file …", on anything that is not a header of at most `limit` bytes and
    about `tensors` tensors.
    """
    prefix = file.read(_PREFIX_BYTES)
    length = int.from_bytes(prefix, "little")
    if len(prefix) < _PREFIX_BYTES or not 2 <= length <= limit:
        raise ValueError(f"has no header of 2 to {limit} bytes")
    text = file.read(length)
    if len(text) != length:
        raise ValueError("ends inside its header")
    if not text.startswith(b"{"):
        raise ValueError("has a header that is not a JSON object")
    lists_and_objects = 3 * tensors + 2
    try:
        header = strict_json.parse(text, depth=_DEPTH, brackets=lists_and_objects)
    except ValueError as exc:
        raise ValueError(f"has a header that {exc}") from exc
    assert isinstance(header, dict), "what begins with a brace and is JSON is an object"
    return header, _PREFIX_BYTES + length


def read_header(file: BinaryIO) -> Header:
    """The header of an adapter's weights, from the start of `file`.

    Raises InvalidAdapter unless the spans are contiguous from 0 to the exact end of the file, and each is the size its shape and
    dtype say.
    """
    try:
        header, start = read_raw_header(file, limit=MAX_HEADER_BYTES, tensors=MAX_TENSORS)
        _check_metadata(header.pop(_METADATA, {}))
        if not 1 <= len(header) <= MAX_TENSORS:
            raise ValueError(f"holds {len(header)} tensors, and 1 to {MAX_TENSORS} are allowed")
        tensors = sorted((_tensor(name, entry) for name, entry in header.items()), key=lambda tensor: tensor.span)
        end = 0
        for tensor in tensors:
            if tensor.span[0] != end:
                raise ValueError(f"has a gap or an overlap before the bytes of {shown(tensor.name)}")
            end = tensor.span[1]
        size = file.seek(0, os.SEEK_END)
        if size != start + end:
            raise ValueError(f"is {size} bytes long, and its header says {start + end}")
    except ValueError as exc:
        raise InvalidAdapter(FILE, f"{FILE} {exc}: save the adapter again.") from exc
    return Header(start, tuple(tensors))


def _check_metadata(metadata: Any) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError(f"has a {_METADATA} that does not map strings to strings")


def _tensor(name: str, entry: Any) -> Tensor:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"has an entry {shown(name)} that is not dtype, shape and data_offsets")
    dtype, shape, span = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPE_BYTES:
        raise ValueError(f"holds {shown(name)} of dtype {shown(dtype)}, and only {', '.join(DTYPE_BYTES)} are allowed")
    if not (_whole(shape) and 1 <= len(shape) <= 4 and _whole(span) and len(span) == 2):
        raise ValueError(f"has a shape or offsets of {shown(name)} that are not what the format says")
    if span[1] - span[0] != math.prod(shape) * DTYPE_BYTES[dtype] or span[1] <= span[0]:
        raise ValueError(f"holds {shown(name)} with not as many bytes as its shape says")
    return Tensor(name, dtype, tuple(shape), (span[0], span[1]))


def _whole(values: Any) -> bool:
    """Whether these are lengths or offsets. The bound keeps a product of four of them from being a number that others overflow on."""
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 1 << 40 for value in values)
