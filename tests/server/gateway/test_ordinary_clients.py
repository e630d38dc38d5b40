"""What ordinary clients send without being asked: answered as if they had not."""

import asyncio
import json
from typing import Any

import pytest

from server.gateway.apis.parameters import NEUTRAL_CHAT, NEUTRAL_COMPLETION
from tests.server.gateway.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
HELLO = {"role": "user", "content": "hello"}
GOOD: dict[str, dict[str, Any]] = {CHAT: {"model": "zizou", "messages": [HELLO]}, TEXT: {"model": "zizou", "prompt": "hello"}}
NEUTRAL = {CHAT: NEUTRAL_CHAT, TEXT: NEUTRAL_COMPLETION}
CASES = [(path, name, value) for path, table in NEUTRAL.items() for name, values in table.items() for value in (None, *values)]


@pytest.mark.parametrize(("path", "name", "value"), CASES)
async def test_a_parameter_that_asks_for_nothing_is_dropped(stage: Stage, path: str, name: str, value: Any) -> None:
    """The engine does not see it."""
    response = await stage.http.post(path, json={**GOOD[path], name: value})
    assert response.status_code == 200, response.text
    assert name not in stage.fake.received[-1].body


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        (CHAT, "tools", [{"type": "function"}]),
        (TEXT, "response_format", {"type": "json_object"}),
        (CHAT, "store", True),
        (CHAT, "store", 0),
        (CHAT, "metadata", {"a": "b"}),
        (TEXT, "echo", 1),
        (TEXT, "best_of", True),
        (TEXT, "best_of", 2),
        (TEXT, "suffix", "x"),
        (CHAT, "echo", None),
        (TEXT, "tools", None),
    ],
)
async def test_the_same_parameter_that_asks_for_something_is_refused(stage: Stage, path: str, name: str, value: Any) -> None:
    """Never dropped in silence; and each endpoint knows its own."""
    response = await stage.http.post(path, json={**GOOD[path], name: value})
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (400, "unsupported_parameter", name)
    assert not stage.fake.received


@pytest.mark.parametrize("name", ["user", "safety_identifier", "prompt_cache_key"])
async def test_who_asks_is_read_and_not_told_to_the_engine(stage: Stage, name: str) -> None:
    """By OpenAI's older name and its newer ones."""
    response = await stage.http.post(CHAT, json={**GOOD[CHAT], name: "ann-the-first"})
    assert response.status_code == 200, response.text
    assert "ann-the-first" not in str(stage.fake.received[-1].body)


@pytest.mark.parametrize("padding", [False, None])
async def test_a_stream_that_shall_not_be_padded_is_one_as_ever(stage: Stage, padding: bool | None) -> None:
    """None is padded here; the engine is asked for what it is always asked for."""
    options = {"include_usage": True, "include_obfuscation": padding}
    response = await stage.http.post(CHAT, json={**GOOD[CHAT], "stream": True, "stream_options": options})
    assert response.status_code == 200, response.text
    assert stage.fake.received[-1].body["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}


@pytest.mark.parametrize(
    "extra",
    [
        {"tool_calls": [], "annotations": []},
        {"tool_calls": None, "function_call": None, "provider_specific_fields": {"refusal": None}},
        {"refusal": None, "reasoning": "", "audio": {}},
    ],
)
async def test_an_answer_is_taken_back_as_history(stage: Stage, extra: dict[str, Any]) -> None:
    """As the libraries of others write it, with keys that hold nothing."""
    messages = [HELLO, {"role": "assistant", "content": "hi", **extra}, HELLO]
    response = await stage.http.post(CHAT, json={"model": "zizou", "messages": messages})
    assert response.status_code == 200, response.text


async def test_a_key_that_holds_something_is_named(stage: Stage) -> None:
    """In the sentence too, for clients that show nothing else."""
    messages = [{"role": "assistant", "content": "x", "provider_specific_fields": {"a": 1}}]
    error = (await stage.http.post(CHAT, json={"model": "zizou", "messages": messages})).json()["error"]
    assert "provider_specific_fields" in error["message"]
    assert error["param"] == "messages[0].provider_specific_fields"


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
async def test_a_wish_for_another_protocol_is_ignored(stage: Stage, protocol: str) -> None:
    """Answered in HTTP/1.1, each time on a connection that is kept; a body that looks like such a wish stays as it is."""
    text = "hi\r\nUpgrade: h2c\r\n\r\nUpgrade: h2c"
    body = json.dumps({"model": "zizou", "prompt": text, "max_tokens": 2}).encode()
    head = (
        f"POST {TEXT} HTTP/1.1\r\nHost: x\r\nAuthorization: {stage.http.headers['authorization']}\r\n"
        f"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}\r\nHTTP2-Settings: AAMAAABk\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    try:
        async with asyncio.timeout(10):
            for _ in range(2):
                writer.write(head.encode() + body)
                answer = await reader.readuntil(b"\r\n\r\n")
                assert answer.startswith(b"HTTP/1.1 200 OK")
                await reader.readexactly(int(answer.partition(b"content-length: ")[2].split()[0]))
    finally:
        writer.close()
    assert [request.body["prompt"] for request in stage.fake.received] == [text] * 2
