"""Whatever a caller sends, the engine hears only what is on the list, from a body built anew."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.gateway.apis.parameters import asks_nothing
from server.gateway.apis.parse import Dialect, chat_dialect, completion_dialect, engine_body, evaluation_dialect, read_generation
from server.gateway.errors import Forbidden, InvalidRequest
from server.gateway.strict_json import read_object

FORWARDED = {
    "model", "temperature", "top_p", "top_k", "min_p", "stop", "seed", "n", "presence_penalty", "frequency_penalty",
    "repetition_penalty", "logit_bias", "logprobs", "cache_salt", "stream", "stream_options",
}  # fmt: skip
OF_CHAT, OF_TEXT = FORWARDED | {"messages", "max_completion_tokens", "top_logprobs"}, FORWARDED | {"prompt", "max_tokens"}
OF_EVALUATION = OF_TEXT | {"echo", "prompt_logprobs"}
CHAT, TEXT, EVALUATION = chat_dialect(512), completion_dialect(512), evaluation_dialect(512)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
LIKELY: dict[str, Any] = {
    "temperature": st.floats(0, 2), "top_p": st.just(0.5), "top_k": st.integers(-1, 50), "max_tokens": st.integers(1, 64),
    "n": st.integers(1, 4), "seed": st.integers(0, 9), "stop": st.just(["x"]), "stream": st.booleans(), "user": st.just("Ann"),
    "logit_bias": st.just({"5": 1}), "logprobs": st.sampled_from([True, False, 1]), "top_logprobs": st.integers(0, 5),
    "stream_options": st.just({"include_usage": True}), "max_completion_tokens": st.integers(1, 64),
}  # fmt: skip
EVALUATED: dict[str, Any] = {
    "echo": st.booleans(), "prompt_logprobs": st.integers(0, 20), "logprobs": st.integers(0, 20), "max_tokens": st.just(0),
    "prompt": st.lists(st.lists(st.integers(0, 511), min_size=1, max_size=3) | st.text(min_size=1, max_size=3), min_size=1, max_size=3),
}  # fmt: skip
FORBIDDEN = (
    "chat_template", "prompt_embeds", "min_tokens", "priority", "lora_request", "structured_outputs", "echo", "cache_salt",
    "prompt_logprobs",
)  # fmt: skip
BODIES = st.fixed_dictionaries(
    {},
    optional={
        **{name: strategy | JSON for name, strategy in LIKELY.items()},
        "model": st.just("zizou") | JSON,
        "messages": st.just([{"role": "user", "content": "hi"}]) | JSON,
        "prompt": st.just("hi") | JSON,
        **dict.fromkeys(FORBIDDEN, JSON),
    },
)
EVALUATIONS = st.builds(lambda body, more: {**body, **more}, BODIES, st.fixed_dictionaries({}, optional=EVALUATED))


def heard(content: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    """The engine's body for a caller's."""
    generation = read_generation(read_object(json.dumps(content).encode()), dialect)
    return engine_body(generation, dialect, engine_name="engine", prompts=generation.prompts, max_tokens=7, cache_salt="salt")


@given(content=BODIES)
def test_nothing_is_forwarded_that_is_not_on_the_list(content: dict[str, Any]) -> None:
    """It is refused, or copied within its range; model and salt are never the caller's."""
    for dialect, allowed in ((CHAT, OF_CHAT), (TEXT, OF_TEXT)):
        try:
            body = heard(content, dialect)
        except (InvalidRequest, Forbidden):
            continue
        assert set(body) <= allowed
        assert (body["model"], body["cache_salt"], body[dialect.max_tokens]) == ("engine", "salt", 7)
        assert all(asks_nothing(content[name], dialect.neutral.get(name, ())) for name in FORBIDDEN if name in content)
        assert set(body) - {"model", "cache_salt", "stream", "stream_options", dialect.max_tokens} <= set(content)
        assert body.get("stream_options") in (None, {"include_usage": True})


@given(content=EVALUATIONS)
def test_nothing_is_forwarded_for_an_evaluation_that_is_not_on_its_list(content: dict[str, Any]) -> None:
    """Each value in its range; whole, and one answer a prompt, where prompts are scored or many."""
    try:
        body = heard(content, EVALUATION)
    except InvalidRequest:
        return
    assert set(body) <= OF_EVALUATION
    assert (body["model"], body["cache_salt"], body["max_tokens"]) == ("engine", "salt", 7)
    assert all(type(body.get(name, 0)) is int and 0 <= body.get(name, 0) <= 20 for name in ("logprobs", "prompt_logprobs"))
    assert type(body.get("echo", False)) is bool
    prompt = body["prompt"]
    several = isinstance(prompt, list) and not isinstance(prompt[0], int)
    assert not several or len(prompt) == len(content["prompt"])
    if several or body.get("echo") or "prompt_logprobs" in body:
        assert body["stream"] is False
        assert body.get("n", 1) == 1


@given(content=EVALUATIONS)
def test_what_a_chat_key_may_ask_an_evaluate_key_may_ask_too(content: dict[str, Any]) -> None:
    """And the engine hears the same, but for the explicit `echo: false`."""
    try:
        body = heard(content, TEXT)
    except (InvalidRequest, Forbidden):
        return
    assert {name: value for name, value in heard(content, EVALUATION).items() if name != "echo"} == body


@given(raw=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_object_or_a_refusal(raw: bytes) -> None:
    """Never another exception; what is read is what a plain reader reads."""
    try:
        content = read_object(raw)
    except InvalidRequest:
        return
    assert content == json.loads(raw)


def test_the_usual_request_is_forwarded_whole() -> None:
    """Every parameter on the list, at the edge of its range."""
    content = {
        "model": "zizou", "messages": [{"role": "developer", "content": "a"}], "temperature": 2, "top_p": 1, "top_k": -1, "min_p": 1,
        "stop": "x", "seed": -(2**63), "n": 4, "presence_penalty": -2, "frequency_penalty": 2, "repetition_penalty": 2,
        "logit_bias": {"511": -100}, "logprobs": True, "top_logprobs": 5, "stream": True, "max_tokens": 5, "max_completion_tokens": 5,
    }  # fmt: skip
    body = heard(content, CHAT)
    assert set(body) == OF_CHAT
    assert body["messages"] == [{"role": "system", "content": "a"}]
    assert (body["stop"], body["logit_bias"]) == (["x"], {"511": -100.0})


@pytest.mark.parametrize("nothing", ["temperature", "stop", "stream_options", "max_tokens", "user"])
def test_a_null_is_as_good_as_absent(nothing: str) -> None:
    """Clients send them for what they leave open."""
    assert heard({"model": "z", "prompt": "x", nothing: None}, TEXT) == heard({"model": "z", "prompt": "x"}, TEXT)
