"""A JSON schema that an answer or a tool's arguments shall follow: checked, bounded, and built anew. Pure.

An engine turns a schema into a grammar before the first token, on the thread that serves everybody's streams. So there are bounds on
its size, its depth and what it unfolds to; nothing refers to itself; and patterns, whose cost nobody can tell from their length, are not
read. Knows nothing of what the schema is for.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from server.gateway.apis.parameters import kind_of
from server.gateway.errors import InvalidRequest, UnsupportedParameter
from server.gateway.strict_json import is_deeper

MAX_BYTES = 32 << 10
"""Of one schema, written compactly."""
MAX_DEPTH = 12
"""Schemas within schemas, `$ref` followed."""
MAX_UNFOLDED = 512
"""Schemas within one, each as often as it is referred to."""
MAX_COSTLY = 32
"""Likewise, of `COSTLY` words: each takes xgrammar up to three milliseconds on the thread that serves everybody's streams."""
MAX_ENUM = 256
"""Values of one `enum`."""
MAX_VALUE_DEPTH = 8
"""Of what `enum`, `const`, `default` and `examples` hold."""
MAX_COUNT = 1024
"""Of items, and of characters, that a schema may demand or allow."""

TYPES = frozenset({"string", "number", "integer", "boolean", "null", "array", "object"})
FORMATS = frozenset({
    "email", "date", "time", "date-time", "duration", "ipv4", "ipv6", "hostname", "uuid", "uri", "uri-reference", "json-pointer",
})  # fmt: skip
"""Of those that vLLM's grammars know; a test asks it."""
COSTLY = frozenset({"format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})

_DEFINITIONS = ("$defs", "definitions")
_UNSAID = frozenset({"$schema", "$id", "$comment", "deprecated", "readOnly", "writeOnly", "discriminator"})
"""They bind nothing: left out."""


def read_schema(value: Any, path: str) -> dict[str, Any]:
    """The schema to send to an engine. Raises InvalidRequest, which names the place."""
    if not isinstance(value, dict):
        raise InvalidRequest(f"{path} must be a JSON schema, not {kind_of(value)}.", param=path)
    if is_deeper(value, 4 * MAX_DEPTH):
        raise _too_deep(path)
    if len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()) > MAX_BYTES:
        raise InvalidRequest(f"{path} may have at most {MAX_BYTES} bytes.", param=path)
    content = dict(value)
    definitions = {name: _definitions(content.pop(name), f"{path}.{name}") for name in _DEFINITIONS if content.get(name) is not None}
    schema = {**_schema(content, path, MAX_DEPTH), **definitions}
    _Unfolding({f"#/{table}/{name}": each for table, entries in definitions.items() for name, each in entries.items()}, path).check(schema)
    return schema


def _definitions(value: Any, path: str) -> dict[str, Any]:
    return _named(value, path, MAX_DEPTH)


def _schema(value: Any, path: str, depth: int) -> dict[str, Any]:
    """`depth`: how many schemas may lie within each other from here."""
    if not isinstance(value, dict):
        raise InvalidRequest(f"{path} must be a JSON schema, not {kind_of(value)}.", param=path)
    if depth == 0:
        raise _too_deep(path)
    told = {}
    for word, content in value.items():
        if word in _UNSAID:
            continue
        where = f"{path}.{word[:64]}"
        if word in _INNER:
            told[word] = _INNER[word](content, where, depth - 1)
        elif word in _WORDS:
            told[word] = _WORDS[word](content, where)
        else:
            raise UnsupportedParameter(f"{path} holds {word[:64]!r}, which is not supported in a schema here.", param=where)
    return told


def _open_schema(value: Any, path: str, depth: int) -> Any:
    return value if isinstance(value, bool) else _schema(value, path, depth)


def _named(value: Any, path: str, depth: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRequest(f"{path} must be an object of schemas, not {kind_of(value)}.", param=path)
    return {name: _schema(each, f"{path}.{name[:64]}", depth) for name, each in value.items()}


def _several(value: Any, path: str, depth: int) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise InvalidRequest(f"{path} must be a list of at least one schema.", param=path)
    return [_schema(each, f"{path}[{index}]", depth) for index, each in enumerate(value)]


def _one(value: Any, path: str, depth: int) -> list[Any]:
    told = _several(value, path, depth)
    if len(told) > 1:
        raise InvalidRequest(f"{path} may hold one schema here: write what they say together as one.", param=path)
    return told


def _type(value: Any, path: str) -> Any:
    kinds = value if isinstance(value, list) else [value]
    if not kinds or not all(isinstance(kind, str) and kind in TYPES for kind in kinds) or len(set(kinds)) != len(kinds):
        raise InvalidRequest(f"{path} must be one or several of {', '.join(sorted(TYPES))}.", param=path)
    return value


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(f"{path} must be a string, not {kind_of(value)}.", param=path)
    return value


def _names(value: Any, path: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise InvalidRequest(f"{path} must be a list of strings.", param=path)
    return value


def _format(value: Any, path: str) -> str:
    if not isinstance(value, str) or value not in FORMATS:
        raise InvalidRequest(f"{path} must be one of {', '.join(sorted(FORMATS))}.", param=path)
    return value


def _reference(value: Any, path: str) -> str:
    table, _, name = value.removeprefix("#/").partition("/") if isinstance(value, str) else ("", "", "")
    if not str(value).startswith("#/") or table not in _DEFINITIONS or not name or "/" in name:
        raise InvalidRequest(f"{path} must be of the form #/$defs/NAME.", param=path)
    return str(value)


def _value(value: Any, path: str) -> Any:
    if is_deeper(value, MAX_VALUE_DEPTH):
        raise InvalidRequest(f"{path} is nested more than {MAX_VALUE_DEPTH} deep.", param=path)
    return value


def _values(value: Any, path: str) -> Any:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_ENUM:
        raise InvalidRequest(f"{path} must be a list of 1 to {MAX_ENUM} values.", param=path)
    return _value(value, path)


def _count(value: Any, path: str) -> int:
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        raise InvalidRequest(f"{path} must be an integer from 0 to {MAX_COUNT}.", param=path)
    return value


def _number(value: Any, path: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not -(2**63) < value < 2**63:
        raise InvalidRequest(f"{path} must be a number.", param=path)
    return value


_INNER: Mapping[str, Callable[[Any, str, int], Any]] = {
    "properties": _named,
    "additionalProperties": _open_schema,
    "items": _open_schema,
    "prefixItems": _several,
    "anyOf": _several,
    "oneOf": _several,
    "allOf": _one,  # vLLM's grammars follow only one
}
"""Words that hold schemas."""

_WORDS: Mapping[str, Callable[[Any, str], Any]] = {
    "type": _type,
    "$ref": _reference,
    "required": _names,
    "enum": _values,
    "const": _value,
    "format": _format,
    "title": _text,
    "description": _text,
    "default": _value,
    "examples": _values,
    "minItems": _count,
    "maxItems": _count,
    "minLength": _count,
    "maxLength": _count,
    "minimum": _number,
    "maximum": _number,
    "exclusiveMinimum": _number,
    "exclusiveMaximum": _number,
}


def _too_deep(path: str) -> InvalidRequest:
    return InvalidRequest(f"{path} is nested more than {MAX_DEPTH} schemas deep.", param=path)


@dataclass(frozen=True)
class _Extent:
    """Of a schema once every reference is followed."""

    schemas: int
    depth: int
    costly: int


class _Unfolding:
    """`targets`: what may be referred to, by how it is referred to."""

    def __init__(self, targets: Mapping[str, dict[str, Any]], path: str) -> None:
        self._targets = targets
        self._path = path
        self._known: dict[str, _Extent] = {}

    def check(self, schema: Mapping[str, Any]) -> None:
        """Raises InvalidRequest. Definitions that nothing refers to are looked at, too: an engine may read them."""
        for target in self._targets:
            self._referred(target, ())
        self._extent({word: each for word, each in schema.items() if word not in _DEFINITIONS}, ())

    def _extent(self, schema: Mapping[str, Any], trail: tuple[str, ...]) -> _Extent:
        inner = [self._extent(each, trail) for each in _within(schema)]
        if "$ref" in schema:
            inner.append(self._referred(schema["$ref"], trail))
        extent = _Extent(
            1 + sum(each.schemas for each in inner),
            1 + max((each.depth for each in inner), default=0),
            len(COSTLY & schema.keys()) + sum(each.costly for each in inner),
        )
        if extent.depth > MAX_DEPTH:
            raise _too_deep(self._path)
        for count, most, what in (
            (extent.schemas, MAX_UNFOLDED, "schemas"),
            (extent.costly, MAX_COSTLY, f"of {', '.join(sorted(COSTLY))} together"),
        ):
            if count > most:
                raise InvalidRequest(f"{self._path} may hold at most {most} {what}, each as often as it is referred to.", param=self._path)
        return extent

    def _referred(self, target: str, trail: tuple[str, ...]) -> _Extent:
        if target in trail:
            raise InvalidRequest(f"{self._path} refers to itself through {target[:64]!r}: a schema must have an end.", param=self._path)
        if len(trail) >= MAX_DEPTH:
            raise _too_deep(self._path)
        if target not in self._targets:
            raise InvalidRequest(f"{self._path} refers to {target[:64]!r}, which is not there.", param=self._path)
        if target not in self._known:
            self._known[target] = self._extent(self._targets[target], (*trail, target))
        return self._known[target]


def _within(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The schemas right within one that is checked."""
    inner: list[Any] = []
    for word in _INNER.keys() & schema.keys():
        each = schema[word]
        inner.extend(each.values() if word == "properties" else each if isinstance(each, list) else [each])
    return [each for each in inner if isinstance(each, dict)]
