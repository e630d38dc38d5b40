"""The prompt of a request: chat messages, a text or token ids. Text only, nothing is ever fetched. Pure.

Messages of a conversation with tools hold calls of them and what came of those; whether that is read is said by who reads.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from server.gateway.apis.parameters import kind_of
from server.gateway.apis.tools import ToolCall, chat_calls, read_id
from server.gateway.errors import InvalidRequest

MAX_MESSAGES = 1024

ROLES: Mapping[str, str] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
"""What callers may say, and what chat templates know."""
TOOL = "tool"
"""The role of what came of a call."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_EMPTY_IN_ANSWERS = frozenset({
    "refusal", "annotations", "audio", "function_call", "tool_calls", "reasoning", "reasoning_content", "provider_specific_fields",
})  # fmt: skip
"""Keys of an answer that callers send back with their history. Here they are always empty, and must be; calls only without tools."""
_EMPTY_IN_PARTS = frozenset({"annotations", "logprobs", "citations"})
"""Likewise, of the parts of an answer."""
_UNREAD = frozenset({"parsed"})
"""What the SDK adds for its user, and sends back with the rest: the answer read into a class."""


@dataclass(frozen=True)
class Message:
    role: str
    content: str
    calls: tuple[ToolCall, ...] = ()
    """Of tools, by the assistant."""
    call_id: str | None = None
    """Which call this came of."""

    def told(self) -> dict[str, Any]:
        """As engines are told."""
        told: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.calls:
            told["tool_calls"] = [call.told() for call in self.calls]
        if self.call_id is not None:
            told["tool_call_id"] = self.call_id
        return told


Prompt = tuple[Message, ...] | str | tuple[int, ...]
"""Never empty."""


def are_tokens(prompt: Prompt) -> TypeGuard[tuple[int, ...]]:
    """Told from the first entry: a prompt may have a hundred thousand, and everybody's streams wait meanwhile."""
    return isinstance(prompt, tuple) and isinstance(prompt[0], int)


def read_messages(value: Any, *, tools: bool = False) -> tuple[Message, ...]:
    """Check `messages`. Parts of a message are joined; `name` is checked and dropped, for no chat template here shows it.

    `tools`: calls of tools and what came of them are read, too. Raises InvalidRequest.
    """
    if not isinstance(value, list) or not value:
        raise InvalidRequest("messages must be a list of at least one message.", param="messages")
    if len(value) > MAX_MESSAGES:
        raise InvalidRequest(f"messages may hold at most {MAX_MESSAGES} messages.", param="messages")
    return tuple(_message(message, f"messages[{index}]", tools=tools) for index, message in enumerate(value))


def _message(value: Any, path: str, *, tools: bool) -> Message:
    if not isinstance(value, dict):
        raise InvalidRequest(f"{path} must be an object, not {kind_of(value)}.", param=path)
    role = value.get("role")
    roles = _ROLES_WITH_TOOLS if tools else _ROLES
    more = _OF_TOOLS.get(role) if tools and isinstance(role, str) else None
    known = (*_READ, more) if more else _READ
    for key, content in value.items():
        if key in known or key in _UNREAD or (key in _EMPTY_IN_ANSWERS and is_empty(content)):
            continue
        raise InvalidRequest(f"{path} holds {key[:64]!r}: {', '.join(known)} are all that is read.", param=f"{path}.{key[:64]}")
    if not isinstance(role, str) or role not in roles:
        raise InvalidRequest(f"{path}.role must be one of {', '.join(roles)}.", param=f"{path}.role")
    name = value.get("name")
    if name is not None and not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise InvalidRequest(f"{path}.name must be 1 to 64 letters, digits, _ and -.", param=f"{path}.name")
    if role == TOOL:
        call_id = read_id(value.get("tool_call_id"), f"{path}.tool_call_id")
        return Message(TOOL, text_of(value.get("content"), f"{path}.content"), call_id=call_id)
    calls = chat_calls(value["tool_calls"], f"{path}.tool_calls") if more and value.get(more) else ()
    content = value.get("content")
    if calls and is_empty(content):
        return Message(ROLES[role], "", calls)
    return Message(ROLES[role], text_of(content, f"{path}.content"), calls)


_ROLES = tuple(ROLES)
_ROLES_WITH_TOOLS = (*ROLES, TOOL)
_READ = ("role", "content", "name")
_OF_TOOLS: Mapping[str, str] = {"assistant": "tool_calls", TOOL: "tool_call_id"}
"""Role → what its messages hold besides."""


def is_empty(value: Any) -> bool:
    """Null, [], "", {}, or an object of nulls, as some clients' libraries write it."""
    return value is None or value in ([], "") or (isinstance(value, dict) and all(each is None for each in value.values()))


def text_of(value: Any, path: str, kinds: tuple[str, ...] = ("text",)) -> str:
    """A string, or the texts of a list of parts of these kinds, joined. Raises InvalidRequest."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        raise InvalidRequest(f"{path} must be a string or a list of text parts.", param=path)
    return "".join(_part(part, f"{path}[{index}]", kinds) for index, part in enumerate(value))


def _part(value: Any, path: str, kinds: tuple[str, ...]) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in kinds:
        raise InvalidRequest(f"{path} must be a text part; images, audio and files are not read here.", param=f"{path}.type")
    for key, content in value.items():
        if key not in ("type", "text") and key not in _UNREAD and not (key in _EMPTY_IN_PARTS and is_empty(content)):
            raise InvalidRequest(f"{path} holds {key[:64]!r}: type and text are all that is read.", param=f"{path}.{key[:64]}")
    text = value.get("text")
    if not isinstance(text, str):
        raise InvalidRequest(f"{path}.text must be a string, not {kind_of(text)}.", param=f"{path}.text")
    return text


def read_prompt(value: Any, vocab_size: int) -> str | tuple[int, ...]:
    """Check `prompt` of a completion: a text, a list of one text, or one list of token ids."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    if isinstance(value, str) and value:
        return value
    if not isinstance(value, list) or set(map(type, value)) != {int}:  # a boolean is no token
        raise InvalidRequest("prompt must be one text or one list of token ids, and not empty.", param="prompt")
    if min(value) < 0 or max(value) >= vocab_size:
        raise InvalidRequest(f"prompt has a token id that is not from 0 to {vocab_size - 1}.", param="prompt")
    return tuple(value)
