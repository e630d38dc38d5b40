"""What bad input gets: the right status and code, the name of what is wrong, soon, and an engine that never hears of it."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.server.gateway.stage import CONTEXT, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
HELLO = {"role": "user", "content": "hello"}
GOOD: dict[str, dict[str, Any]] = {CHAT: {"model": "zizou", "messages": [HELLO]}, TEXT: {"model": "zizou", "prompt": "hello"}}
LIMIT_SECONDS = 2.0
"""Generous: the machine that runs tests is busy. What it took is printed."""


async def refused(stage: Stage, path: str, content: bytes, *, headers: dict[str, str] | None = None) -> tuple[int, str | None, str | None]:
    """Status, code and param of the answer, after what holds for every refusal."""
    began = time.perf_counter()
    response = await stage.http.post(path, content=content, headers={"content-type": "application/json", **(headers or {})})
    took = time.perf_counter() - began
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert error["message"].endswith(".")
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"].startswith("req_")
    assert stage.fake.received == []
    assert not [name for name in stage.hidden if name in response.text or name in str(response.headers)]
    assert took < LIMIT_SECONDS
    return response.status_code, error["code"], error["param"]


BODIES: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", 400, "invalid_value"),
    "not JSON": (b"hello", 400, "invalid_value"),
    "truncated": (b'{"model": "zizou", "messages": [', 400, "invalid_value"),
    "two documents": (b"{} {}", 400, "invalid_value"),
    "a list": (b"[]", 400, "invalid_value"),
    "a string": (b'"hello"', 400, "invalid_value"),
    "null": (b"null", 400, "invalid_value"),
    "byte-order mark": (b"\xef\xbb\xbf{}", 400, "invalid_value"),
    "UTF-16": (json.dumps(GOOD[CHAT]).encode("utf-16"), 400, "invalid_value"),
    "UTF-16 without a mark": (json.dumps(GOOD[CHAT]).encode("utf-16-le"), 400, "invalid_value"),
    "UTF-32": (json.dumps(GOOD[CHAT]).encode("utf-32-le"), 400, "invalid_value"),
    "Latin-1": (b'{"model": "z\xe9"}', 400, "invalid_value"),
    "raw surrogate": (b'{"model": "\xed\xa0\x80"}', 400, "invalid_value"),
    "lone surrogate": (b'{"model": "zizou", "messages": [{"role": "user", "content": "\\ud83d"}]}', 400, "invalid_value"),
    "lone surrogate in a key": (b'{"\\udfff": 1}', 400, "invalid_value"),
    "key twice": (b'{"model": "zizou", "model": "greybeards", "prompt": "x"}', 400, "invalid_value"),
    "key twice, deep": (b'{"model": "zizou", "messages": [{"role": "user", "content": "a", "content": "b"}]}', 400, "invalid_value"),
    "NaN": (b'{"temperature": NaN}', 400, "invalid_value"),
    "Infinity": (b'{"temperature": -Infinity}', 400, "invalid_value"),
    "1e999": (b'{"temperature": 1e999}', 400, "invalid_value"),
    "an integer of 5,000 digits": (b'{"seed": ' + b"9" * 5000 + b"}", 400, "invalid_value"),
    "10,000 deep lists": (b"[" * 10_000 + b"]" * 10_000, 400, "invalid_value"),
    "10,000 deep in content": (b'{"messages": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", 400, "invalid_value"),
    "10,000 deep objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400, "invalid_value"),
    "500,000 open lists": (b"[" * 500_000, 400, "invalid_value"),
    "100,000 keys": (("{" + ",".join(f'"{n}":0' for n in range(100_000)) + "}").encode(), 400, "unsupported_parameter"),
    "control character": (b'{"model": "zi\x00zou"}', 400, "invalid_value"),
    "1 MiB and 1 byte": (b" " * (1 << 20) + b"x", 413, "request_too_large"),
    "8 MiB": (b" " * (8 << 20), 413, "request_too_large"),
}


@pytest.mark.parametrize("path", [CHAT, TEXT])
@pytest.mark.parametrize("case", BODIES)
async def test_a_body_that_cannot_be_read(stage: Stage, case: str, path: str, record_property: Callable[[str, object], None]) -> None:
    """Refused whole, also where a lenient reader would find something."""
    body, status, code = BODIES[case]
    began = time.perf_counter()
    assert (await refused(stage, path, body))[:2] == (status, code)
    if path == CHAT and len(body) > 10_000:
        record_property(f"refusal of {case}, ms", round((time.perf_counter() - began) * 1000, 1))


async def test_a_body_of_just_1_mib_is_read(stage: Stage) -> None:
    """And refused for what is in it, if anything."""
    start = json.dumps(GOOD[CHAT]).encode()
    response = await stage.http.post(CHAT, content=start + b" " * ((1 << 20) - len(start)))
    assert response.status_code == 200


async def test_a_body_that_comes_in_chunks_is_bounded_too(stage: Stage) -> None:
    """No content-length announces it."""

    async def chunks() -> Any:
        for _ in range(40):
            yield b" " * (32 << 10)

    response = await stage.http.post(CHAT, content=chunks())
    assert (response.status_code, response.json()["error"]["code"]) == (413, "request_too_large")
    assert stage.fake.received == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, identity"])
async def test_compressed_bodies_are_not_opened(stage: Stage, encoding: str) -> None:
    """So none can be a bomb."""
    assert (await refused(stage, CHAT, b"\x1f\x8b\x08", headers={"content-encoding": encoding}))[:2] == (415, "unsupported_encoding")


NOT_IN_RANGE: dict[str, list[Any]] = {
    "temperature": [-0.1, 2.1, 1e308, "1", True, [], {}, 10**400],
    "top_p": [0, -1, 1.1, "x", False],
    "top_k": [-5, -2, 1.5, "5", True, 2**40],
    "min_p": [-0.1, 1.5, "x"],
    "max_tokens": [-1, 0, 2**63, "5", 1.5, True, [1]],
    "n": [0, -1, 5, 10**9, 1.0, "2", True],
    "seed": [2**63, -(2**63) - 1, 1.5, "x", True],
    "presence_penalty": [-2.1, 2.1, "x"],
    "frequency_penalty": [-2.1, 2.1, "x"],
    "repetition_penalty": [0, -1, 2.5, "x"],
    "stop": [1, [""], "", ["a"] * 5, ["a"] * 1000, [1], [None], ["x" * 257], {"a": 1}],
    "stream": ["true", 1, []],
    "stream_options": [True, [], "x"],
    "user": [1, "x" * 257, "x" * 10_000, "a\r\nb", "a\0b", ["a"]],
    "logit_bias": [[], "x", {str(n): 1 for n in range(301)}, {str(2**40): 1}, {"512": 1}, {"-1": 1}, {"01": 1}, {"x": 1}, {"": 1}],
}
OF_CHAT: dict[str, list[Any]] = {
    "max_completion_tokens": [0, -1, "5", True],
    "logprobs": [1, "true", 5],
    "top_logprobs": [-1, 6, 999, "x", True],
}
UNKNOWN = (
    "use_beam_search", "min_tokens", "chat_template", "chat_template_kwargs",
    "structured_outputs", "guided_regex", "guided_json", "prompt_embeds",
    "cache_salt", "priority", "kv_transfer_params", "lora_request", "lora_name", "vllm_xargs", "request_id",
    "add_generation_prompt", "continue_final_message", "add_special_tokens", "documents", "mm_processor_kwargs", "logits_processors",
    "return_token_ids", "return_tokens_as_token_ids", "truncate_prompt_tokens", "ignore_eos", "stop_token_ids", "bad_words",
    "allowed_token_ids", "include_reasoning", "media_io_kwargs", "api_base", "base_url",
    "Model", "model ", "", "__proto__", "x" * 1000, "a\nb", "<|im_start|>", "\u202e",
)  # fmt: skip
VALUES = [
    *[(path, name, value) for path in (CHAT, TEXT) for name, values in NOT_IN_RANGE.items() for value in values],
    *[(CHAT, name, value) for name, values in OF_CHAT.items() for value in values],
    *[(TEXT, "logprobs", value) for value in (-1, 21, True, "x", 1.0)],
]


def labelled(case: tuple[str, str, Any]) -> str:
    return f"{case[0].split('/')[2]}-{case[1]}-{str(case[2])[:20]!a}"


@pytest.mark.parametrize("case", VALUES, ids=labelled)
async def test_a_parameter_out_of_its_range_is_named(stage: Stage, case: tuple[str, str, Any]) -> None:
    """Wrong types too: a boolean is no number."""
    path, name, value = case
    status, code, param = await refused(stage, path, json.dumps({**GOOD[path], name: value}).encode())
    assert (status, code) == (400, "invalid_value")
    assert param is not None
    assert param.split(".")[0] == name


@pytest.mark.parametrize("path", [CHAT, TEXT])
@pytest.mark.parametrize("name", UNKNOWN)
async def test_a_parameter_that_is_not_on_the_list_is_refused(stage: Stage, name: str, path: str) -> None:
    """Whatever its value, null included: what is not understood is not dropped in silence."""
    for value in (None, {"tokenize": True}, "(a+)+b"):
        status, code, param = await refused(stage, path, json.dumps({**GOOD[path], name: value}).encode())
        assert (status, code, param) == (400, "unsupported_parameter", name[:64])


@pytest.mark.parametrize(
    ("path", "changes", "param"),
    [
        (CHAT, {"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
        (CHAT, {"top_logprobs": 2}, "top_logprobs"),
        (CHAT, {"top_logprobs": 2, "logprobs": False}, "top_logprobs"),
        (CHAT, {"stream_options": {"include_usage": True}}, "stream_options"),
        (CHAT, {"stream": True, "stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
        (CHAT, {"stream": True, "stream_options": {"continuous_usage_stats": True}}, "stream_options.continuous_usage_stats"),
        (CHAT, {"stream": True, "stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        (CHAT, {"temperature": 0, "n": 2}, "n"),
        (CHAT, {"logit_bias": {"5": 101}}, "logit_bias.5"),
        (CHAT, {"logit_bias": {"5": "x"}}, "logit_bias.5"),
        (CHAT, {"logit_bias": {"5": None}}, "logit_bias.5"),
        (CHAT, {"prompt": "hello"}, "prompt"),
        (TEXT, {"messages": [HELLO]}, "messages"),
        (TEXT, {"max_completion_tokens": 5}, "max_completion_tokens"),
        (TEXT, {"top_logprobs": 1}, "top_logprobs"),
    ],
)
async def test_parameters_that_do_not_go_together(stage: Stage, path: str, changes: dict[str, Any], param: str) -> None:
    """The one to change is named."""
    status, _, named = await refused(stage, path, json.dumps({**GOOD[path], **changes}).encode())
    assert (status, named) == (400, param)


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        (None, "messages"),
        ([], "messages"),
        ({}, "messages"),
        ("hello", "messages"),
        ([HELLO] * 1025, "messages"),
        ([HELLO] * 20_000, "messages"),
        (["hello"], "messages[0]"),
        ([HELLO, None], "messages[1]"),
        ([{"content": "x"}], "messages[0].role"),
        ([{"role": "tool", "content": "x", "tool_call_id": "1"}], "messages[0].tool_call_id"),
        ([{"role": "tool", "content": "x"}], "messages[0].role"),
        ([{"role": "xyz", "content": "x"}], "messages[0].role"),
        ([{"role": ["user"], "content": "x"}], "messages[0].role"),
        ([{"role": "user"}], "messages[0].content"),
        ([{"role": "user", "content": None}], "messages[0].content"),
        ([{"role": "user", "content": 5}], "messages[0].content"),
        ([{"role": "user", "content": []}], "messages[0].content"),
        ([{"role": "user", "content": {"type": "text", "text": "x"}}], "messages[0].content"),
        ([{"role": "user", "content": ["x"]}], "messages[0].content[0].type"),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0].text"),
        ([{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {}}]}], "messages[0].content[0].cache_control"),
        ([{"role": "user", "content": "x", "name": "two words"}], "messages[0].name"),
        ([{"role": "user", "content": "x", "name": "a\r\nb"}], "messages[0].name"),
        ([{"role": "assistant", "content": "x", "tool_calls": [{}]}], "messages[0].tool_calls"),
        ([{"role": "user", "content": "x", "prefix": True}], "messages[0].prefix"),
        ([HELLO, {"role": "system", "content": "late"}], "messages"),
    ],
)
async def test_messages_that_are_none(stage: Stage, messages: Any, param: str) -> None:
    """The first that is wrong is named, down to the part."""
    status, code, named = await refused(stage, CHAT, json.dumps({"model": "zizou", "messages": messages}).encode())
    assert (status, code, named) == (400, "invalid_value", param)


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "file", "video_url", "refusal", "image_embeds"])
@pytest.mark.parametrize("url", ["http://169.254.169.254/", "file:///etc/passwd", "data:image/png;base64," + "A" * 1000])
async def test_parts_that_are_not_text_are_refused_unread(stage: Stage, kind: str, url: str) -> None:
    """Nothing is fetched, so nothing inside can be reached through here."""
    parts = [{"type": "text", "text": "what is this?"}, {"type": kind, kind: {"url": url}}]
    body = {"model": "zizou", "messages": [{"role": "user", "content": parts}]}
    assert await refused(stage, CHAT, json.dumps(body).encode()) == (400, "invalid_value", "messages[0].content[1].type")


@pytest.mark.parametrize("prompt", [None, "", [], [""], [["a"], 1], [1, "a"], [-1], [512], [True], [1.5], 5, {"a": 1}])
async def test_prompts_that_are_none(stage: Stage, prompt: Any) -> None:
    """One text or one list of token ids."""
    assert await refused(stage, TEXT, json.dumps({"model": "zizou", "prompt": prompt}).encode()) == (400, "invalid_value", "prompt")


@pytest.mark.parametrize("path", [CHAT, TEXT])
@pytest.mark.parametrize("model", [None, 5, [], {}, True])
async def test_a_model_must_be_a_string(stage: Stage, model: Any, path: str) -> None:
    """Or it is as good as missing."""
    assert await refused(stage, path, json.dumps({**GOOD[path], "model": model}).encode()) == (400, "invalid_value", "model")


@pytest.mark.parametrize(
    "model",
    ["", "nobody", "../../etc", "zizou@", "zizou@0", "zizou@01", "zizou@-1", "zizou@live\n", "a\0b", "x" * 10_000, "zizou/../x",
     "strangers", "Zizou", "zizou ", "\U0001f643", "<|im_start|>", "zizou@1@2", "base@1", "@", "\u202ezizou"],
)  # fmt: skip
async def test_names_of_no_model_do_not_reach_the_engine(stage: Stage, model: str) -> None:
    """On neither endpoint."""
    for path in (CHAT, TEXT):
        assert await refused(stage, path, json.dumps({**GOOD[path], "model": model}).encode()) == (404, "model_not_found", "model")


async def test_the_engine_s_own_names_are_no_models(stage: Stage) -> None:
    """Nobody can go around the registry with one."""
    for name in stage.hidden:
        response = await stage.http.post(CHAT, json={**GOOD[CHAT], "model": name})
        assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
    assert stage.fake.received == []


@pytest.mark.parametrize("path", [CHAT, TEXT])
async def test_a_prompt_over_the_context_is_refused_and_one_just_within_is_not(stage: Stage, path: str) -> None:
    """Counted here, to the token, before the engine is asked."""
    text = "zq"  # no merges: a token each
    for characters in range(1, 200):
        long = text * characters
        prompt: Any = {"prompt": long} if path == TEXT else {"messages": [{"role": "user", "content": long}]}
        body = {"model": "zizou", **prompt}
        response = await stage.http.post(path, json=body)
        if response.status_code != 200:
            break
    assert (response.json()["error"]["code"], response.json()["error"]["param"]) == (
        "context_length_exceeded",
        "prompt" if path == TEXT else "messages",
    )
    last = stage.fake.received[-1].body
    room = last.get("max_tokens") or last["max_completion_tokens"]
    assert len(stage.fake.received) == characters - 1
    assert 1 <= room <= 2
    stage.fake.received.clear()
    assert (await refused(stage, path, json.dumps({**body, "max_tokens": 1}).encode()))[:2] == (400, "context_length_exceeded")


async def test_what_a_prompt_and_its_answer_need_together_counts(stage: Stage) -> None:
    """max_tokens that leave no room for the prompt; very long prompts are not even counted to their end."""
    full = {"model": "zizou", "prompt": [1] * 100}
    assert (await stage.http.post(TEXT, json={**full, "max_tokens": CONTEXT - 100})).status_code == 200
    stage.fake.received.clear()
    assert (await refused(stage, TEXT, json.dumps({**full, "max_tokens": CONTEXT - 99}).encode()))[2] == "prompt"
    long = {"model": "zizou", "messages": [{"role": "user", "content": "why? " * 200_000}]}
    assert (await refused(stage, CHAT, json.dumps(long).encode()))[1:] == ("context_length_exceeded", "messages")


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "developer", "content": "be brief"}, HELLO],
        [HELLO, {"role": "assistant", "content": "hi", "refusal": None, "tool_calls": None}, HELLO],
        [{"role": "user", "content": [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}], "name": "Ann_1"}],
        [{"role": "user", "content": "\U0001f643 \ud83d\ude43".encode("utf-16", "surrogatepass").decode("utf-16")}],
        [{"role": "user", "content": ""}],
    ],
)
async def test_what_looks_odd_and_is_right_is_answered(stage: Stage, messages: Any) -> None:
    """Roles of other templates, empty keys of answers, parts of text, pairs of surrogates."""
    response = await stage.http.post(CHAT, json={"model": "zizou", "messages": messages, "temperature": None, "user": "Ann"})
    assert response.status_code == 200
    sent = stage.fake.received[0].body["messages"]
    assert [set(message) for message in sent] == [{"role", "content"}] * len(messages)
    assert all(isinstance(message["content"], str) and message["role"] in ("system", "user", "assistant") for message in sent)
