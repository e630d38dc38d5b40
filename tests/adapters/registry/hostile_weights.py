"""Adapters whose weights are hostile or broken: headers that lie, shapes of another base, numbers that are none."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adapters.registry.safetensors_header import MAX_HEADER_BYTES, MAX_TENSORS
from tests.adapters.registry.hostile import CONFIG, LAYER, MAX_RANK, PREFIX, WEIGHTS, A, B, Case, Good
from tests.adapters.registry.tiny import adapter_tensors, header_of, safetensors_file

UP = f"{LAYER}mlp.up_proj"
Q = f"{LAYER}self_attn.q_proj"
OVERFLOW = 1 << 40


def _file(field: str, content: Callable[[Good], bytes]) -> Case:
    """The weights are these bytes."""

    def spoil(folder: Path, good: Good) -> None:
        (folder / WEIGHTS).write_bytes(content(good))

    return Case(field, spoil)


def _header(text: bytes) -> Case:
    """The header is this text, and the tensors are the good ones."""
    return _file(WEIGHTS, lambda good: safetensors_file(text, good.body()))


def _changed(change: Callable[[str], str]) -> Case:
    """The text of the good header is changed."""
    return _file(WEIGHTS, lambda good: safetensors_file(change(json.dumps(good.header())).encode("utf-8", "surrogatepass"), good.body()))


def _entry(field: str = WEIGHTS, name: str = A, **changes: Any) -> Case:
    """The entry of one tensor says something else."""

    def content(good: Good) -> bytes:
        header = good.header()
        header[name] = {**header[name], **changes}
        return safetensors_file(header, good.body())

    return _file(field, content)


def _shapes(field: str, change: Callable[[dict[str, tuple[int, ...]]], dict[str, tuple[int, ...]]], dtype: str = "F32") -> Case:
    """A whole and well-formed file of other tensors."""

    def content(good: Good) -> bytes:
        header, size = header_of(change(good.tensors()), dtype)
        return safetensors_file(header, b"\x01" * size)

    return _file(field, content)


def _renamed(old: str, new: str, field: str | None = None) -> Case:
    name = A.replace(old, new)
    return _shapes(field or ascii(name[:120])[1:-1][:120], lambda shapes: {(name if was == A else was): shapes[was] for was in shapes})


def _added(name: str, shape: tuple[int, ...] = (4,), field: str | None = None) -> Case:
    return _shapes(field or name, lambda shapes: {**shapes, name: shape})


def _numbers(field: str, number: Callable[[str], bytes], dtype: str = "F32") -> Case:
    """Every number of a tensor, by its name, is this one."""

    def content(good: Good) -> bytes:
        header, _ = header_of(good.tensors(), dtype)
        body = b""
        for name, entry in header.items():
            first, last = entry["data_offsets"]
            body += number(name) * ((last - first) // len(number(name)))
        return safetensors_file(header, body)

    return _file(field, content)


def _last_number(number: bytes) -> Case:
    """Of the whole file, so every number has to be looked at."""
    return _file(B, lambda good: safetensors_file(good.header(), good.body()[: -len(number)] + number))


def _moved(first: int) -> Case:
    """The offsets of all tensors but the first are moved."""

    def content(good: Good) -> bytes:
        header = good.header()
        for entry in list(header.values())[1:]:
            entry["data_offsets"] = [offset + first for offset in entry["data_offsets"]]
        return safetensors_file(header, good.body() + b"\x01" * max(first, 0))

    return _file(WEIGHTS, content)


def _big_header(folder: Path, good: Good) -> None:
    """A header of 99 MB, below what the library takes. A hole in the file, as only its length should be looked at."""
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", 99_000_000) + b"{")
    os.truncate(folder / WEIGHTS, 99_000_008)


def _many(count: int) -> Callable[[Good], bytes]:
    return lambda good: safetensors_file(*_tensors_and_bytes({f"t{i}": (1,) for i in range(count)}))


def _tensors_and_bytes(shapes: dict[str, tuple[int, ...]]) -> tuple[object, bytes]:
    header, size = header_of(shapes)
    return header, b"\x01" * size


def _overlapping(good: Good) -> bytes:
    """The second tensor begins where the first does, and keeps its length."""
    header = good.header()
    first, second, *_ = header.values()
    length = second["data_offsets"][1] - second["data_offsets"][0]
    second["data_offsets"] = [first["data_offsets"][0], first["data_offsets"][0] + length]
    return safetensors_file(header, good.body())


def _cut(by: int) -> Case:
    return _file(WEIGHTS, lambda good: safetensors_file(good.header(), good.body())[:-by])


def _rank_too_large(folder: Path, good: Good) -> None:
    """In the configuration as in the weights."""
    rank = MAX_RANK + 1
    (folder / CONFIG).write_text(json.dumps(good.config(r=rank)))
    (folder / WEIGHTS).write_bytes(safetensors_file(*_tensors_and_bytes(adapter_tensors(rank, good.linears))))


def _dead(half: str) -> Callable[[str], bytes]:
    return lambda name: bytes(4) if f".lora_{half}." in name else b"\x01" * 4


_ENTRY = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'

WEIGHTS_CASES: dict[str, Case] = {
    "an empty file": _file(WEIGHTS, lambda good: b""),
    "seven bytes": _file(WEIGHTS, lambda good: b"\x02" + bytes(6)),
    "a header past the end": _file(WEIGHTS, lambda good: struct.pack("<Q", 4096) + b"{}"),
    "a header of 2^64-1 bytes": _file(WEIGHTS, lambda good: b"\xff" * 8 + b"{}"),
    "a header of 99 MB": Case(WEIGHTS, _big_header),
    "a header one byte too long": _header(b"{}" + b" " * (MAX_HEADER_BYTES - 1)),
    "100,000 tensors": _file(WEIGHTS, _many(100_000)),
    "one tensor too many": _file(WEIGHTS, _many(MAX_TENSORS + 1)),
    "no tensors": _header(b"{}"),
    "a header that is no JSON": _header(b"{not json}"),
    "a header that is a list": _header(b"[]"),
    "a header that is null": _header(b"null"),
    "a header that is not text": _header(b'{"\xff\xfe":' + _ENTRY.encode() + b"}"),
    "a header in UTF-16": _file(WEIGHTS, lambda good: safetensors_file(json.dumps(good.header()).encode("utf-16"), good.body())),
    "a header with a byte order mark": _changed(lambda text: "\ufeff" + text),
    "a header that begins with a space": _changed(lambda text: " " + text),
    "a header that goes on": _changed(lambda text: text + "{}"),
    "a header nested 100,000 deep": _header(b'{"a":' + b"[" * 100_000),
    "a header nested 10,000 deep": _header(b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
    "metadata nested 100,000 deep": _header(b'{"__metadata__":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001),
    "a header of 300,000 lists": _header(b'{"a":[' + b"[]," * 300_000 + b"[]]}"),
    "a tensor named twice": _changed(lambda text: text[:-1] + "," + text[1:]),
    "a dtype given twice": _changed(lambda text: text.replace('"dtype": "F32"', '"dtype": "I64", "dtype": "F32"', 1)),
    "metadata given twice": _changed(lambda text: '{"__metadata__":{},"__metadata__":{},' + text[1:]),
    "metadata that is null": _changed(lambda text: '{"__metadata__":null,' + text[1:]),
    "metadata of numbers": _changed(lambda text: '{"__metadata__":{"a":1},' + text[1:]),
    "a lone surrogate in metadata": _changed(lambda text: '{"__metadata__":{"a":"\\ud800"},' + text[1:]),
    "a lone surrogate in a name": _changed(lambda text: text.replace("up_proj", "up\\udc00proj", 1)),
    "a zero with a sign": _changed(lambda text: text.replace("[0,", "[-0,", 1)),
    "an offset that is no number": _changed(lambda text: text.replace("[0,", "[NaN,", 1)),
    "an offset beyond all bounds": _changed(lambda text: text.replace("[0,", "[1e999,", 1)),
    "an offset of 5,000 digits": _changed(lambda text: text.replace("[0,", f"[{'9' * 5000},", 1)),
    "an entry that is a list": _header(f'{{"{A}":["F32",[1],[0,4]]}}'.encode()),
    "an entry with more in it": _entry(strides=[1]),
    "an entry without a dtype": _changed(lambda text: text.replace('"dtype": "F32", ', "", 1)),
    "overlapping tensors": _file(WEIGHTS, _overlapping),
    "a gap between tensors": _moved(8),
    "tensors moved forward": _moved(-8),
    "offsets the wrong way round": _entry(data_offsets=[32, 0]),
    "offsets before the file": _entry(data_offsets=[-32, 0]),
    "offsets of three": _entry(data_offsets=[0, 16, 32]),
    "bytes past the end": _file(WEIGHTS, lambda good: safetensors_file(good.header(), good.body() + b"\x01")),
    "a byte missing": _cut(1),
    "half an upload": _file(WEIGHTS, lambda good: safetensors_file(good.header(), good.body()[: len(good.body()) // 2])),
    "a header cut off": _file(WEIGHTS, lambda good: safetensors_file(good.header(), b"")[:100]),
    "a shape that overflows": _entry(shape=[OVERFLOW, OVERFLOW]),
    "a shape that overflows to its size": _entry(shape=[1 << 32, 1 << 32, 1, 8]),
    "a negative shape": _entry(shape=[-2, -4]),
    "a shape of true": _entry(shape=[True, 8]),
    "a shape of floats": _entry(shape=[2.0, 4.0]),
    "a shape that is a number": _entry(shape=8),
    "a shape of 1,000 dimensions": _entry(shape=[1] * 1000),
    "a tensor without numbers": _shapes(WEIGHTS, lambda shapes: {**shapes, f"{PREFIX}mlp.down_proj.lora_A.weight": (0, 4)}),
    "numbers of 64 bits": _entry(dtype="F64"),
    "whole numbers": _entry(dtype="I64"),
    "numbers of 8 bits": _entry(dtype="F8_E4M3"),
    "a dtype in small letters": _entry(dtype="f32"),
    "a dtype that is a number": _entry(dtype=32),
    "half a pair": _shapes(UP, lambda shapes: {name: shape for name, shape in shapes.items() if name != B}),
    "a pair of another base": _shapes(
        Q, lambda shapes: {name: (a if a == 2 else 2 * a, b if b == 2 else 2 * b) for name, (a, b) in shapes.items()}
    ),
    "a B of another base": _shapes(UP, lambda shapes: {**shapes, B: (2 * shapes[B][0], 2)}),
    "an A of another base": _shapes(UP, lambda shapes: {**shapes, A: (2, 2 * shapes[A][1])}),
    "a pair the wrong way round": _shapes(Q, lambda shapes: {name: (shape[1], shape[0]) for name, shape in shapes.items()}),
    "a pair of one dimension": _shapes(Q, lambda shapes: {name: (shape[0] * shape[1],) for name, shape in shapes.items()}),
    "a pair of four dimensions": _shapes(Q, lambda shapes: {name: (1, *shape, 1) for name, shape in shapes.items()}),
    "another rank than its configuration": _file("r", lambda good: safetensors_file(*_tensors_and_bytes(adapter_tensors(4, good.linears)))),
    "a rank that is not served": Case("r", _rank_too_large),
    "another rank and wider": _file(
        Q,
        lambda good: safetensors_file(
            *_tensors_and_bytes(adapter_tensors(4, {name: (out, 2 * i) for name, (out, i) in good.linears.items()}))
        ),
    ),
    "another rank and higher": _file(
        Q,
        lambda good: safetensors_file(
            *_tensors_and_bytes(adapter_tensors(4, {name: (2 * out, i) for name, (out, i) in good.linears.items()}))
        ),
    ),
    "a layer that the base does not have": _renamed("layers.0.", "layers.9999."),
    "a layer with leading zeros": _renamed("layers.0.", "layers.00."),
    "a layer with a sign": _renamed("layers.0.", "layers.-0."),
    "a layer in other digits": _renamed("layers.0.", "layers.\u0660."),
    "a module that the base does not have": _renamed("up_proj", "experts"),
    "a module in the wrong place": _renamed("mlp.up_proj", "self_attn.up_proj"),
    "a name without its prefix": _renamed("base_model.model.", ""),
    "a name with its prefix twice": _renamed("base_model.model.", "base_model.model.base_model.model."),
    "a name that climbs": _renamed("mlp.up_proj", "mlp.../../up_proj"),
    "a name with a line end": _renamed(".weight", ".weight\n"),
    "a name with a NUL": _renamed("up_proj", "up_proj\x00"),
    "a name of 10 kB": _renamed("up_proj", "u" * 10_000),
    "a name of 200 signs that do not print": _renamed("base_model", "\U000e0001" * 200),
    "a name that is empty": _added("", field=""),
    "a name of a named adapter": _renamed("lora_A.weight", "lora_A.default.weight"),
    "a magnitude of DoRA": _added(f"{PREFIX}mlp.up_proj.lora_magnitude_vector"),
    "a bias of a LoRA": _added(f"{PREFIX}mlp.up_proj.lora_B.bias"),
    "a LoRA of the embedding": _added("base_model.model.model.embed_tokens.lora_embedding_A", (2, 4)),
    "a whole embedding": _added("base_model.model.model.embed_tokens.weight", (16, 4)),
    "a LoRA of the head": _added("base_model.model.lm_head.lora_A.weight", (2, 4)),
    "a LoRA of the embedding as of a linear layer": _added("base_model.model.model.embed_tokens.lora_A.weight", (2, 4)),
    "a saved module": _added("base_model.model.lm_head.modules_to_save.weight", (16, 4)),
    "a weight of the base": _added(f"{LAYER}mlp.up_proj.weight", (8, 4)),
    "one NaN": _last_number(struct.pack("<f", float("nan"))),
    "one NaN with all bits set": _last_number(b"\xff" * 4),
    "one infinity": _last_number(struct.pack("<f", float("-inf"))),
    "a number too large for bfloat16": _last_number(struct.pack("<f", 3.4e38)),
    "NaN in halves": _numbers(f"{PREFIX}self_attn.q_proj.lora_A.weight", lambda name: b"\x01\x7e", "F16"),
    "infinity in bfloat16": _numbers(f"{PREFIX}self_attn.q_proj.lora_A.weight", lambda name: b"\x80\x7f", "BF16"),
    "nothing but zeros": _numbers(WEIGHTS, lambda name: bytes(4)),
    "zeros with a sign": _numbers(WEIGHTS, lambda name: b"\x00\x00\x00\x80"),
    "a zero B": _numbers(WEIGHTS, _dead("B")),
    "a zero A": _numbers(WEIGHTS, _dead("A")),
    "one half of each pair zero": _numbers(WEIGHTS, lambda name: bytes(4) if ("q_proj" in name) == (".lora_A." in name) else b"\x01" * 4),
    "numbers that bfloat16 rounds to zero": _numbers(WEIGHTS, lambda name: struct.pack("<f", 1e-45)),
}
