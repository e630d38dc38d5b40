import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import event, given
from hypothesis import strategies as st

from adapters.registry import InvalidAdapter
from adapters.registry.safetensors_header import DTYPE_BYTES, MAX_TENSORS, Header, read_header
from tests.adapters.registry.tiny import header_of, safetensors_file

NAMES = st.text(max_size=12).filter(lambda name: name != "__metadata__")
SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
# What stands where something else should: each is a value that some parser takes for another one.
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, False, -1, 0, 1, 4, 2**40, 2**63, 2**64, 10**25, 0.0, -0.0, 1.0, 4.0, 1e300, float("nan"), float("inf"), "", "F32", "F64",
     "f32", "\x00", "\ud800", [], [0], [0, 4], [4, 0], [True, 4], [1] * 70, [[1]], {}, {"a": "b"}, {"a": 1}, {"a": None}]
)  # fmt: skip


def _read(file: bytes) -> Header | None:
    """None if it is refused."""
    try:
        return read_header(io.BytesIO(file))
    except InvalidAdapter:
        return None


def _check_the_library_agrees(file: bytes, header: Header, path: Path) -> None:
    """Both ways of the library to read: bytes, and a file that it maps."""
    ours = {t.name: (t.dtype, t.shape, file[header.start + t.span[0] : header.start + t.span[1]]) for t in header.tensors}
    listed = safetensors.deserialize(file)  # type: ignore[no-untyped-call]
    assert {name: (entry["dtype"], tuple(entry["shape"]), bytes(entry["data"])) for name, entry in listed} == ours
    path.write_bytes(file)
    with safetensors.safe_open(path, framework="np") as opened:
        names = opened.keys()
        slices = {name: opened.get_slice(name) for name in names}
        assert {name: (each.get_dtype(), tuple(each.get_shape())) for name, each in slices.items()} == {
            name: (dtype, shape) for name, (dtype, shape, _) in ours.items()
        }


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("headers") / "file"


@st.composite
def written(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    """The header and the bytes of a well-formed file: any names, any of the dtypes, with or without metadata, in any order."""
    header: dict[str, Any] = {}
    end = 0
    for name in draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)):
        dtype = draw(st.sampled_from(sorted(DTYPE_BYTES)))
        entry, size = header_of({name: draw(SHAPES)}, dtype)
        header[name] = {**entry[name], "data_offsets": [end, end + size]}
        end += size
    if draw(st.booleans()):
        header["__metadata__"] = draw(st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2))
    return dict(draw(st.permutations(list(header.items())))), b"\x01" * end


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A well-formed file of which up to two things in the header are then different, and perhaps what stands around it."""
    header, body = draw(written())
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from(sorted(header)))
        entry = header[name]
        what = draw(st.sampled_from(["entry", "field", "item", "drop", "add", "move"]))
        if what == "entry" or not isinstance(entry, dict) or not entry:
            header[name] = draw(ODD)
        elif what == "drop":
            entry.pop(draw(st.sampled_from(sorted(entry))))
        elif what == "add":
            entry[draw(st.text(max_size=3))] = draw(ODD)
        elif what == "move":
            header[draw(NAMES)] = dict(entry)
        else:
            field = draw(st.sampled_from(sorted(entry)))
            if what == "item" and isinstance(entry[field], list) and entry[field]:
                entry[field] = list(entry[field])
                entry[field][draw(st.integers(0, len(entry[field]) - 1))] = draw(ODD)
            else:
                entry[field] = draw(ODD)
    text = json.dumps(header, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))).encode(errors="surrogatepass")
    return safetensors_file(draw(st.sampled_from([text, text + b"  ", b" " + text, text + b"\x00", text[:-1]])), body)


@given(file=written())
def test_every_well_formed_file_is_accepted_and_read_as_the_library_reads_it(file: tuple[dict[str, Any], bytes], path: Path) -> None:
    """So what the next tests say is not said of nothing."""
    content = safetensors_file(*file)
    header = _read(content)
    assert header is not None
    _check_the_library_agrees(content, header, path)


@given(shapes=st.dictionaries(NAMES, SHAPES, min_size=1, max_size=4), dtype=st.sampled_from(["<f4", "<f2"]))
def test_whatever_the_library_writes_is_accepted(shapes: dict[str, tuple[int, ...]], dtype: str, path: Path) -> None:
    """With its padding, its order and its metadata."""
    content = safetensors.numpy.save({name: np.ones(shape, dtype) for name, shape in shapes.items()}, metadata={"format": "pt"})
    header = _read(content)
    assert header is not None
    _check_the_library_agrees(content, header, path)


@given(file=spoiled())
def test_of_a_spoiled_header_we_accept_only_what_the_library_accepts(file: bytes, path: Path) -> None:
    """And we read the same from it."""
    header = _read(file)
    event("accepted" if header else "refused")
    if header:
        _check_the_library_agrees(file, header, path)


@given(
    file=written(),
    changes=st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=2), st.integers(0, 3)), min_size=1, max_size=3),
)
def test_of_changed_bytes_we_accept_only_what_the_library_accepts(
    file: tuple[dict[str, Any], bytes], changes: list[tuple[int, bytes, int]], path: Path
) -> None:
    """Any bytes anywhere replaced by others, fewer or more; the length in front is told again or not."""
    content = safetensors_file(*file)
    for at, put, away in changes:
        content = content[:at] + put + content[at + away :]
    for case in (content, safetensors_file(content[8 : -len(file[1]) or None], file[1])):
        header = _read(case)
        event("accepted" if header else "refused")
        if header:
            _check_the_library_agrees(case, header, path)


@given(file=st.binary(max_size=64))
def test_of_any_bytes_we_accept_only_what_the_library_accepts(file: bytes, path: Path) -> None:
    """Noise is refused and not crashed on."""
    header = _read(file)
    if header:
        _check_the_library_agrees(file, header, path)


def test_as_many_tensors_as_are_allowed_are_accepted(path: Path) -> None:
    """The limits are reached, and with room in the header for names as long as real ones."""
    names = [f"base_model.model.model.layers.{i:04}.self_attn.q_proj.lora_A.weight" for i in range(MAX_TENSORS)]
    header, size = header_of(dict.fromkeys(names, (2, 2)))
    content = safetensors_file({"__metadata__": {"format": "pt"}, **header}, b"\x01" * size)
    read = _read(content)
    assert read is not None
    assert len(read.tensors) == MAX_TENSORS
    _check_the_library_agrees(content, read, path)


def test_brackets_in_names_and_metadata_are_text() -> None:
    """Only brackets outside of strings count as nesting."""
    header, size = header_of({'[{"[\\"[[[': (1,)})
    assert _read(safetensors_file({"__metadata__": {"a": "[[[[{{{{" * 9000}, **header}, b"\x01" * size)) is not None
