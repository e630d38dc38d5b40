"""JSON from strangers: read only if every strict parser would read the same from it.

Python's own parser takes more than the standard allows (NaN, 1e999, duplicate keys, UTF-16, lone surrogates) and fails in its own way on
deep nesting. What passes here means one thing, costs memory in proportion to `brackets`, and never recurses deeper than `depth`.
"""

import json
import math
import re
from typing import Any, NoReturn

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_DIGITS = 20
_SHOWN = 80


def parse(text: bytes, *, depth: int, brackets: int) -> Any:
    """The value of `text`, which nests at most `depth` deep and opens at most `brackets` lists and objects.

    Raises ValueError, whose message ends the sentence "The file …".
    """
    _check_nesting(text, depth, brackets)
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_object, parse_int=_int, parse_float=_float, parse_constant=_constant)
        if b"\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError as exc:
        raise ValueError("is not text in UTF-8") from exc
    except json.JSONDecodeError as exc:
        raise ValueError("is not JSON") from exc
    return value


def shown(value: Any) -> str:
    """One short line for a message, whatever a stranger put there: no line ends, nothing that does not print."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _check_nesting(text: bytes, depth: int, brackets: int) -> None:
    """Before anything recurses. Where quotes do not pair up the count is wrong, and the parser will refuse the text anyhow."""
    found = _STRING.sub(b"", text).translate(None, _ALL_BUT_BRACKETS)
    if found.count(b"[") + found.count(b"{") > brackets:
        raise ValueError(f"holds more than {brackets} lists and objects")
    level = 0
    for bracket in found:
        level += 1 if bracket in b"[{" else -1
        if level > depth:
            raise ValueError(f"is nested more than {depth} deep")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise ValueError("names a key twice")
    return keys


def _int(digits: str) -> int:
    """`-0` is a float to other parsers, and so are numbers beyond 64 bits."""
    if len(digits) > _DIGITS or digits == "-0":
        raise ValueError(f"holds the number {digits[:40]}, which not every parser reads alike")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"holds the number {digits[:40]}, which is infinite")
    return number


def _constant(name: str) -> NoReturn:
    raise ValueError(f"holds {name}, which is not a number in JSON")
