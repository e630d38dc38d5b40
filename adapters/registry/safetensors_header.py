"""Reads and checks the header of a safetensors file before any library touches it.

Source of the format: the safetensors specification (8 bytes little-endian header length, JSON header, tensor bytes). The limits are
ours, and far tighter than the format's: a hostile header costs kilobytes here and not gigabytes in a parser.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.registry.errors import InvalidAdapter

MAX_HEADER_BYTES = 1 << 20
MAX_TENSORS = 4096
DTYPE_BYTES = {"F32": 4, "F16": 2, "BF16": 2}
FILE = "adapter_model.safetensors"


@dataclass(frozen=True)
class Tensor:
    """One entry of the header. `span` is (first, one past last) in bytes after the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    span: tuple[int, int]


def read_raw_header(path: Path, *, limit: int) -> tuple[dict[str, Any], int]:
    """The header as JSON, and the offset of the first tensor byte. Raises ValueError on anything that is not a header."""
    with path.open("rb") as file:
        prefix = file.read(8)
        length = int.from_bytes(prefix, "little")
        if len(prefix) < 8 or not 2 <= length <= limit:
            raise ValueError(f"its header says {length} bytes, and {limit} is the most")
        text = file.read(length)
    if len(text) != length:
        raise ValueError("it ends inside its header")
    try:
        header = json.loads(text, object_pairs_hook=_no_duplicates)
    except RecursionError as exc:
        raise ValueError("its header is nested too deep") from exc
    if not isinstance(header, dict):
        raise ValueError("its header is not an object")
    return header, 8 + length


def read_tensors(path: Path) -> list[Tensor]:
    """All tensors of an adapter file, in the order of their bytes.

    Raises InvalidAdapter unless the spans are contiguous from 0 to the exact end of the file, and each is the size its shape and
    dtype say.
    """
    try:
        header, start = read_raw_header(path, limit=MAX_HEADER_BYTES)
        header.pop("__metadata__", None)
        if not 1 <= len(header) <= MAX_TENSORS:
            raise ValueError(f"it holds {len(header)} tensors, and 1 to {MAX_TENSORS} are allowed")
        tensors = sorted((_tensor(name, entry) for name, entry in header.items()), key=lambda tensor: tensor.span)
        end = 0
        for tensor in tensors:
            if tensor.span[0] != end:
                raise ValueError(f"the bytes of {tensor.name} do not follow the tensor before it")
            end = tensor.span[1]
        if path.stat().st_size != start + end:
            raise ValueError(f"it should be {start + end} bytes long and is {path.stat().st_size}")
    except ValueError as exc:
        raise InvalidAdapter(FILE, f"{FILE} is refused: {exc}.") from exc
    return tensors


def _tensor(name: str, entry: Any) -> Tensor:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the entry of {name[:120]!r} is not dtype, shape and data_offsets")
    dtype, shape, span = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPE_BYTES:
        raise ValueError(f"{name[:120]!r} has dtype {str(dtype)[:20]!r}, and only {', '.join(DTYPE_BYTES)} are allowed")
    if not (_whole(shape) and 1 <= len(shape) <= 4 and _whole(span) and len(span) == 2):
        raise ValueError(f"the shape or offsets of {name[:120]!r} are not what the format says")
    if span[1] - span[0] != math.prod(shape) * DTYPE_BYTES[dtype] or span[1] <= span[0]:
        raise ValueError(f"the bytes of {name[:120]!r} are not as many as its shape says")
    return Tensor(name, dtype, tuple(shape), (span[0], span[1]))


def _whole(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 1 << 40 for value in values)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise ValueError("its header names a key twice")
    return keys
