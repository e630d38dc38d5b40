"""What form an answer shall have: any text, any JSON, or JSON that follows a schema. Pure.

Of the engine's ways to bind an answer these are the only ones that callers reach; what they write is built anew.
"""

import re
from typing import Any

from server.gateway.apis.json_schema import read_schema
from server.gateway.apis.parameters import Check, boolean, kind_of
from server.gateway.errors import InvalidRequest

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KINDS = ("text", "json_object", "json_schema")
_PARTS = ("name", "description", "schema", "strict")


def _response_format(value: Any, path: str) -> dict[str, Any] | None:
    """For the engine; None for any text."""
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise InvalidRequest(f"{path}.type must be one of {', '.join(_KINDS)}.", param=f"{path}.type")
    for key in value:
        if key not in ("type", kind):
            raise InvalidRequest(f"{path} holds {key[:64]!r}, which does not go with type {kind!r}.", param=f"{path}.{key[:64]}")
    if kind == "text":
        return None
    return {"type": kind} if kind == "json_object" else following(value.get("json_schema"), f"{path}.json_schema")


def following(value: Any, path: str) -> dict[str, Any]:
    """The same, from a name and a schema. Answers follow it whether `strict` is said or not."""
    if not isinstance(value, dict):
        raise InvalidRequest(f"{path} must be an object with a name and a schema, not {kind_of(value)}.", param=path)
    for key in value:
        if key not in _PARTS:
            raise InvalidRequest(f"{path} holds {key[:64]!r}: {', '.join(_PARTS)} are all that is read.", param=f"{path}.{key[:64]}")
    name = value.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidRequest(f"{path}.name must be 1 to 64 letters, digits, _ and -.", param=f"{path}.name")
    if value.get("strict") is not None:
        boolean(value["strict"], f"{path}.strict")
    return {"type": "json_schema", "json_schema": {"name": name, "schema": read_schema(value.get("schema"), f"{path}.schema")}}


response_format = Check(
    _response_format,
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["type"],
        "properties": {
            "type": {"enum": list(_KINDS)},
            "json_schema": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "schema"],
                "properties": {
                    "name": {"type": "string", "pattern": f"^{_NAME.pattern}$"},
                    "description": {"type": ["string", "null"]},
                    "schema": {"type": "object"},
                    "strict": {"type": ["boolean", "null"]},
                },
            },
        },
    },
)
"""Of a chat."""
