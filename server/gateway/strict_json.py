"""JSON as RFC 8259 has it and nothing else: what two readers could understand differently is refused. Pure."""

import codecs
import json
import math
from typing import Any, NoReturn

from server.gateway.errors import InvalidRequest


def read_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw`. Raises InvalidRequest.

    Refused: byte-order marks and anything but UTF-8, keys given twice, NaN, Infinity and numbers beyond a float, lone surrogates,
    nesting that would exhaust the stack.
    """
    if raw.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InvalidRequest("The body begins with a byte-order mark: send plain UTF-8.")
    try:
        value = _DECODER.decode(raw.decode("utf-8"))
        if b"\\u" in raw:  # the only way for a lone surrogate to get past the UTF-8 decoder
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as exc:
        raise InvalidRequest(f"The body is not UTF-8 (byte {exc.start}).") from exc
    except UnicodeEncodeError as exc:
        raise InvalidRequest("The body has half of a surrogate pair, which is no character.") from exc
    except json.JSONDecodeError as exc:
        raise InvalidRequest(f"The body is not JSON: {exc.msg} (line {exc.lineno}, column {exc.colno}).") from exc
    except RecursionError as exc:
        raise InvalidRequest("The body is nested too deeply.") from exc
    except ValueError as exc:  # an integer of thousands of digits
        raise InvalidRequest("The body has a number that is too long.") from exc
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be a JSON object.")
    return value


def is_deeper(value: Any, depth: int) -> bool:
    """Whether lists and objects lie within each other more than `depth` times."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return depth == 0 or any(is_deeper(each, depth - 1) for each in inner)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise InvalidRequest("The body names a key of one object twice.")
    return content


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise InvalidRequest("The body has a number that is too large.")
    return value


def _constant(name: str) -> NoReturn:
    raise InvalidRequest(f"The body has {name}, which is not JSON.")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_constant=_constant)
