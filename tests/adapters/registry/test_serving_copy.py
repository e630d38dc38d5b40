import io
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from adapters.registry import InvalidAdapter
from adapters.registry.safetensors_header import Tensor, read_header
from adapters.registry.serving_copy import READ_BYTES, rounded, serving_copy, serving_size
from tests.adapters.registry.tiny import adapter_tensors, header_of, safetensors_file, write_safetensors

DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
MOST_CHUNK = 4 << 20


def _tensors(path: Path) -> tuple[Tensor, ...]:
    with path.open("rb") as file:
        return read_header(file).tensors


def _copy(path: Path) -> bytes:
    return b"".join(serving_copy(path, _tensors(path)))


def _weights(path: Path, *, dtype: str = "F32", rank: int = 2, **changes: torch.Tensor) -> Path:
    """Random numbers, written by the library itself."""
    draw = torch.Generator().manual_seed(0)
    tensors = {name: torch.randn(shape, generator=draw).to(DTYPES[dtype]) for name, shape in adapter_tensors(rank).items()}
    safetensors.torch.save_file({**tensors, **changes}, path, metadata={"format": "pt"})
    return path


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_copy_is_what_torch_and_the_library_would_write(tmp_path: Path, dtype: str) -> None:
    """Byte for byte: rounded as torch rounds, and laid out as the library lays out, whatever was uploaded."""
    path = _weights(tmp_path / "weights", dtype=dtype)
    expected = {name: tensor.to(torch.bfloat16) for name, tensor in safetensors.torch.load_file(path).items()}
    assert _copy(path) == safetensors.torch.save(expected)


def test_the_copy_does_not_depend_on_order_or_metadata(tmp_path: Path) -> None:
    """The same numbers give the same bytes, and so the same digest."""
    shapes = adapter_tensors()
    write_safetensors(tmp_path / "a", shapes)
    write_safetensors(tmp_path / "b", dict(reversed(shapes.items())))
    header, size = header_of(shapes)
    (tmp_path / "c").write_bytes(safetensors_file({"__metadata__": {"by": "me"}, **header}, b"\x01" * size))
    assert len({_copy(tmp_path / name) for name in "abc"}) == 1


def test_the_copy_of_a_copy_is_the_copy(tmp_path: Path) -> None:
    """Publishing what was fetched gives the version that is there already."""
    once = _copy(_weights(tmp_path / "weights"))
    (tmp_path / "copy").write_bytes(once)
    assert _copy(tmp_path / "copy") == once


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", [1, 2, 3, 8])
def test_its_size_is_known_before_it_is_made(tmp_path: Path, dtype: str, rank: int) -> None:
    """To the byte, padding and all."""
    path = _weights(tmp_path / "weights", dtype=dtype, rank=rank)
    assert serving_size(_tensors(path)) == len(_copy(path))


def _rounded(bits: np.ndarray, dtype: str) -> np.ndarray:
    tensor = Tensor("t", dtype, bits.shape, (0, bits.nbytes))
    return np.concatenate(list(rounded(io.BytesIO(bits.tobytes()), 0, tensor)))


def _as_torch(bits: np.ndarray, dtype: str) -> np.ndarray:
    signed = bits.view(np.int32 if dtype == "F32" else np.int16)
    return torch.from_numpy(signed.copy()).view(DTYPES[dtype]).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)


def test_every_half_rounds_as_in_torch() -> None:
    """All 63,488 finite ones, subnormal or not."""
    bits = np.arange(1 << 16, dtype=np.uint32).astype(np.uint16)
    bits = bits[(bits & 0x7C00) != 0x7C00]
    assert np.array_equal(_rounded(bits, "F16"), _as_torch(bits, "F16"))


def test_every_bfloat16_and_its_neighbours_round_as_in_torch() -> None:
    """Ties, just below and just above them, for each upper half of a float32 that stays finite."""
    high = np.arange(1 << 16, dtype=np.uint32)
    high = high[(high & 0x7FFF) < 0x7F7F]
    for low in (0x0000, 0x0001, 0x7FFF, 0x8000, 0x8001, 0xFFFF):
        bits = (high << 16) | low
        assert np.array_equal(_rounded(bits, "F32"), _as_torch(bits, "F32")), hex(low)


@given(bits=numpy_strategies.arrays(np.uint32, st.integers(1, 64)))
def test_any_float_rounds_as_in_torch_or_is_refused(bits: np.ndarray) -> None:
    """Refused if and only if torch's result is not finite."""
    expected = _as_torch(bits, "F32")
    if ((expected & 0x7F80) == 0x7F80).any():
        with pytest.raises(InvalidAdapter) as refused:
            _rounded(bits, "F32")
        assert refused.value.field == "t"
    else:
        assert np.array_equal(_rounded(bits, "F32"), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_number_that_is_none_is_refused(dtype: str) -> None:
    """All NaN of 16 bits, and both infinities; of float32 those with the highest and the lowest bits set."""
    high = np.arange(1 << 16, dtype=np.uint32)
    exponent = 0x7C00 if dtype == "F16" else 0x7F80
    numbers = high[(high & exponent) == exponent]
    for low in (0, 1, 0xFFFF) if dtype == "F32" else (0,):
        for number in (numbers << 16) | low if dtype == "F32" else numbers.astype(np.uint16):
            with pytest.raises(InvalidAdapter, match="NaN"):
                _rounded(np.array([number]), dtype)


def test_memory_does_not_grow_with_the_adapter(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """64 MiB of weights are copied within a tenth of it, in chunks of at most 4 MiB, also from a tensor of many chunks."""
    shapes = {"b": (1 << 20, 15), "a": (1 << 18, 1), "odd": (3, READ_BYTES // 12 + 1)}
    write_safetensors(tmp_path / "weights", shapes)
    tensors = _tensors(tmp_path / "weights")
    tracemalloc.start()
    sizes = [len(chunk) for chunk in serving_copy(tmp_path / "weights", tensors)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    record_property("peak MiB for a copy of 62 MiB", round(peak / 2**20, 1))
    assert sum(sizes) == serving_size(tensors)
    assert max(sizes) <= MOST_CHUNK
    assert peak < 7 << 20


def _shorter(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 4)


def _of_another_layout(path: Path) -> None:
    write_safetensors(path, adapter_tensors(rank=4))


def _renamed(path: Path) -> None:
    write_safetensors(path, {name.replace("up_proj", "no_proj"): shape for name, shape in adapter_tensors().items()})


def _link(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _full_of_nan(path: Path) -> None:
    write_safetensors(path, adapter_tensors(), fill=b"\xff")


@pytest.mark.parametrize("change", [_shorter, _of_another_layout, _renamed, _link, _pipe, _full_of_nan, Path.unlink])
def test_a_file_that_changed_after_it_was_checked_is_refused(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Between the check and the copy anything may happen to it; what is stored still is what was checked for."""
    path = tmp_path / "weights"
    write_safetensors(path, adapter_tensors())
    tensors = _tensors(path)
    change(path)
    with pytest.raises(InvalidAdapter):
        b"".join(serving_copy(path, tensors))


def test_a_file_that_shrinks_while_it_is_copied_is_refused(tmp_path: Path) -> None:
    """Never half a tensor."""
    path = tmp_path / "weights"
    write_safetensors(path, {"a": (1 << 20, 4), "b": (1 << 20, 4)})
    chunks = serving_copy(path, _tensors(path))
    next(chunks)
    os.truncate(path, READ_BYTES)
    with pytest.raises(InvalidAdapter, match="changed"):
        b"".join(chunks)
