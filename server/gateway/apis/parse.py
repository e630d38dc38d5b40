"""A caller's body becomes a `Generation`, and a `Generation` becomes the engine's body. Pure, and the only way between the two."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from server.gateway.apis.evaluation import RESERVED, check_together, evaluation_parameters, read_prompts
from server.gateway.apis.messages import Message, Prompt, are_tokens, read_messages, read_prompt
from server.gateway.apis.parameters import (
    NEUTRAL_CHAT,
    NEUTRAL_COMPLETION,
    Check,
    asks_nothing,
    boolean,
    chat_parameters,
    completion_parameters,
)
from server.gateway.apis.response_format import response_format
from server.gateway.apis.tools import Toolbox, chat_choice, chat_tools, toolbox
from server.gateway.errors import Forbidden, InvalidRequest, UnsupportedParameter

GREEDY = 1e-5
"""Below this temperature vLLM takes the likeliest token, and refuses to do so more than once."""

_OURS = frozenset({
    "max_tokens", "max_completion_tokens", "stream", "stream_options", "user", "safety_identifier", "prompt_cache_key", "tools",
    "tool_choice", "parallel_tool_calls",
})  # fmt: skip
"""Allowed parameters that are understood here and not copied."""
OF_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")


@dataclass(frozen=True)
class Generation:
    """One request for text, checked. `sampling` holds only what the caller set."""

    model: str
    prompts: tuple[Prompt, ...]
    """One, unless the key is for evaluation."""
    max_tokens: int | None
    stream: bool
    include_usage: bool
    sampling: Mapping[str, Any]
    user: str | None = None
    """Who talks, if the caller says so. The engine is not told."""
    toolbox: Toolbox | None = None


@dataclass(frozen=True)
class Dialect:
    """How one of the two endpoints is spoken, by callers of one scope."""

    prompt: str
    read: Callable[[Any], tuple[Prompt, ...]]
    max_tokens: str
    parameters: Mapping[str, Check]
    neutral: Mapping[str, tuple[Any, ...]]
    reserved: Mapping[str, tuple[Callable[[Any], bool], str]] = field(default_factory=dict)
    """What another scope may ask for, and this one not."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Parameter → why it is not read here, where there is more to say."""


TOOLS_ARE_OFF = "Tools are not switched on here: whoever runs this server sets TROUPE_ENGINE_TOOL_PARSER."
TEMPLATE_WITHOUT_TOOLS = "The base of this server has a chat template that shows no tools: leave them out."


def chat_dialect(vocab_size: int, *, no_tools: str | None = TOOLS_ARE_OFF) -> Dialect:
    """`no_tools`: why tools are not served here, one sentence; None if they are."""
    used = no_tools is None
    tools: dict[str, Check] = {"tools": chat_tools, "tool_choice": chat_choice, "parallel_tool_calls": boolean} if used else {}
    return Dialect(
        "messages",
        lambda value: (read_messages(value, tools=used),),
        "max_completion_tokens",
        {**chat_parameters(vocab_size), "response_format": response_format, **tools},
        NEUTRAL_CHAT,
        reasons={} if no_tools is None else dict.fromkeys(OF_TOOLS, no_tools),
    )


def completion_dialect(vocab_size: int) -> Dialect:
    """For chat keys."""
    return Dialect(
        "prompt",
        lambda value: (read_prompt(value, vocab_size),),
        "max_tokens",
        completion_parameters(vocab_size),
        NEUTRAL_COMPLETION,
        RESERVED,
    )


def evaluation_dialect(vocab_size: int) -> Dialect:
    """/v1/completions for keys that may evaluate."""
    return Dialect(
        "prompt", lambda value: read_prompts(value, vocab_size), "max_tokens", evaluation_parameters(vocab_size), NEUTRAL_COMPLETION
    )


def read_generation(content: Mapping[str, Any], dialect: Dialect) -> Generation:
    """Check a request's JSON object. A null counts as absent, where the name is known. Raises InvalidRequest or Forbidden."""
    values = read_values(content, dialect)
    prompts = dialect.read(content.get(dialect.prompt))
    options = values.get("stream_options")
    stream = values.get("stream", False)
    if options is not None and not stream:
        raise InvalidRequest("stream_options needs stream: true.", param="stream_options")
    if "top_logprobs" in values and not values.get("logprobs"):
        raise InvalidRequest("top_logprobs needs logprobs: true.", param="top_logprobs")
    if values.get("n", 1) > 1 and values.get("temperature", 1.0) < GREEDY:
        raise InvalidRequest("n must be 1 at temperature 0, where all choices would be the same.", param="n")
    check_together(values, prompts)
    return Generation(
        model=read_model(content),
        prompts=prompts,
        max_tokens=_max_tokens(values),
        stream=stream,
        include_usage=bool(options and options.get("include_usage")),
        sampling={name: value for name, value in values.items() if name not in _OURS and value is not None},
        user=values.get("user") or values.get("safety_identifier"),
        toolbox=toolbox(values.get("tools", ()), values.get("tool_choice"), parallel=values.get("parallel_tool_calls", True)),
    )


def read_values(content: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    """Those parameters that were set, checked; model and prompt are not among them. Raises InvalidRequest or Forbidden."""
    for name, value in content.items():
        if name in dialect.reserved and dialect.reserved[name][0](value):
            what = dialect.reserved[name][1]
            raise Forbidden(f"{what} needs a key with the scope evaluate (TROUPE_HOME/keys/evaluate): this key is for chat.", param=name)
        if name in dialect.parameters or name in ("model", dialect.prompt):
            continue
        if name not in dialect.neutral or not asks_nothing(value, dialect.neutral[name]):
            reason = dialect.reasons.get(name, f"The parameter {name[:64]!r} is not supported here.")
            raise UnsupportedParameter(reason, param=name[:64])
    read_model(content)  # what is wrong with it is said first
    return {name: check(content[name], name) for name, check in dialect.parameters.items() if content.get(name) is not None}


def read_model(content: Mapping[str, Any]) -> str:
    """Raises InvalidRequest."""
    model = content.get("model")
    if not isinstance(model, str):
        raise InvalidRequest("model must be a string.", param="model")
    return model


def _max_tokens(values: Mapping[str, Any]) -> int | None:
    given = {values[name] for name in ("max_tokens", "max_completion_tokens") if name in values}
    if len(given) > 1:
        raise InvalidRequest("max_tokens and max_completion_tokens differ: send one of them.", param="max_tokens")
    return next(iter(given), None)


def engine_body(
    generation: Generation,
    dialect: Dialect,
    *,
    engine_name: str,
    prompts: Sequence[Prompt],
    toolbox: Toolbox | None = None,
    max_tokens: int,
    cache_salt: str,
) -> dict[str, Any]:
    """The body for vLLM, built anew. Usage is always asked for, in every event: the gateway counts, whether the caller wants to or not.

    `dialect`: of the engine's route. `prompts` and `toolbox`: as they were counted.
    """
    told = [_prompt(prompt) for prompt in prompts]
    body: dict[str, Any] = {
        "model": engine_name,
        dialect.prompt: told[0] if len(told) == 1 else told,
        dialect.max_tokens: max_tokens,
        **generation.sampling,
        **(toolbox.told() if toolbox else {}),
        "cache_salt": cache_salt,
        "stream": generation.stream,
    }
    if generation.stream:
        body["stream_options"] = {"include_usage": True, "continuous_usage_stats": True}
    return body


def _prompt(prompt: Prompt) -> str | list[dict[str, Any]] | list[int]:
    if isinstance(prompt, str):
        return prompt
    if are_tokens(prompt):
        return list(prompt)
    return [entry.told() for entry in prompt if isinstance(entry, Message)]
