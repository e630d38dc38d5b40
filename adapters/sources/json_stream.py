"""Reads JSON that does not fit into memory: an object's one long array, element by element, with the byte at which each begins.

The elements are decoded by the standard library. Why not ijson here: it does not say where a file breaks, and what it remembers of a
nested file grows with the square of the depth, so that a file of 300 kB takes all memory there is. Knows nothing of exports.
"""

import codecs
import json
import re
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

MAX_VALUE = 16 * 1024 * 1024
"""Characters of one element at most, which bounds memory."""

_CHUNK = 128 * 1024
_SPACE = re.compile(r"[ \t\r\n]*")
_NEXT = re.compile(r"[ \t\r\n]*,[ \t\r\n]*")
# An error this near to the end of what was read may only say that the rest is not there yet.
_MARGIN = 16
# What may be left of a number's text: of "1.5" and "1e+5" the decoder takes the 1 alone while the last digit is not there.
_CUT_NUMBER = re.compile(r"\.?|[eE][+-]?")


class Broken(Exception):
    """The bytes from `offset` on are not JSON, or end too early, or are one element beyond all bounds."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"No JSON from byte {offset} on.")
        self.offset = offset


class Entry(NamedTuple):
    """A member of the object, or one element of its long array, which then has the array's `key`. `offset` in bytes."""

    key: str
    value: Any
    offset: int


def entries(stream: IO[bytes], array: str, *, many: bool = False) -> Iterator[Entry]:
    """The members of the object in `stream`, those of the list `array` one by one; `many` objects may follow one another.

    Bytes that are no UTF-8 become lone surrogates. Raises Broken, after everything before it was given.
    """
    window = _Window(stream)
    first = True
    while window.peek() and (first or many):
        yield from _members(window, array)
        first = False
    if window.peek():
        raise Broken(window.offset)


def elements(stream: IO[bytes]) -> Iterator[Entry]:
    """The elements of the array in `stream`; their key is empty. Raises Broken as `entries` does."""
    window = _Window(stream)
    yield from _elements(window, "")


def _members(window: "_Window", array: str) -> Iterator[Entry]:
    window.expect("{")
    if window.accept("}"):
        return
    while True:
        key, offset = window.value()
        if not isinstance(key, str):
            raise Broken(offset)
        window.expect(":")
        if key == array and window.peek() == "[":
            yield from _elements(window, key)
        else:
            yield Entry(key, *window.value())
        if window.accept("}"):
            return
        window.expect(",")


def _elements(window: "_Window", key: str) -> Iterator[Entry]:
    window.expect("[")
    if window.accept("]"):
        return
    while True:
        yield Entry(key, *window.value())
        if window.skip_comma():
            continue
        if window.accept("]"):
            return
        window.expect(",")


class _Window:
    """A piece of a file as text, and the place in it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._decode = json.JSONDecoder(strict=False).raw_decode
        self._text, self._at = "", 0
        self._counted, self._bytes = 0, 0  # so many characters of the text have been counted, and so many bytes are before them

    @property
    def offset(self) -> int:
        """The place in the file, in bytes. Only what was passed since the last time is counted."""
        if self._at > self._counted:
            self._bytes += len(self._text[self._counted : self._at].encode("utf-8", "surrogateescape"))
            self._counted = self._at
        return self._bytes

    def peek(self) -> str:
        """The next character that is not blank, without taking it; empty at the end of the file."""
        while True:
            match = _SPACE.match(self._text, self._at)
            assert match is not None  # it matches nothing too
            self._at = match.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def accept(self, character: str) -> bool:
        """Take this character if it is the next one."""
        if self.peek() != character:
            return False
        self._at += 1
        return True

    def skip_comma(self) -> bool:
        """Take a comma and the blanks around it, if all of that has been read already: the quick way between elements."""
        match = _NEXT.match(self._text, self._at)
        if match is None:
            return False
        self._at = match.end()
        return True

    def expect(self, character: str) -> None:
        """Take this character. Raises Broken if it is not the next one."""
        if not self.accept(character):
            raise Broken(self.offset)

    def value(self) -> tuple[Any, int]:
        """Take the next whole value; returns it and where it began. Raises Broken."""
        self.peek()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError as exc:
                if not self._may_go_on(exc) or not self._more():
                    raise Broken(self.offset) from exc
                continue
            except (ValueError, RecursionError) as exc:  # a number of thousands of digits, a thousand brackets
                raise Broken(self.offset) from exc
            if isinstance(value, int | float) and _CUT_NUMBER.fullmatch(self._text, end):
                length = end - self._at
                if self._more():
                    continue  # the number may go on
                end = self._at + length
            offset = self.offset
            self._at = end
            return value, offset

    def _may_go_on(self, exc: json.JSONDecodeError) -> bool:
        if len(self._text) - self._at > MAX_VALUE:
            return False
        return exc.msg.startswith("Unterminated string") or exc.pos >= len(self._text) - _MARGIN

    def _more(self) -> bool:
        """Read on, twice as much each time for one long value. Whether there was anything."""
        self._bytes, self._counted = self.offset, 0  # counted before the text goes
        rest = self._text[self._at :]
        data = self._stream.read(max(_CHUNK, len(rest)))
        self._text, self._at = rest + self._decoder.decode(data, final=not data), 0
        return bool(data)
