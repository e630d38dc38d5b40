import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sources.json_stream import MAX_VALUE, Broken, Entry, elements, entries

scalars = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8)


class Trickle(io.BytesIO):
    """Gives a few bytes at a time, whatever is asked for."""

    def __init__(self, data: bytes, step: int) -> None:
        super().__init__(data)
        self._step = step

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self._step)


def encode(items: list[Any], indent: int | None, ascii_only: bool) -> bytes:
    document = {"head": {"a": [1]}, "items": items, "count": 12}
    return json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


@given(st.lists(values, max_size=5), st.integers(1, 40), st.sampled_from([None, 2]), st.booleans())
def test_elements_come_whole_wherever_the_bytes_are_cut(items: list[Any], step: int, indent: int | None, ascii_only: bool) -> None:
    """The values, and the bytes at which they begin, do not depend on how the file arrives."""
    data = encode(items, indent, ascii_only)
    found = list(entries(Trickle(data, step), "items"))
    assert [each.value for each in found if each.key == "items"] == json.loads(data)["items"]
    assert [(each.key, each.value) for each in found if each.key != "items"] == [("head", {"a": [1]}), ("count", 12)]
    for each in found:
        json.JSONDecoder().raw_decode(data[each.offset :].decode("utf-8", "replace"))


@pytest.mark.parametrize("number", ["0", "-0.5", "12.25", "1e5", "1e+5", "2.5E-10", "-1e-7"])
@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_a_number_comes_whole_wherever_it_is_cut(number: str, step: int) -> None:
    """What is before a point or an exponent is a number too, and not this one."""
    data = f'{{"items": [{number}, {number}]}}'.encode()
    assert [each.value for each in entries(Trickle(data, step), "items")] == [json.loads(number)] * 2


@given(st.lists(values, min_size=1, max_size=5), st.data())
def test_a_file_cut_anywhere_gives_what_is_whole(items: list[Any], data: st.DataObject) -> None:
    """Every element that is complete before the cut is given, then comes the error, with a place that is in the file."""
    whole = encode(items, None, True)
    cut = data.draw(st.integers(1, len(whole) - 1))
    found: list[Entry] = []
    with pytest.raises(Broken) as caught:
        found.extend(iter_into(found, io.BytesIO(whole[:cut])))
    ends = [each.offset + len(json.dumps(each.value)) for each in entries(io.BytesIO(whole), "items") if each.key == "items"]
    complete = sum(end < cut for end in ends)
    assert [each.value for each in found if each.key == "items"][:complete] == json.loads(whole)["items"][:complete]
    assert caught.value.offset <= cut


def iter_into(found: list[Entry], stream: io.BytesIO) -> list[Entry]:
    for each in entries(stream, "items"):
        found.append(each)  # noqa: PERF402  # what came before the error counts
    return []


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b'{"items": [1, 2, }', 17),
        (b'{"items": [1, {"a": ]}', 14),
        (b'{"items": [1 2]}', 13),
        (b'{"items": [1]} {', 15),
        (b'{"items": [1], 5: 6}', 15),
        (b'{"items": [1], "x": 0', 21),
        (b"[1]", 0),
        ('{"ä": "ö", "items": [1, x'.encode(), 26),
        (b'{"items": [1, ' + b"[" * 100_000, 14),
        (b'{"items": [1, ' + b"9" * 10_000 + b"]}", 14),
    ],
)
def test_the_offset_is_where_reading_ended(data: bytes, offset: int) -> None:
    """The first byte that was not used, in bytes; brackets and digits without end are no more than that."""
    with pytest.raises(Broken) as caught:
        list(entries(io.BytesIO(data), "items"))
    assert caught.value.offset == offset


def test_an_element_beyond_all_bounds_is_not_kept_in_memory() -> None:
    """A string without an end is given up after the bound, not after the file."""

    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            self.given += size
            return b'{"items": ["'.ljust(size, b"x") if self.given == size else b"x" * size

    stream = Endless()
    with pytest.raises(Broken):
        list(entries(stream, "items"))  # type: ignore[arg-type]  # only read is used
    assert stream.given < 4 * MAX_VALUE


def test_several_objects_and_a_bare_array() -> None:
    """Objects may follow one another where that is asked for; an array can be read without an object around it."""
    many = list(entries(io.BytesIO(b'{"items": [1]}\n{"items": [2], "x": []}\n'), "items", many=True))
    assert [(each.key, each.value) for each in many] == [("items", 1), ("items", 2), ("x", [])]
    assert [each.value for each in elements(io.BytesIO(b" [1, [2], {}]"))] == [1, [2], {}]
    assert list(elements(io.BytesIO(b"[]"))) == list(entries(io.BytesIO(b"{}"), "items")) == []
