"""HTTP below and around the API: heads, methods, keys, ids, connections. In the loop that the gateway runs in, uvloop, as well."""

import asyncio
import re
from pathlib import Path

import pytest
import uvloop

from adapters.registry import Base
from server.gateway.settings import GatewaySettings
from tests.server.gateway.log_lines import line_of, lines_of
from tests.server.gateway.stage import ADMIN, CHAT_KEY, ENGINE_KEY, Stage, open_stage

MODULE = pytest.mark.asyncio(loop_scope="module")
CHAT = "/v1/chat/completions"
BODY = b'{"model":"zizou","messages":[{"role":"user","content":"hi"}]}'
KEY = b"authorization: Bearer " + CHAT_KEY.encode() + b"\r\n"
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n"
REQUEST = HEAD + KEY + b"content-length: %d\r\n" % len(BODY)


@pytest.fixture(scope="module")
def settings(settings: GatewaySettings) -> GatewaySettings:
    """Not patient: a body or a head has half a second, a connection that nobody uses a whole one."""
    return settings.model_copy(update={"body_timeout": 0.5, "keep_alive_timeout": 1})


def parsed(answer: bytes) -> tuple[int, str]:
    """Status and body of the first response in `answer`; what holds for each of them."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert re.search(rb"\r\nx-request-id: req_[0-9a-f]{32}(\r\n|$)", head)
    assert b"\r\nserver:" not in head
    return int(head.split(b" ", 2)[1]), body.decode()


@MODULE
@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", CHAT, 405, "method_not_allowed"),
        ("PUT", "/v1/completions", 405, "method_not_allowed"),
        ("OPTIONS", CHAT, 405, "method_not_allowed"),
        ("POST", "/v1/models", 405, "method_not_allowed"),
        ("DELETE", "/v1/models/zizou", 405, "method_not_allowed"),
        ("GET", "/v1/models/", 404, "model_not_found"),
        ("GET", "/v1/models/a/b", 404, "model_not_found"),
        ("GET", "/v1/models/a%2fb", 404, "model_not_found"),
        ("GET", "/v1/models/..%2f..%2fetc", 404, "model_not_found"),
        ("POST", "/v1/chat/completions/", 404, "unknown_url"),
        ("POST", "//v1/chat/completions", 404, "unknown_url"),
        ("POST", "/V1/chat/completions", 404, "unknown_url"),
        ("GET", "/v1/models/nobody", 404, "model_not_found"),
        *[("POST", f"/{path}", 404, "unknown_url") for path in ("invocations", "tokenize", "v1/embeddings", "pause", "load_lora_adapter")],
        *[("GET", f"/{path}", 404, "unknown_url") for path in ("", "docs", "redoc", "server_info", "v1/load_lora_adapter")],
    ],
)
async def test_what_is_not_there_is_said_in_one_shape(stage: Stage, method: str, path: str, status: int, code: str) -> None:
    """No redirect, no page of a framework, no route of the engine."""
    response = await stage.http.request(method, path)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert response.headers["x-request-id"].startswith("req_")
    assert ("allow" in response.headers) == (status == 405)
    assert stage.fake.received == []


@MODULE
@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Basic dHI6", CHAT_KEY, f"bearer{CHAT_KEY}", f"Bearer {CHAT_KEY}x", f"Bearer {CHAT_KEY} {CHAT_KEY}",
     "Bearer ' OR pg_sleep(8)--", "Bearer \u202eyek", "Bearer \U0001f511", "Bearer " + "k" * 20_000, f"Token {CHAT_KEY}"],
)  # fmt: skip
async def test_without_the_right_key_every_door_is_shut(stage: Stage, authorization: str) -> None:
    """Before a body is read, a model looked up or a parameter checked."""
    for method, path in (("POST", CHAT), ("POST", "/v1/completions"), ("GET", "/v1/models"), ("GET", "/v1/models/zizou"),
                         ("GET", "/admin/v1/status")):  # fmt: skip
        response = await stage.http.request(method, path, headers=[(b"authorization", authorization.encode())])
        assert (response.status_code, response.json()["error"]["code"]) == (401, "invalid_api_key")
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.headers["x-should-retry"] == "false"
        assert CHAT_KEY not in response.text
    assert stage.fake.received == []


@MODULE
async def test_two_keys_are_no_key(stage: Stage) -> None:
    """Neither of them is chosen."""
    status, body = parsed(await stage.raw(REQUEST + KEY + b"connection: close\r\n\r\n" + BODY))
    assert (status, '"invalid_api_key"' in body) == (401, True)


@MODULE
@pytest.mark.parametrize("host", ["a/?x=", "evil.example", "127.0.0.1:1/admin/v1/status?", "a b"])
async def test_the_host_header_decides_nothing(stage: Stage, host: str) -> None:
    """Neither the path that is seen nor who may go there."""
    response = await stage.http.get("/admin/v1/status", headers={"host": host, "authorization": ""})
    assert response.status_code in (400, 401)
    assert (await stage.http.get("/v1/models", headers={"host": host})).status_code in (200, 400)


@MODULE
@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
async def test_health_can_be_looked_at_without_its_words(stage: Stage, path: str) -> None:
    """As some monitors do; the connection goes on."""
    head = f"HEAD {path} HTTP/1.1\r\nhost: gateway\r\n\r\nGET {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n"
    answer = await stage.raw(head.encode())
    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert answer.count(b"{") == 1


@MODULE
async def test_a_caller_s_request_id_is_not_taken_over(stage: Stage) -> None:
    """Each request gets one of ours, and the engine hears that one."""
    ids: set[str] = set()
    for _ in range(3):
        response = await stage.http.post(CHAT, content=BODY, headers={"x-request-id": "mine", "idempotency-key": f"k{len(ids)}"})
        assert response.status_code == 200
        ids.add(response.headers["x-request-id"])
    heard = [{name.lower(): value for name, value in received.headers.items()} for received in stage.fake.received]
    assert ids == {headers["x-request-id"] for headers in heard}
    assert len(ids) == 3
    assert "mine" not in ids
    assert "idempotency-key" not in heard[0]
    assert heard[0]["authorization"] == f"Bearer {ENGINE_KEY}"


@MODULE
@pytest.mark.parametrize(
    ("request_bytes", "statuses"),
    [
        (b"hello\r\n\r\n", {400}),
        (b"GET / HTTP/9.9\r\n\r\n", {400}),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", {400}),
        (HEAD + b"bad header\r\n\r\n", {400}),
        (HEAD + b"authorization: Bearer a\0b\r\n\r\n", {400}),
        (HEAD + KEY + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
        (HEAD + KEY + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello", {400}),
        (HEAD + KEY + b"content-length: -5\r\n\r\nhello", {400}),
        (HEAD + KEY + b"content-length: 99999999999999999999999\r\n\r\nhello", {400}),
        (HEAD + KEY + b"transfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n", {400}),
        (HEAD + KEY + b"content-length: 99999999\r\nexpect: 100-continue\r\n\r\n", {413}),
        (HEAD + KEY + b"content-length: 999\r\n\r\n{", {408}),
        (HEAD + b"x-a: b", {408}),
        (b"", {408}),
        (HEAD + b"x-long: " + b"x" * (64 << 10), {431}),
        (HEAD + b"authorization: Bearer " + b"k" * (1 << 20) + b"\r\n\r\n", {431}),
        (HEAD + b"".join(b"x-%d: y\r\n" % n for n in range(20_000)) + b"\r\n", {431}),
        (b"GET /" + b"x" * (70 << 10) + b" HTTP/1.1\r\n\r\n", {400, 431}),
        (REQUEST + b"connection: close\r\nupgrade: websocket\r\n\r\n" + BODY, {200}),
        (REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n" + BODY, {200}),
        (REQUEST.replace(b"/v1", b"http://other.example/v1", 1) + b"connection: close\r\n\r\n" + BODY, {200}),
    ],
)
async def test_requests_that_no_client_library_sends(stage: Stage, request_bytes: bytes, statuses: set[int]) -> None:
    """One answer in the one shape, then the connection is closed; the server lives on."""
    status, body = parsed(await stage.raw(request_bytes))
    assert status in statuses
    if status != 200:
        assert '{"error":{"message":"' in body
    assert (await stage.http.get("/health/live")).status_code == 200
    assert len(stage.fake.received) == (1 if status == 200 else 0)


@MODULE
@pytest.mark.parametrize("announced", [b"", b"content-length: 9\r\n", b"transfer-encoding: chunked\r\n"])
async def test_what_comes_after_an_answer_and_is_no_request_keeps_no_connection(stage: Stage, announced: bytes) -> None:
    """A blank line, or a part of a body that the answer did not wait for: without a key a caller could hold on to all there are."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(b"GET /health/live HTTP/1.1\r\nhost: gateway\r\n" + announced + b"\r\n")
    await reader.readuntil(b'{"status":"ok"}')
    writer.write(b"\r\n" if not announced else b"1")
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()


@MODULE
async def test_what_follows_a_wrong_content_length_is_no_second_answer(stage: Stage) -> None:
    """A body longer than it says: the rest is not taken for a request."""
    answer = await stage.raw(HEAD + KEY + b"content-length: %d\r\n\r\n" % len(BODY) + BODY + b"garbage that is no request\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200") <= 1
    assert answer.count(b"HTTP/1.1 ") <= 2


@MODULE
async def test_requests_in_a_row_are_answered_in_their_order(stage: Stage) -> None:
    """On one connection, the second sent before the first is answered."""
    again = REQUEST.replace(b"zizou", b"base")
    answer = await stage.raw(REQUEST + b"\r\n" + BODY + again + b"connection: close\r\n\r\n" + BODY.replace(b"zizou", b"base "[:5]))
    assert [int(status) for status in re.findall(rb"HTTP/1.1 (\d+)", answer)] == [200, 404]


@MODULE
async def test_garbage_during_an_answer_does_not_get_into_it(stage: Stage) -> None:
    """The connection ends instead; an answer that is chunked is then known to be incomplete."""
    stage.fault(inter_token=0.05)
    body = BODY.replace(b"}]}", b'}],"stream":true}')
    request = HEAD + KEY + b"content-length: %d\r\n\r\n" % len(body) + body
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(request)
    seen = await reader.readuntil(b"data: ")
    writer.write(b"garbage\r\n\r\n")
    seen += await reader.read()
    writer.close()
    assert seen.count(b"HTTP/1.1") == 1
    assert not seen.endswith(b"0\r\n\r\n")
    async with asyncio.timeout(5):
        await stage.fake.received[0].abandoned.wait()


@MODULE
async def test_a_bug_is_said_in_the_same_shape(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """500 without a word on why; the log has it, under the request's id."""
    stage.memory.failure = OSError("/srv/secret/path")
    response = await stage.http.get("/admin/v1/communities", headers=ADMIN)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
    assert "secret" not in response.text
    assert response.headers["x-request-id"] in [line.get("request") for line in lines_of(caplog) if "trace" in line]
    stage.memory.failure = None
    await stage.seen()


@MODULE
async def test_one_request_is_one_line_of_the_log(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """With its id, its model and its tokens, without its key or its text, whatever the path."""
    caplog.set_level("INFO", logger="troupe.gateway")
    answered = await stage.http.post(CHAT, content=BODY)
    lost = await stage.http.get("/v1/models/a%0d%0arequest=forged%1b[2J")
    first, second = [await line_of(caplog, response.headers["x-request-id"]) for response in (answered, lost)]
    assert first | {"path": CHAT, "method": "POST", "status": 200, "model": "zizou", "adapter": "zizou@1", "community": "zizou"} == first
    assert (first["prompt_tokens"], first["completion_tokens"], first["complete"]) == (1, 8, True)
    assert second | {"path": "/v1/models/{model}", "status": 404, "error": "model_not_found"} == second
    for line in (first, second):
        assert CHAT_KEY not in str(line)
        assert "forged" not in str(line)
        assert "hi" not in line.values()


@MODULE
async def test_metrics_name_no_community_and_have_bounded_labels(stage: Stage) -> None:
    """They are open to who has no key; a thousand paths are one label."""
    for path in ("/v1/models/zizou", "/a", "/b", "/c?x=1"):
        await stage.http.get(path)
    await stage.http.post(CHAT, content=BODY)
    response = await stage.http.get("/metrics", headers={"authorization": ""})
    assert response.status_code == 200
    assert not [name for name in (*stage.hidden, "zizou", "greybeards") if name in response.text]
    labels = set(re.findall(r'route="([^"]*)"', response.text))
    assert {"/v1/chat/completions", "/v1/models/{model}", "other"} <= labels
    assert not labels & {"/a", "/b", "/c"}


def test_the_same_holds_in_uvloop(tmp_path: Path, base: Base, settings: GatewaySettings) -> None:
    """Refusals are read to their end there too, streams pass, and a caller who leaves is noticed."""

    async def scenario() -> None:
        async with open_stage(tmp_path, base, settings) as stage:
            stage.reset()
            assert parsed(await stage.raw(HEAD + b"x-long: " + b"x" * (1 << 20)))[0] == 431
            assert parsed(await stage.raw(b"hello\r\n\r\n"))[0] == 400
            assert parsed(await stage.raw(b""))[0] == 408
            assert (await stage.http.post(CHAT, content=b" " * (8 << 20))).status_code == 413
            whole = await stage.http.post(CHAT, content=BODY)
            assert whole.json()["model"] == "zizou"
            body = BODY.replace(b"}]}", b'}],"stream":true}')
            streamed = await stage.http.post(CHAT, content=body)
            assert streamed.text.endswith("data: [DONE]\n\n")
            stage.fault(inter_token=0.05, tokens=1000)
            async with stage.http.stream("POST", CHAT, content=body) as response:
                await anext(response.aiter_bytes())
            async with asyncio.timeout(5):
                await stage.fake.received[-1].abandoned.wait()

    uvloop.run(scenario())
