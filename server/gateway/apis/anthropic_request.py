"""Anthropic's /v1/messages: what a caller asks, read into a chat. Pure."""

from collections.abc import Mapping
from typing import Any

from server.gateway.apis.json_schema import read_schema
from server.gateway.apis.messages import MAX_MESSAGES, TOOL, Message, text_of
from server.gateway.apis.parameters import MAX_TOKENS, Check, boolean, integer, number, stops, user
from server.gateway.apis.parse import Dialect, Generation, read_model, read_values
from server.gateway.apis.tools import (
    AUTO,
    MAX_CALLS,
    NONE,
    REQUIRED,
    Choice,
    Tool,
    ToolCall,
    read_arguments,
    read_id,
    read_name,
    read_tool,
    read_tools,
    toolbox,
)
from server.gateway.errors import InvalidRequest

MAX_STOPS = 16

NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "thinking": ({"type": "disabled"},),
    "service_tier": ("auto", "standard_only"),
    "tools": ([],),
    "tool_choice": ({"type": "none"}, {"type": "auto"}),
    "container": (),
    "mcp_servers": ([],),
    "context_management": (),
}
"""As in `parameters`: what is not served, and the values with which it asks for nothing."""

_CHOICES = {"none": NONE, "auto": AUTO, "any": REQUIRED, "tool": REQUIRED}
_BLOCKS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"text"}),
    "tool_use": frozenset({"id", "name", "input"}),
    "tool_result": frozenset({"tool_use_id", "content", "is_error"}),
}
"""Kind → what it holds."""
_UNREAD = frozenset({"cache_control", "citations", "caller"})
"""Hints of Anthropic's that change no answer."""


def anthropic_dialect(*, no_tools: str | None) -> Dialect:
    """`no_tools`: as for chats."""
    used = no_tools is None
    return Dialect(
        "messages",
        lambda value: (_read_messages(value, tools=used),),
        "max_tokens",
        {
            "max_tokens": integer(1, MAX_TOKENS),
            "system": _system,
            "temperature": number(0, 1),
            "top_p": number(0, 1, above_low=True),
            "top_k": integer(0, MAX_TOKENS),
            "stop_sequences": stops(MAX_STOPS),
            "stream": boolean,
            "metadata": _metadata,
            "output_config": _output_config,
            "cache_control": _unread,
            **({"tools": _tools, "tool_choice": _choice} if used else {}),
        },
        NEUTRAL,
        reasons={} if no_tools is None else dict.fromkeys(("tools", "tool_choice"), no_tools),
    )


def read_message_request(content: Mapping[str, Any], dialect: Dialect) -> Generation:
    """Raises InvalidRequest."""
    values = read_values(content, dialect)
    if "max_tokens" not in values:
        raise InvalidRequest("max_tokens must be set.", param="max_tokens")
    (prompt,) = dialect.read(content.get(dialect.prompt))
    turns = [entry for entry in prompt if isinstance(entry, Message)]
    sampling: dict[str, Any] = {name: values[name] for name in ("temperature", "top_p", "top_k") if name in values}
    if "stop_sequences" in values:
        sampling["stop"] = values["stop_sequences"]
    if values.get("output_config") is not None:
        sampling["response_format"] = values["output_config"]
    choice, parallel = values.get("tool_choice", (None, True))
    return Generation(
        model=read_model(content),
        prompts=((Message("system", values["system"]), *turns) if values.get("system") else tuple(turns),),
        max_tokens=values["max_tokens"],
        stream=values.get("stream", False),
        include_usage=True,
        sampling=sampling,
        user=values.get("metadata"),
        toolbox=toolbox(values.get("tools", ()), choice, parallel=parallel),
    )


def _read_messages(value: Any, *, tools: bool) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise InvalidRequest("messages must be a list of at least one message.", param="messages")
    if len(value) > MAX_MESSAGES:
        raise InvalidRequest(f"messages may hold at most {MAX_MESSAGES} messages.", param="messages")
    turns = [turn for index, message in enumerate(value) for turn in _turns(message, f"messages[{index}]", tools=tools)]
    if len(turns) > MAX_MESSAGES:
        raise InvalidRequest(f"messages may hold at most {MAX_MESSAGES} messages and results of tools together.", param="messages")
    if turns[-1].role == "assistant":
        raise InvalidRequest(
            "messages must not end with the assistant's: an answer that was begun is not continued here.", param="messages"
        )
    return tuple(turns)


def _turns(value: Any, path: str, *, tools: bool) -> list[Message]:
    """Of one message: what came of calls first, each as a turn of its own, then what is said."""
    if not isinstance(value, dict) or set(value) != {"role", "content"}:
        raise InvalidRequest(f"{path} must be an object with role and content, and nothing else.", param=path)
    role, content = value["role"], value["content"]
    if role not in ("user", "assistant"):
        raise InvalidRequest(f"{path}.role must be user or assistant.", param=f"{path}.role")
    if isinstance(content, str):
        return [Message(role, content)]
    if not isinstance(content, list) or not content:
        raise InvalidRequest(f"{path}.content must be a string or a list of blocks.", param=f"{path}.content")
    known = ("text", "tool_use" if role == "assistant" else "tool_result") if tools else ("text",)
    texts: list[str] = []
    calls: list[ToolCall] = []
    results: list[Message] = []
    for index, block in enumerate(content):
        where = f"{path}.content[{index}]"
        kind = _kind(block, where, known)
        if kind == "text":
            texts.append(text_of([{"type": "text", "text": block.get("text")}], where))
        elif kind == "tool_use":
            arguments = read_arguments(block.get("input"), f"{where}.input")
            calls.append(ToolCall(read_id(block.get("id"), f"{where}.id"), read_name(block.get("name"), f"{where}.name"), arguments))
        else:
            results.append(_result(block, where))
    if len(calls) > MAX_CALLS:
        raise InvalidRequest(f"{path}.content may hold at most {MAX_CALLS} calls of tools.", param=f"{path}.content")
    said = [Message(role, "".join(texts), tuple(calls))] if texts or calls else []
    return [*results, *said]


def _kind(block: Any, path: str, known: tuple[str, ...]) -> str:
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(kind, str) or kind not in known:
        raise InvalidRequest(f"{path}.type must be one of {', '.join(known)}.", param=f"{path}.type")
    for key, content in block.items():
        if key != "type" and key not in _BLOCKS[kind] and key not in _UNREAD and content is not None:
            raise InvalidRequest(f"{path} holds {key[:64]!r}, which is not read here.", param=f"{path}.{key[:64]}")
    return kind


def _result(block: Mapping[str, Any], path: str) -> Message:
    if block.get("is_error") is not None:
        boolean(block["is_error"], f"{path}.is_error")
    call_id, content = read_id(block.get("tool_use_id"), f"{path}.tool_use_id"), block.get("content")
    return Message(TOOL, "" if content is None or content == [] else _texts(content, f"{path}.content"), call_id=call_id)


def _texts(value: Any, path: str) -> str:
    """A text, or blocks of text."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise InvalidRequest(f"{path} must be a string or a list of text blocks.", param=path)
    for index, block in enumerate(value):
        _kind(block, f"{path}[{index}]", ("text",))
    return text_of([{"type": "text", "text": block.get("text")} for block in value], path)


def _read_user(value: Any, path: str) -> str | None:
    if not isinstance(value, dict) or not set(value) <= {"user_id"}:
        raise InvalidRequest(f"{path} may hold a user_id and nothing else.", param=path)
    return None if value.get("user_id") is None else str(user(value["user_id"], f"{path}.user_id"))


def _read_output_config(value: Any, path: str) -> dict[str, Any] | None:
    """The response format for the engine; None for any text."""
    if not isinstance(value, dict) or not set(value) <= {"format"}:
        raise InvalidRequest(f"{path} may hold a format and nothing else.", param=path)
    form = value.get("format")
    if form is None:
        return None
    if not isinstance(form, dict) or set(form) != {"type", "schema"} or form["type"] != "json_schema":
        raise InvalidRequest(f"{path}.format must be an object with the type json_schema and a schema.", param=f"{path}.format")
    schema = read_schema(form["schema"], f"{path}.format.schema")
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def _read_tools(value: Any, path: str) -> tuple[Tool, ...]:
    return read_tools(value, path, _read_tool)


def _read_tool(value: Any, path: str) -> Tool:
    if not isinstance(value, dict) or value.get("type") not in (None, "custom"):
        raise InvalidRequest(f"{path} must be a tool of your own: Anthropic's are not known here.", param=path)
    told = {key: each for key, each in value.items() if key not in ("type", "cache_control")}
    return read_tool(told, path, schema="input_schema")


def _read_choice(value: Any, path: str) -> tuple[Choice, bool]:
    """And whether several calls at once are welcome."""
    if not isinstance(value, dict) or not set(value) <= {"type", "name", "disable_parallel_tool_use"}:
        raise InvalidRequest(f"{path} must be an object with a type, a name and disable_parallel_tool_use, and nothing else.", param=path)
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in _CHOICES:
        raise InvalidRequest(f"{path}.type must be one of {', '.join(_CHOICES)}.", param=f"{path}.type")
    if (kind == "tool") != ("name" in value):
        raise InvalidRequest(f"{path}.name goes with the type tool, and the type tool with a name.", param=f"{path}.name")
    single = value.get("disable_parallel_tool_use")
    parallel = single is None or not boolean(single, f"{path}.disable_parallel_tool_use")
    return Choice(_CHOICES[kind], read_name(value["name"], f"{path}.name") if kind == "tool" else None), parallel


_unread = Check(lambda value, path: None, {})
_system = Check(_texts, {"type": ["string", "array"]})
_metadata = Check(_read_user, {"type": "object", "properties": {"user_id": {"type": ["string", "null"]}}, "additionalProperties": False})
_output_config = Check(_read_output_config, {"type": "object", "properties": {"format": {"type": ["object", "null"]}}})
_tools = Check(_read_tools, {"type": "array", "items": {"type": "object", "required": ["name"]}})
_choice = Check(_read_choice, {"type": "object", "required": ["type"], "properties": {"type": {"enum": list(_CHOICES)}}})
