"""The prompt of a request: chat messages, a text or token ids. Text only, nothing is ever fetched. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from server.gateway.errors import InvalidRequest
from server.gateway.parameters import kind_of

MAX_MESSAGES = 1024

ROLES: Mapping[str, str] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
"""What callers may say, and what chat templates know."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_EMPTY_IN_ANSWERS = frozenset({
    "refusal", "annotations", "audio", "function_call", "tool_calls", "reasoning", "reasoning_content", "provider_specific_fields",
})  # fmt: skip
"""Keys of an answer that callers send back with their history. Here they are always empty, and must be."""


@dataclass(frozen=True)
class Message:
    role: str
    content: str


Prompt = tuple[Message, ...] | str | tuple[int, ...]
"""Never empty."""


def are_tokens(prompt: Prompt) -> TypeGuard[tuple[int, ...]]:
    """Told from the first entry: a prompt may have a hundred thousand, and everybody's streams wait meanwhile."""
    return isinstance(prompt, tuple) and isinstance(prompt[0], int)


def read_messages(value: Any) -> tuple[Message, ...]:
    """Check `messages`. Parts of a message are joined; `name` is checked and dropped, for no chat template here shows it."""
    if not isinstance(value, list) or not value:
        raise InvalidRequest("messages must be a list of at least one message.", param="messages")
    if len(value) > MAX_MESSAGES:
        raise InvalidRequest(f"messages may hold at most {MAX_MESSAGES} messages.", param="messages")
    return tuple(_message(message, f"messages[{index}]") for index, message in enumerate(value))


def _message(value: Any, path: str) -> Message:
    if not isinstance(value, dict):
        raise InvalidRequest(f"{path} must be an object, not {kind_of(value)}.", param=path)
    for key, content in value.items():
        if key in ("role", "content", "name") or (key in _EMPTY_IN_ANSWERS and _is_empty(content)):
            continue
        raise InvalidRequest(f"{path} holds {key[:64]!r}: role, content and name are all that is read.", param=f"{path}.{key[:64]}")
    role = value.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise InvalidRequest(f"{path}.role must be one of {', '.join(ROLES)}.", param=f"{path}.role")
    name = value.get("name")
    if name is not None and not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise InvalidRequest(f"{path}.name must be 1 to 64 letters, digits, _ and -.", param=f"{path}.name")
    return Message(ROLES[role], _content(value.get("content"), f"{path}.content"))


def _is_empty(value: Any) -> bool:
    """Null, [], "", {}, or an object of nulls, as some clients' libraries write it."""
    return value is None or value in ([], "") or (isinstance(value, dict) and all(each is None for each in value.values()))


def _content(value: Any, path: str) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        raise InvalidRequest(f"{path} must be a string or a list of text parts.", param=path)
    return "".join(_part(part, f"{path}[{index}]") for index, part in enumerate(value))


def _part(value: Any, path: str) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind != "text":
        raise InvalidRequest(f"{path} must be a text part; images, audio and files are not read here.", param=f"{path}.type")
    for key in value:
        if key not in ("type", "text"):
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
