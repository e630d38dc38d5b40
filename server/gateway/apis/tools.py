"""Tools that a caller offers to the model, and calls of them: checked, bounded, and built anew. Pure.

Nothing is called here: a model that wants a tool says so in its answer, the caller runs it, and sends what came of it as a message.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from server.gateway.apis.json_schema import read_schema
from server.gateway.apis.parameters import Check, boolean, kind_of
from server.gateway.errors import InvalidRequest
from server.gateway.strict_json import is_deeper, read_object

MAX_TOOLS = 64
MAX_BYTES = 64 << 10
"""Of all tools of a request, written compactly."""
MAX_CALLS = 64
"""In one message."""
MAX_ARGUMENTS_DEPTH = 16

PARSED = "parsed_arguments"
"""What the SDK adds to a call for its user, and sends back with the rest; not read."""

NONE, AUTO, REQUIRED = "none", "auto", "required"

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ID = re.compile(r"[A-Za-z0-9_:.-]{1,128}")


@dataclass(frozen=True)
class Tool:
    name: str
    description: str | None = None
    parameters: Mapping[str, Any] | None = None
    """A JSON schema."""
    strict: bool | None = None

    def told(self) -> dict[str, Any]:
        """As engines and chat templates are told; what is not said is null there, too."""
        strict = {} if self.strict is None else {"strict": self.strict}
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": self.parameters, **strict},
        }


@dataclass(frozen=True)
class Choice:
    """Whether a tool may or must be called; and which one, if it is one."""

    kind: str = AUTO
    name: str | None = None

    def told(self) -> Any:
        return self.kind if self.name is None else {"type": "function", "function": {"name": self.name}}


@dataclass(frozen=True)
class Toolbox:
    """What the model may call; never empty."""

    tools: tuple[Tool, ...]
    choice: Choice = Choice()
    parallel: bool = True

    def told(self) -> dict[str, Any]:
        """Fields of an engine's body."""
        return {
            "tools": [tool.told() for tool in self.tools],
            "tool_choice": self.choice.told(),
            "parallel_tool_calls": self.parallel,
        }


@dataclass(frozen=True)
class ToolCall:
    """What a model once asked for."""

    id: str
    name: str
    arguments: Mapping[str, Any]

    def told(self) -> dict[str, Any]:
        arguments = json.dumps(self.arguments, separators=(",", ":"), ensure_ascii=False)
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": arguments}}


def read_tools(value: Any, path: str, read: Callable[[Any, str], Tool]) -> tuple[Tool, ...]:
    """A list of tools, each as `read` reads it. Raises InvalidRequest."""
    if not isinstance(value, list):
        raise InvalidRequest(f"{path} must be a list of tools, not {kind_of(value)}.", param=path)
    if len(value) > MAX_TOOLS:
        raise InvalidRequest(f"{path} may hold at most {MAX_TOOLS} tools.", param=path)
    told = tuple(read(each, f"{path}[{index}]") for index, each in enumerate(value))
    if len({tool.name for tool in told}) < len(told):
        raise InvalidRequest(f"{path} has two tools of one name.", param=path)
    if len(json.dumps([tool.told() for tool in told], separators=(",", ":"), ensure_ascii=False).encode()) > MAX_BYTES:
        raise InvalidRequest(f"The tools of {path} may have at most {MAX_BYTES} bytes together.", param=path)
    return told


def read_tool(value: Mapping[str, Any], path: str, *, schema: str = "parameters") -> Tool:
    """A tool from the object that names it. `schema`: what the key of its parameters is called. Raises InvalidRequest."""
    known = ("name", "description", schema, "strict")
    for key in value:
        if key not in known:
            raise InvalidRequest(f"{path} holds {key[:64]!r}: {', '.join(known)} are all that is read.", param=f"{path}.{key[:64]}")
    description, parameters, strict = value.get("description"), value.get(schema), value.get("strict")
    if description is not None and not isinstance(description, str):
        raise InvalidRequest(f"{path}.description must be a string, not {kind_of(description)}.", param=f"{path}.description")
    return Tool(
        read_name(value.get("name"), f"{path}.name"),
        description,
        None if parameters is None else read_schema(parameters, f"{path}.{schema}"),
        None if strict is None else boolean(strict, f"{path}.strict"),
    )


def _of_function(function: Mapping[str, Any]) -> dict[str, Any]:
    properties = {"type": {"const": "function"}, "function": function}
    return {"type": "object", "additionalProperties": False, "required": ["type", "function"], "properties": properties}


def _chat_tools(value: Any, path: str) -> tuple[Tool, ...]:
    return read_tools(value, path, lambda each, where: read_tool(_function(each, where), f"{where}.function"))


def _chat_choice(value: Any, path: str) -> Choice:
    if isinstance(value, str) and value in (NONE, AUTO, REQUIRED):
        return Choice(value)
    if not isinstance(value, dict):
        raise InvalidRequest(f"{path} must be {NONE}, {AUTO}, {REQUIRED} or an object that names a function.", param=path)
    function = _function(value, path)
    if set(function) != {"name"}:
        raise InvalidRequest(f"{path}.function must hold a name and nothing else.", param=f"{path}.function")
    return Choice(REQUIRED, read_name(function["name"], f"{path}.function.name"))


_FUNCTION = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": f"^{_NAME.pattern}$"},
        "description": {"type": ["string", "null"]},
        "parameters": {"type": ["object", "null"]},
        "strict": {"type": ["boolean", "null"]},
    },
}
chat_tools = Check(_chat_tools, {"type": "array", "maxItems": MAX_TOOLS, "items": _of_function(_FUNCTION)})
"""`tools` of a chat."""
chat_choice = Check(_chat_choice, {"anyOf": [{"enum": [NONE, AUTO, REQUIRED]}, _of_function({"type": "object", "required": ["name"]})]})
"""`tool_choice` of a chat."""


def _function(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or value.get("type") != "function" or not isinstance(value.get("function"), dict):
        raise InvalidRequest(f"{path} must be an object of type function: no other tools are known here.", param=path)
    for key in value:
        if key not in ("type", "function"):
            raise InvalidRequest(f"{path} holds {key[:64]!r}: type and function are all that is read.", param=f"{path}.{key[:64]}")
    function: Mapping[str, Any] = value["function"]
    return function


def toolbox(tools: tuple[Tool, ...], choice: Choice | None, *, parallel: bool = True) -> Toolbox | None:
    """What was offered and chosen, together; None for no tools. Raises InvalidRequest."""
    if not tools:
        if choice is not None and choice.kind == REQUIRED:
            raise InvalidRequest("tool_choice asks for a tool, and tools holds none.", param="tool_choice")
        return None
    choice = choice or Choice()
    if choice.name is not None and choice.name not in {tool.name for tool in tools}:
        raise InvalidRequest(f"tool_choice names {choice.name!r}, which is not among tools.", param="tool_choice")
    return Toolbox(tools, choice, parallel)


def chat_calls(value: Any, path: str) -> tuple[ToolCall, ...]:
    """`tool_calls` of a message. Raises InvalidRequest."""
    if not isinstance(value, list) or len(value) > MAX_CALLS:
        raise InvalidRequest(f"{path} must be a list of at most {MAX_CALLS} calls.", param=path)
    return tuple(_call(each, f"{path}[{index}]") for index, each in enumerate(value))


def _call(value: Any, path: str) -> ToolCall:
    known = {key: each for key, each in value.items() if key not in ("id", "index")} if isinstance(value, dict) else value
    function = _function(known, path)
    if set(function) - {PARSED} != {"name", "arguments"}:
        raise InvalidRequest(f"{path}.function must hold a name and arguments.", param=f"{path}.function")
    return ToolCall(
        read_id(value.get("id"), f"{path}.id"),
        read_name(function["name"], f"{path}.function.name"),
        written_arguments(function["arguments"], f"{path}.function.arguments"),
    )


def written_arguments(value: Any, path: str) -> Mapping[str, Any]:
    """Arguments as models write them. What is no JSON object becomes an empty one, as in vLLM: a model that was cut off in the middle of
    a call would otherwise make its whole conversation unreadable. Raises InvalidRequest."""
    if not isinstance(value, str):
        raise InvalidRequest(f"{path} must be JSON in a string, not {kind_of(value)}.", param=path)
    try:
        arguments = read_object(value.encode())
    except InvalidRequest:
        return {}
    return read_arguments(arguments, path)


def read_arguments(value: Any, path: str) -> Mapping[str, Any]:
    """Raises InvalidRequest."""
    if not isinstance(value, dict):
        raise InvalidRequest(f"{path} must be an object, not {kind_of(value)}.", param=path)
    if is_deeper(value, MAX_ARGUMENTS_DEPTH):
        raise InvalidRequest(f"{path} is nested more than {MAX_ARGUMENTS_DEPTH} deep.", param=path)
    return value


def read_name(value: Any, path: str) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise InvalidRequest(f"{path} must be 1 to 64 letters, digits, _ and -.", param=path)
    return value


def read_id(value: Any, path: str) -> str:
    """Of a call. Raises InvalidRequest."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise InvalidRequest(f"{path} must be 1 to 128 letters, digits, _, :, . and -.", param=path)
    return value
