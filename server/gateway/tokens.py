"""How long a prompt is, told before the engine is asked.

Reads a base's tokenizer and chat template; renders and counts as the engine will, tools included. Also keeps a base's special tokens from
being written by callers: inside a message, and inside a tool, they are text.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from adapters.registry import BaseError
from server.gateway.apis.messages import TOOL, Message, Prompt, are_tokens
from server.gateway.apis.tools import Tool, Toolbox, ToolCall
from server.gateway.errors import InvalidRequest

PIECE = 16_384
"""Characters tokenized at once while a long prompt is measured."""
SLACK = 32
"""Tokens by which cutting a text in two can change its count: far more than any tokenizer here needs."""
_TEMPLATE_ARGUMENTS = {"add_generation_prompt": True, "documents": None, "enable_thinking": False}
"""What vLLM gives a chat template beside messages; engines are started with thinking off."""
_ZERO_WIDTH_SPACE = "\u200b"
_GENERATION = re.compile(r"(\{%-?\s*)(end)?generation(\s*-?%\})")


class PromptMeter:
    """Counts prompts for the base at `path`. Raises BaseError if it has no usable tokenizer or chat template."""

    def __init__(self, path: Path) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
            config = json.loads((path / "tokenizer_config.json").read_bytes())
            template = path / "chat_template.jinja"
            source = template.read_text("utf-8") if template.exists() else config["chat_template"]
            self._template = _environment().from_string(_plain(source))
        except Exception as exc:  # tokenizers raises bare Exception for whatever it cannot read
            raise BaseError(f"The base at {path} has no usable tokenizer and chat template ({exc}): download or build it again.") from exc
        # One text at a time is all that is ever counted here: handed to a pool of threads it would only take longer.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._variables = _special_variables(config)
        special = sorted((token.content for token in self._tokenizer.get_added_tokens_decoder().values() if token.special), key=len)
        self._special = re.compile("|".join(map(re.escape, reversed(special)))) if special else None
        self.knows_tools = self._shows_tools()
        """Whether the chat template shows tools, calls and what came of them."""

    def plain(self, prompt: Prompt) -> Prompt:
        """The prompt to send: special tokens within messages broken up, so that no caller can end a turn or pose as the system."""
        if self._special is None or isinstance(prompt, str) or are_tokens(prompt):
            return prompt
        return tuple(self._plain_message(entry) for entry in prompt if isinstance(entry, Message))

    def plain_toolbox(self, toolbox: Toolbox | None) -> Toolbox | None:
        """The same for tools: their descriptions and schemas are shown, too."""
        if toolbox is None or self._special is None:
            return toolbox
        return replace(toolbox, tools=tuple(self._plain_tool(tool) for tool in toolbox.tools))

    def count(self, prompt: Prompt, limit: int, toolbox: Toolbox | None = None) -> int:
        """Tokens in `prompt`; exact up to `limit`, some number above it beyond. Raises InvalidRequest if the template refuses.

        May take milliseconds for long texts: `is_quick` says whether it is fit for an event loop.
        """
        if isinstance(prompt, str):
            return self._count_text(prompt, limit, special=True)
        if are_tokens(prompt):
            return len(prompt)
        return self._count_text(self._render([entry for entry in prompt if isinstance(entry, Message)], toolbox), limit, special=False)

    def is_quick(self, prompt: Prompt, toolbox: Toolbox | None = None) -> bool:
        if isinstance(prompt, str):
            return len(prompt) <= PIECE
        if are_tokens(prompt):
            return True
        shown = sum(len(entry.content) + _length_of_calls(entry) for entry in prompt if isinstance(entry, Message))
        return shown + (len(json.dumps(toolbox.told())) if toolbox else 0) <= PIECE

    def _plain_message(self, message: Message) -> Message:
        content = self._plain_text(message.content)
        if not message.calls:
            return message if content == message.content else replace(message, content=content)
        calls = tuple(replace(call, arguments=self._plain_value(call.arguments)) for call in message.calls)
        return replace(message, content=content, calls=calls)

    def _plain_tool(self, tool: Tool) -> Tool:
        return replace(tool, description=self._plain_value(tool.description), parameters=self._plain_value(tool.parameters))

    def _plain_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._plain_text(value)
        if isinstance(value, Mapping):
            return {self._plain_text(name): self._plain_value(each) for name, each in value.items()}
        return [self._plain_value(each) for each in value] if isinstance(value, list) else value

    def _plain_text(self, text: str) -> str:
        return text if self._special is None else self._special.sub(_broken, text)

    def _count_text(self, text: str, limit: int, *, special: bool) -> int:
        if len(text) > PIECE:
            sure = 0  # at least so many tokens are in what was read so far
            for piece in _pieces(text):
                sure += max(0, self._length(piece, special=False) - SLACK)
                if sure > limit:
                    return sure
        return self._length(text, special=special)

    def _length(self, text: str, *, special: bool) -> int:
        # A batch of one: only batches can be had without the places of tokens in the text, which cost a quarter more.
        return len(self._tokenizer.encode_batch_fast([text], add_special_tokens=special)[0])

    def _render(self, messages: list[Message], toolbox: Toolbox | None = None) -> str:
        tools = [tool.told() for tool in toolbox.tools] if toolbox else None
        try:
            return self._template.render(messages=list(map(_turn, messages)), tools=tools, **_TEMPLATE_ARGUMENTS, **self._variables)
        except TemplateError as exc:
            raise InvalidRequest("The model's chat template refuses these messages: check the order of roles.", param="messages") from exc

    def _shows_tools(self) -> bool:
        tool, said, came = "troupe_tool", "troupe_argument", "troupe_result"
        call = ToolCall("call_1", tool, {said: 1})
        asked, turn = Message("user", "?"), (Message("assistant", "", (call,)), Message(TOOL, came, call_id=call.id))
        try:
            offered, used = self._render([asked], Toolbox((Tool(tool),))), self._render([asked, *turn])
        except (InvalidRequest, TypeError):  # a template that knows no calls may trip over one
            return False
        return tool in offered and said in used and came in used


def _turn(message: Message) -> dict[str, Any]:
    """As vLLM hands it to a chat template: arguments are no text there."""
    turn = message.told()
    for told, call in zip(turn.get("tool_calls", ()), message.calls, strict=True):
        told["function"]["arguments"] = call.arguments
    return turn


def _length_of_calls(message: Message) -> int:
    return sum(len(json.dumps(call.arguments)) for call in message.calls) if message.calls else 0


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), PIECE):
        yield text[start : start + PIECE]


def _broken(match: re.Match[str]) -> str:
    token = match.group()
    return token[0] + _ZERO_WIDTH_SPACE + token[1:]


def _plain(source: str) -> str:
    """Drop transformers' own `generation` tag, which marks text for training and prints nothing."""
    return _GENERATION.sub(lambda tag: f"{tag[1]}{'endif' if tag[2] else 'if true'}{tag[3]}", source)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent)
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
    return environment


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def _special_variables(config: dict[str, Any]) -> dict[str, str]:
    """`bos_token` and the like, which templates print."""
    entries = {name: value for name, value in config.items() if name.endswith("_token")}
    contents = {name: value.get("content") if isinstance(value, dict) else value for name, value in entries.items()}
    return {name: content for name, content in contents.items() if isinstance(content, str)}
