"""A call of a tool, as vLLM's parsers write one, whole and in pieces. Pure.

Who asks with tools gets a call of the first one, or of the one that was named; who brings what came of a call gets words again.
"""

from collections.abc import Mapping
from typing import Any

ARGUMENTS = ('{"city": ', '"Lyon 🙃', '"}')
"""Token by token."""


def called(body: Mapping[str, Any]) -> str | None:
    """The name of the tool that the answer calls, if it calls one."""
    tools, choice = body.get("tools"), body.get("tool_choice", "auto")
    if not tools or choice == "none" or body["messages"][-1]["role"] == "tool":
        return None
    return str((choice if isinstance(choice, dict) else tools[0])["function"]["name"])


def ending(body: Mapping[str, Any]) -> str:
    """Why an answer with a call ended: vLLM calls it a stop where the tool was named."""
    return "stop" if isinstance(body.get("tool_choice"), dict) else "tool_calls"


def whole_call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def first_piece(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"tool_calls": [{"id": call_id, "type": "function", "index": 0, "function": {"name": name, "arguments": arguments}}]}


def next_piece(arguments: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]}
