"""OpenAI's /v1/responses: what a caller asks, read into a chat. Pure.

Nothing is kept, so every request brings its whole conversation, and what leans on an earlier one is refused.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from server.gateway.apis.messages import MAX_MESSAGES, ROLES, TOOL, Message, is_empty, text_of
from server.gateway.apis.parameters import MAX_TOKENS, Check, boolean, integer, kind_of, metadata, number, text, user
from server.gateway.apis.parse import OF_TOOLS, Dialect, Generation, read_model, read_values
from server.gateway.apis.response_format import following
from server.gateway.apis.tools import (
    AUTO,
    MAX_CALLS,
    NONE,
    PARSED,
    REQUIRED,
    Choice,
    Tool,
    Toolbox,
    ToolCall,
    read_id,
    read_name,
    read_tool,
    read_tools,
    toolbox,
    written_arguments,
)
from server.gateway.errors import InvalidRequest

NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "background": (False,),
    "previous_response_id": (),
    "conversation": (),
    "prompt": (),
    "include": ([], ["reasoning.encrypted_content"]),
    "reasoning": ({}, {"effort": None}, {"effort": "none"}, {"effort": None, "summary": None}, {"effort": "none", "summary": None}),
    "service_tier": ("auto", "default"),
    "top_logprobs": (0,),
    "truncation": ("disabled",),
    "max_tool_calls": (),
    "stream_options": ({}, {"include_obfuscation": False}),
    "context_management": ([],),
    "store": (False,),
    "tools": ([],),
    "tool_choice": (NONE, AUTO),
    "parallel_tool_calls": (True, False),
}
"""As in `parameters`: what is not served, and the values with which it asks for nothing."""

_NOT_KEPT = "Nothing is kept here: leave {} out, and send the whole conversation each time."
_REASONS = {name: _NOT_KEPT.format(name) for name in ("store", "previous_response_id", "conversation", "background")}

_OF_CALL = frozenset({"type", "id", "status", "call_id", "name", "arguments", PARSED})
_OF_OUTPUT = frozenset({"type", "id", "status", "call_id", "output"})
_OF_MESSAGE = frozenset({"type", "id", "status", "role", "content"})
_CONTENT = ("input_text", "output_text")


def responses_dialect(*, no_tools: str | None) -> Dialect:
    """`no_tools`: as for chats."""
    used = no_tools is None
    tools: dict[str, Check] = {"tools": _tools, "tool_choice": _choice, "parallel_tool_calls": boolean} if used else {}
    return Dialect(
        "input",
        lambda value: (_read_input(value, tools=used),),
        "max_output_tokens",
        {
            "instructions": text,
            "max_output_tokens": integer(1, MAX_TOKENS),
            "temperature": number(0, 2),
            "top_p": number(0, 1, above_low=True),
            "stream": boolean,
            "text": _text_options,
            "metadata": metadata,
            "user": user,
            "safety_identifier": user,
            "prompt_cache_key": user,
            **tools,
        },
        NEUTRAL,
        reasons={**_REASONS, **({} if no_tools is None else dict.fromkeys(OF_TOOLS, no_tools))},
    )


def read_response(content: Mapping[str, Any], dialect: Dialect) -> tuple[Generation, dict[str, Any]]:
    """What is asked, and what of it the answer repeats. Raises InvalidRequest."""
    values = read_values(content, dialect)
    (prompt,) = dialect.read(content.get(dialect.prompt))
    instructions = values.get("instructions")
    if instructions is not None:
        prompt = _instructed(instructions, [entry for entry in prompt if isinstance(entry, Message)])
    form = values.get("text")
    sampling: dict[str, Any] = {name: values[name] for name in ("temperature", "top_p") if name in values}
    box = toolbox(values.get("tools", ()), values.get("tool_choice"), parallel=values.get("parallel_tool_calls", True))
    generation = Generation(
        model=read_model(content),
        prompts=(prompt,),
        max_tokens=values.get("max_output_tokens"),
        stream=values.get("stream", False),
        include_usage=True,
        sampling=sampling if form is None else {**sampling, "response_format": form},
        user=values.get("user") or values.get("safety_identifier"),
        toolbox=box,
    )
    return generation, {**_echo(values), **_echo_of_tools(box)}


def _instructed(instructions: str, turns: list[Message]) -> tuple[Message, ...]:
    """One system message, whatever came before the first turn: chat templates know no second one."""
    first = next((index for index, turn in enumerate(turns) if turn.role != "system"), len(turns))
    system = "\n\n".join([instructions, *(turn.content for turn in turns[:first])])
    return (Message("system", system), *turns[first:])


def _read_input(value: Any, *, tools: bool) -> tuple[Message, ...]:
    if isinstance(value, str) and value:
        return (Message("user", value),)
    if not isinstance(value, list) or not value:
        raise InvalidRequest("input must be a text or a list of at least one item.", param="input")
    if len(value) > MAX_MESSAGES:
        raise InvalidRequest(f"input may hold at most {MAX_MESSAGES} items.", param="input")
    turns: list[Message] = []
    for index, item in enumerate(value):
        turn = _turn(item, f"input[{index}]", tools=tools)
        if turn.calls and turns and turns[-1].role == "assistant":  # what the model said and called at once comes as several items
            if len(turns[-1].calls) == MAX_CALLS:
                raise InvalidRequest(f"input may hold at most {MAX_CALLS} calls of tools after one another.", param=f"input[{index}]")
            turns[-1] = replace(turns[-1], calls=(*turns[-1].calls, *turn.calls))
        else:
            turns.append(turn)
    return tuple(turns)


def _turn(item: Any, path: str, *, tools: bool) -> Message:
    if not isinstance(item, dict):
        raise InvalidRequest(f"{path} must be an object, not {kind_of(item)}.", param=path)
    kind = item.get("type", "message")
    if kind == "message":
        _only(item, _OF_MESSAGE, path)
        role = item.get("role")
        if not isinstance(role, str) or role not in ROLES:
            raise InvalidRequest(f"{path}.role must be one of {', '.join(ROLES)}.", param=f"{path}.role")
        return Message(ROLES[role], text_of(item.get("content"), f"{path}.content", _CONTENT))
    if tools and kind == "function_call":
        _only(item, _OF_CALL, path)
        name, arguments = read_name(item.get("name"), f"{path}.name"), written_arguments(item.get("arguments"), f"{path}.arguments")
        return Message("assistant", "", (ToolCall(read_id(item.get("call_id"), f"{path}.call_id"), name, arguments),))
    if tools and kind == "function_call_output":
        _only(item, _OF_OUTPUT, path)
        call_id = read_id(item.get("call_id"), f"{path}.call_id")
        return Message(TOOL, text_of(item.get("output"), f"{path}.output", _CONTENT), call_id=call_id)
    known = ("message", "function_call", "function_call_output") if tools else ("message",)
    raise InvalidRequest(f"{path}.type must be one of {', '.join(known)}.", param=f"{path}.type")


def _only(item: Mapping[str, Any], known: frozenset[str], path: str) -> None:
    for key, value in item.items():
        if key not in known and not is_empty(value):
            raise InvalidRequest(f"{path} holds {key[:64]!r}: {', '.join(sorted(known))} are all that is read.", param=f"{path}.{key[:64]}")


def _read_tools(value: Any, path: str) -> tuple[Tool, ...]:
    return read_tools(value, path, _read_tool)


def _read_tool(value: Any, path: str) -> Tool:
    if not isinstance(value, dict) or value.get("type") != "function":
        raise InvalidRequest(f"{path} must be an object of type function: no other tools are known here.", param=path)
    return read_tool({key: each for key, each in value.items() if key != "type"}, path)


def _read_choice(value: Any, path: str) -> Choice:
    if isinstance(value, str) and value in (NONE, AUTO, REQUIRED):
        return Choice(value)
    if not isinstance(value, dict) or set(value) != {"type", "name"} or value["type"] != "function":
        raise InvalidRequest(f"{path} must be {NONE}, {AUTO}, {REQUIRED} or an object with the type function and a name.", param=path)
    return Choice(REQUIRED, read_name(value["name"], f"{path}.name"))


def _read_text_options(value: Any, path: str) -> dict[str, Any] | None:
    """The response format for the engine; None for any text."""
    if not isinstance(value, dict):
        raise InvalidRequest(f"{path} must be an object, not {kind_of(value)}.", param=path)
    _only({key: each for key, each in value.items() if (key, each) != ("verbosity", "medium")}, frozenset({"format"}), path)
    form = value.get("format")
    if form is None or form == {"type": "text"}:
        return None
    kind = form.get("type") if isinstance(form, dict) else None
    if kind == "json_object" and set(form) == {"type"}:
        return {"type": kind}
    if kind != "json_schema":
        raise InvalidRequest(f"{path}.format.type must be one of text, json_object, json_schema.", param=f"{path}.format.type")
    return following({key: each for key, each in form.items() if key != "type"}, f"{path}.format")


_tools = Check(_read_tools, {"type": "array", "items": {"type": "object", "required": ["type", "name"]}})
_choice = Check(_read_choice, {"anyOf": [{"enum": [NONE, AUTO, REQUIRED]}, {"type": "object", "required": ["type", "name"]}]})
_text_options = Check(_read_text_options, {"type": "object", "properties": {"format": {"type": ["object", "null"]}}})


def _echo(values: Mapping[str, Any]) -> dict[str, Any]:
    form = values.get("text") or {"type": "text"}
    schema = {**form["json_schema"], "strict": True, "description": None} if "json_schema" in form else {}
    return {
        "instructions": values.get("instructions"),
        "max_output_tokens": values.get("max_output_tokens"),
        "max_tool_calls": None,
        "metadata": values.get("metadata", {}),
        "prompt_cache_key": values.get("prompt_cache_key"),
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": values.get("safety_identifier"),
        "service_tier": "default",
        "temperature": values.get("temperature", 1.0),
        "text": {"format": {"type": form["type"], **schema}},
        "top_logprobs": 0,
        "top_p": values.get("top_p", 1.0),
        "truncation": "disabled",
        "user": values.get("user"),
    }


def _echo_of_tools(box: Toolbox | None) -> dict[str, Any]:
    if box is None:
        return {"tools": [], "tool_choice": AUTO, "parallel_tool_calls": True}
    choice = box.choice.kind if box.choice.name is None else {"type": "function", "name": box.choice.name}
    tools = [{"type": "function", "strict": None, **tool.told()["function"]} for tool in box.tools]
    return {"tools": tools, "tool_choice": choice, "parallel_tool_calls": box.parallel}
