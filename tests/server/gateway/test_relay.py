"""Between an engine that fails in every way it can and callers who come and go: an error or an answer, never half of one."""

import asyncio
import json
from typing import Any

import pytest

from loadtests.fake_engine import Fault
from server.gateway.settings import GatewaySettings
from tests.server.gateway.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
ASK: dict[str, Any] = {"model": "zizou", "messages": [{"role": "user", "content": "hi"}]}
DONE = "data: [DONE]"


@pytest.fixture(scope="module")
def settings(settings: GatewaySettings) -> GatewaySettings:
    """Not patient with an engine that says nothing."""
    return settings.model_copy(update={"stall_timeout": 0.5, "answer_timeout": 1.0})


def events(text: str) -> list[Any]:
    """The JSON of each event; the end mark as it is."""
    lines = [event.removeprefix("data: ") for event in text.split("\n\n") if event]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


@pytest.mark.parametrize("slices", [0, 1, 7])
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.DIE, "engine_unavailable"),
        (Fault.END_EARLY, "engine_unavailable"),
        (Fault.STALL, "deadline_exceeded"),
        (Fault.ERROR_EVENT, "engine_error"),
    ],
)
async def test_a_stream_that_breaks_ends_with_an_error(stage: Stage, fault: Fault, code: str, slices: int) -> None:
    """After the tokens that came, without an end mark, and without the engine's own words."""
    stage.fault(fault=fault, slice=slices)
    response = await stage.http.post(CHAT, json={**ASK, "stream": True})
    *tokens, last = events(response.text)
    assert response.status_code == 200
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in tokens) == "Läuft bei dir"
    assert (last["error"]["code"], set(last["error"])) == (code, {"message", "type", "param", "code"})
    assert DONE not in response.text
    assert not [name for name in (*stage.hidden, "Internal server error") if name in response.text]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault.STATUS_500, 502, "engine_error"),
        (Fault.STATUS_400, 400, "invalid_value"),
        (Fault.TOO_LONG, 400, "context_length_exceeded"),
    ],
)
async def test_a_refusal_of_the_engine_is_translated(stage: Stage, fault: Fault, status: int, code: str, stream: bool) -> None:
    """Its status and its text are for the log."""
    stage.fault(fault=fault)
    response = await stage.http.post(CHAT, json={**ASK, "stream": stream})
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert not [name for name in (*stage.hidden, "EngineCore", "64 tokens") if name in response.text]


@pytest.mark.parametrize("stream", [True, False])
async def test_an_adapter_that_does_not_load_is_the_engine_s_trouble(stage: Stage, stream: bool) -> None:
    """The model exists: 503 and a time to come again, not 404."""
    stage.fault(adapters="none")
    response = await stage.http.post(CHAT, json={**ASK, "stream": stream})
    assert (response.status_code, response.json()["error"]["code"]) == (503, "adapter_unavailable")
    assert int(response.headers["retry-after"]) > 0
    assert not [name for name in (*stage.hidden, "Valid aliases") if name in response.text]


@pytest.mark.parametrize(("fault", "status"), [(Fault.DIE, 503), (Fault.STALL, 504)])
async def test_a_whole_answer_that_does_not_come_is_an_error(stage: Stage, fault: Fault, status: int) -> None:
    """With a status of its own, as nothing was sent yet."""
    stage.fault(fault=fault)
    response = await stage.http.post(CHAT, json=ASK)
    assert (response.status_code, response.json()["error"]["type"]) == (status, "service_unavailable_error" if status == 503 else "timeout")


@pytest.mark.parametrize(("fault", "after"), [(Fault.ERROR_FIRST, 0), (Fault.DIE, 0)])
async def test_a_stream_that_breaks_before_its_first_token(stage: Stage, fault: Fault, after: int) -> None:
    """Either a status, or an error event after the role: never an answer."""
    stage.fault(fault=fault, fault_after=after)
    response = await stage.http.post(TEXT, json={"model": "zizou", "prompt": "hi", "stream": True})
    assert response.status_code in (502, 503)
    assert "error" in response.json()


@pytest.mark.parametrize("key", ["", "another"])
async def test_an_engine_that_does_not_know_the_gateway_is_no_fault_of_the_caller(stage: Stage, key: str) -> None:
    """Not a 401: the caller's key was right."""
    stage.fault(api_key=f"other{key}")
    assert (await stage.http.post(CHAT, json=ASK)).status_code == 502


@pytest.mark.parametrize("path", [CHAT, TEXT])
@pytest.mark.parametrize("slices", [1, 2, 3, 5, 64])
async def test_a_stream_survives_any_cutting(stage: Stage, path: str, slices: int) -> None:
    """Characters of several bytes and events in pieces; names within the text stay what they are."""
    name = stage.hidden[0]
    words = (f'"model":"{name}"', f" {name} ", "data: [DONE]\n\n", '","choices":[],"usage":{', "\u2028🙃ä", '{"error": 1}')
    stage.fault(slice=slices, vocabulary=words, tokens=len(words))
    body = ASK if path == CHAT else {"model": "zizou", "prompt": "hi"}
    response = await stage.http.post(path, json={**body, "stream": True, "stream_options": {"include_usage": True}})
    *chunks, usage, done = events(response.text.replace("\\u2028", "\u2028"))
    texts = [chunk["choices"][0].get("text") or chunk["choices"][0].get("delta", {}).get("content", "") for chunk in chunks]
    assert "".join(texts) == "".join(words)
    assert {chunk["model"] for chunk in [*chunks, usage]} == {"zizou"}
    assert (done, usage["choices"], usage["usage"]["completion_tokens"]) == ("[DONE]", [], len(words))
    whole = (await stage.http.post(path, json=body)).json()["choices"][0]
    assert (whole.get("text") or whole["message"]["content"]) == "".join(words)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("pipelined", [False, True])
async def test_a_caller_who_leaves_stops_the_engine(stage: Stage, stream: bool, pipelined: bool) -> None:
    """Streamed or not, also with a second request already on the line."""
    stage.fault(ttft=0.05, inter_token=0.1, tokens=1000)
    gone = await stage.metric('troupe_errors_total{code="caller_gone"}')
    body = json.dumps({**ASK, "stream": stream}).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nhost: g\r\nauthorization: {stage.http.headers['authorization']}\r\n"
    request = head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body
    _, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(request * (2 if pipelined else 1))
    async with asyncio.timeout(5):
        while not stage.fake.received:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        writer.close()
        left = asyncio.get_running_loop().time()
        await stage.fake.received[0].abandoned.wait()
        assert asyncio.get_running_loop().time() - left < 2
    assert await stage.metric('troupe_errors_total{code="caller_gone"}') >= gone + 1


async def test_a_stream_that_was_read_to_its_end_is_no_caller_gone(stage: Stage) -> None:
    """The end of a response looks like a disconnect to the application: it must not count as one."""
    gone = await stage.metric('troupe_errors_total{code="caller_gone"}')
    for linger in (0.0, 0.1):
        stage.fault(linger=linger)
        for _ in range(3):
            assert (await stage.http.post(CHAT, json={**ASK, "stream": True})).text.endswith(DONE + "\n\n")
    assert await stage.metric('troupe_errors_total{code="caller_gone"}') == gone
    async with asyncio.timeout(5):
        while not all(received.finished for received in stage.fake.received):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
