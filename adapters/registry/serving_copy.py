"""The weights as the engine computes with them: one canonical bfloat16 file, whatever was uploaded.

Knows how numbers are rounded and how the copy is laid out. Reads and writes in chunks, so memory does not grow with the adapter. The
file is looked at anew while it is copied: one that was changed after it was checked is refused here, and what was copied is what counts.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from adapters.registry.errors import InvalidAdapter
from adapters.registry.plain_file import open_plain
from adapters.registry.safetensors_header import DTYPE_BYTES, FILE, Tensor, read_header

SERVED_DTYPE = "BF16"
READ_BYTES = 1 << 20
_ALIGNMENT = 8
_PREFIX_BYTES = 8
_BF16_EXPONENT = np.uint16(0x7F80)


def serving_copy(weights: Path, tensors: Sequence[Tensor]) -> Iterator[bytes]:
    """The bytes of the safetensors file that is stored for `weights`, in chunks of at most 4 MiB.

    As the safetensors library would write it: bfloat16, sorted by name, no metadata. `tensors` are what `validate` found. Raises
    InvalidAdapter if the file no longer holds them, or a number that bfloat16 has no finite value for.
    """
    ordered = sorted(tensors, key=lambda tensor: tensor.name)
    with open_plain(weights) as file:
        header = read_header(file)
        if sorted(header.tensors, key=lambda tensor: tensor.name) != ordered:
            raise _changed()
        yield _header(ordered)
        for tensor in ordered:
            for numbers in rounded(file, header.start, tensor):
                yield numbers.astype("<u2", copy=False).tobytes()


def serving_size(tensors: Sequence[Tensor]) -> int:
    """The length in bytes of what `serving_copy` yields for these."""
    ordered = sorted(tensors, key=lambda tensor: tensor.name)
    return len(_header(ordered)) + sum(_served_bytes(tensor) for tensor in ordered)


def rounded(file: BinaryIO, start: int, tensor: Tensor) -> Iterator[NDArray[np.uint16]]:
    """The numbers of `tensor`, whose file has its first tensor byte at `start`, as the bits of bfloat16, in order and in chunks.

    Rounds to the nearest, ties to even, as torch does. Raises InvalidAdapter for NaN, for infinity and for what rounds to it, and if
    the file ends before the tensor does.
    """
    file.seek(start + tensor.span[0])
    left = tensor.span[1] - tensor.span[0]
    while left:
        chunk = file.read(min(left, READ_BYTES))
        if len(chunk) != min(left, READ_BYTES):
            raise _changed()
        left -= len(chunk)
        numbers = _bfloat16(chunk, tensor.dtype)
        if ((numbers & _BF16_EXPONENT) == _BF16_EXPONENT).any():
            raise InvalidAdapter(
                tensor.name, f"{tensor.name} holds NaN, infinity or a number too large for bfloat16: train the adapter again."
            )
        yield numbers


def _bfloat16(chunk: bytes, dtype: str) -> NDArray[np.uint16]:
    """Bits of the nearest bfloat16, which is the upper half of a float32. NaN stays NaN or becomes infinity."""
    if dtype == SERVED_DTYPE:
        return np.frombuffer(chunk, "<u2")
    bits: NDArray[np.uint32] = (np.frombuffer(chunk, "<f2").astype("<f4") if dtype == "F16" else np.frombuffer(chunk, "<f4")).view("<u4")
    high = bits >> np.uint32(16)
    # Signs apart, so that the largest NaN does not round over into a number of the other sign.
    magnitude = ((bits & np.uint32(0x7FFFFFFF)) + np.uint32(0x7FFF) + (high & np.uint32(1))) >> np.uint32(16)
    nearest: NDArray[np.uint16] = ((high & np.uint32(0x8000)) | np.minimum(magnitude, np.uint32(0x7FFF))).astype(np.uint16)
    return nearest


def _header(ordered: Sequence[Tensor]) -> bytes:
    """The header of the copy, padded with spaces so that the tensors begin aligned, behind its length."""
    entries, end = {}, 0
    for tensor in ordered:
        first, end = end, end + _served_bytes(tensor)
        entries[tensor.name] = {"dtype": SERVED_DTYPE, "shape": tensor.shape, "data_offsets": (first, end)}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(_PREFIX_BYTES, "little") + text


def _served_bytes(tensor: Tensor) -> int:
    return (tensor.span[1] - tensor.span[0]) // DTYPE_BYTES[tensor.dtype] * DTYPE_BYTES[SERVED_DTYPE]


def _changed() -> InvalidAdapter:
    return InvalidAdapter(FILE, f"{FILE} was changed while it was being read: publish it again when it is whole.")
