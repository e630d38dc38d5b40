"""Whatever a caller sends in whichever API, the engine hears only what is on the list, in a chat that was built anew."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.gateway.apis.api import MESSAGES, RESPONSES, build_apis
from server.gateway.apis.parse import engine_body
from server.gateway.errors import Forbidden, InvalidRequest
from server.gateway.strict_json import read_object

APIS = {api.path: api for api in build_apis(512, no_tools=None)}
HEARD = {
    "model", "messages", "max_completion_tokens", "temperature", "top_p", "top_k", "stop", "response_format", "tools", "tool_choice",
    "parallel_tool_calls", "cache_salt", "stream", "stream_options",
}  # fmt: skip
TURN = {"role", "content", "tool_calls", "tool_call_id"}

WORDS = st.sampled_from([
    "role", "content", "type", "text", "input_text", "output_text", "user", "assistant", "system", "message", "tool_use", "tool_result",
    "function_call", "function_call_output", "call_id", "id", "name", "arguments", "output", "input", "tool_use_id", "format", "schema",
    "json_schema", "function", "tools", "auto", "any", "{}", "a", "cache_salt", "priority",
])  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=12,
)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FORBIDDEN = dict.fromkeys(
    ("cache_salt", "priority", "request_id", "chat_template", "chat_template_kwargs", "structured_outputs", "kv_transfer_params",
     "vllm_xargs", "n", "min_tokens", "previous_input_messages", "echo", "logprobs", "seed"),
    JSON,
)  # fmt: skip
OF_BOTH: dict[str, Any] = {
    "temperature": st.just(0.5) | JSON, "top_p": st.just(0.5) | JSON, "stream": st.booleans() | JSON, "tool_choice": JSON, "metadata": JSON,
}  # fmt: skip
RESPONSE = st.fixed_dictionaries(
    {"model": st.just("zizou") | JSON},
    optional={
        **FORBIDDEN,
        **OF_BOTH,
        "input": st.just("hi") | st.just([{"type": "function_call", "call_id": "a", "name": "b", "arguments": "{"}]) | JSON,
        "instructions": st.just("be brief") | JSON,
        "max_output_tokens": st.integers(-1, 9) | JSON,
        "text": st.just({"format": {"type": "json_schema", "name": "a", "schema": SCHEMA}}) | JSON,
        "tools": st.just([{"type": "function", "name": "a", "parameters": SCHEMA}]) | JSON,
        "store": st.booleans() | JSON,
    },
)
MESSAGE = st.fixed_dictionaries(
    {"model": st.just("zizou") | JSON, "max_tokens": st.just(9) | JSON},
    optional={
        **FORBIDDEN,
        **OF_BOTH,
        "messages": st.just([{"role": "user", "content": "hi"}])
        | st.lists(st.fixed_dictionaries({"role": WORDS, "content": JSON}), max_size=3),
        "system": st.just([{"type": "text", "text": "be brief"}]) | JSON,
        "stop_sequences": st.just(["a"]) | JSON,
        "top_k": st.integers(-1, 9) | JSON,
        "output_config": st.just({"format": {"type": "json_schema", "schema": SCHEMA}}) | JSON,
        "tools": st.just([{"name": "a", "input_schema": SCHEMA}]) | JSON,
    },
)


def heard(path: str, content: dict[str, Any]) -> dict[str, Any] | None:
    """What the engine is told; None if it is told nothing."""
    api = APIS[path]
    try:
        generation = api.speak(read_object(json.dumps(content).encode()), evaluates=True).generation
    except (InvalidRequest, Forbidden):
        return None
    return engine_body(
        generation,
        api.engine,
        engine_name="engine",
        prompts=generation.prompts,
        toolbox=generation.toolbox,
        max_tokens=7,
        cache_salt="salt",
    )


def check(body: dict[str, Any] | None, forbidden: dict[str, Any]) -> None:
    if body is None:
        return
    assert set(body) <= HEARD
    assert (body["model"], body["cache_salt"], body["max_completion_tokens"]) == ("engine", "salt", 7)
    assert all(set(turn) <= TURN and isinstance(turn["content"], str) for turn in body["messages"])
    assert all(value is None for value in forbidden.values())


@given(content=RESPONSE)
def test_a_response_passes_nothing_that_is_not_on_the_list(content: dict[str, Any]) -> None:
    """It is refused, or built anew; nothing else comes of any input."""
    check(heard(RESPONSES, content), {name: content[name] for name in FORBIDDEN if name in content})


@given(content=MESSAGE)
def test_a_message_passes_nothing_that_is_not_on_the_list(content: dict[str, Any]) -> None:
    """Likewise."""
    check(heard(MESSAGES, content), {name: content[name] for name in FORBIDDEN if name in content})


@pytest.mark.parametrize("path", [RESPONSES, MESSAGES])
def test_the_younger_apis_ask_the_engine_for_a_chat(path: str) -> None:
    """One route of the engine's serves them all."""
    assert APIS[path].asks == "/v1/chat/completions"
    prompts: dict[str, dict[str, Any]] = {
        RESPONSES: {"input": "hi"},
        MESSAGES: {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5},
    }
    body = heard(path, {"model": "zizou", **prompts[path]})
    assert body is not None
    assert body["messages"] == [{"role": "user", "content": "hi"}]
