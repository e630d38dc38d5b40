"""Tells what a file holds from its first bytes. Names are never looked at."""

from dataclasses import dataclass
from enum import Enum
from io import BytesIO

import ijson

HEAD = 64 * 1024
"""Bytes of a file that decide."""


class Kind(Enum):
    """What can be read; the value is its name for people."""

    DISCORD = "DiscordChatExporter JSON"
    PACKAGE = "Discord data package"
    IMAGEBOARD = "imageboard threads"
    JSONL = "JSONL chat"


@dataclass(frozen=True)
class Foreign:
    """A file of no kind that can be read: `what` it is, and what to do, if there is something."""

    what: str
    advice: str = ""


_AGAIN = "export again with the exporter's format set to JSON (-f Json)"
_MAGIC = (
    (b"PK\x03\x04", Foreign("a zip inside the export", "import it by itself")),
    (b"\x1f\x8b", Foreign("packed with gzip", "unpack it first")),
    (b"\xff\xfe", Foreign("UTF-16 text", "save it as UTF-8")),
    (b"\xfe\xff", Foreign("UTF-16 text", "save it as UTF-8")),
)
_CSV_EXPORT, _CSV_PACKAGE = b"authorid,author,date,content", b"id,timestamp,contents"


def sniff(head: bytes) -> Kind | Foreign:
    """What the file with these first bytes (at most `HEAD` are looked at) holds."""
    head = head[:HEAD]
    for magic, foreign in _MAGIC:
        if head.startswith(magic):
            return foreign
    text = head.lstrip()
    if not text:
        return Foreign("empty")
    if text[:1] in (b"{", b"["):
        return _json(text)
    line = text[:200].lower().replace(b'"', b"")
    if text[:1] == b"<":
        return Foreign("HTML", _AGAIN)
    if line.startswith(_CSV_PACKAGE):
        return Kind.PACKAGE
    if line.startswith(_CSV_EXPORT):
        return Foreign("CSV", _AGAIN)
    if line.startswith(b"====="):
        return Foreign("plain text", _AGAIN)
    return Foreign("not an export", f"{_AGAIN}, or see the documentation for the other formats")


def _json(text: bytes) -> Kind | Foreign:
    array, keys, inner = _keys(text)
    if array:
        if {"ID", "Timestamp", "Contents"} <= inner:
            return Kind.PACKAGE
        return Foreign("JSON of an unknown shape", "give one message per line for the JSONL format")
    if "messages" in keys:
        if keys & {"guild", "channel", "dateRange", "exportedAt"} or inner >= {"type", "timestamp", "content", "author"}:
            return Kind.DISCORD
        return Kind.JSONL if inner & {"role", "author"} else _UNKNOWN
    if "posts" in keys:
        return Kind.IMAGEBOARD
    if "author" in keys and keys & {"text", "content"}:
        return Kind.JSONL
    return _UNKNOWN


_UNKNOWN = Foreign("JSON of an unknown shape")


def _keys(text: bytes) -> tuple[bool, set[str], set[str]]:
    """(whether it is an array, the first object's keys, the keys of the objects inside), as far as the bytes go."""
    keys: set[str] = set()
    inner: set[str] = set()
    array = text[:1] == b"["
    depth = 0
    try:
        for event, value in ijson.basic_parse(BytesIO(text), use_float=True):
            if event in ("start_map", "start_array"):
                depth += 1
            elif event in ("end_map", "end_array"):
                depth -= 1
                if depth == 0:
                    break
            elif event == "map_key":
                # An object in an array in the object; or in the array.
                {1: keys, 2: inner if array else set(), 3: inner}.get(depth, set()).add(value)
    except (ijson.JSONError, UnicodeDecodeError):
        pass  # the head was cut somewhere, or breaks there
    return array, keys, inner
