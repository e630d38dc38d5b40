"""The API client against answers written by hand: what it reads, and which error each failure becomes."""

import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import httpx
import pytest

from clients.api import LOOK_S, SILENCE_S, Reply, Status, Troupe
from clients.deltas import Delta, Usage
from clients.errors import (
    BadKey,
    BadRequest,
    BadSettings,
    NoServer,
    NotTroupe,
    NotTrusted,
    Overloaded,
    ServerFault,
    StreamBroken,
    TimedOut,
    TroupeError,
    UnknownModel,
)
from tests.clients.stub_gateway import KEY, StubGateway, chunk, error_body, serving, sse

ASKED = [{"role": "user", "content": "hé 🎉"}]
Handler = Callable[[httpx.Request], httpx.Response]


def _troupe(answer: Handler | httpx.Response) -> Troupe:
    handler = answer if callable(answer) else lambda _request: answer
    return Troupe("http://gateway", KEY, transport=httpx.MockTransport(handler))


def _stream(content: bytes) -> httpx.Response:
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=content)


async def _deltas(troupe: Troupe) -> list[Delta]:
    async with troupe, aclosing(troupe.chat("zizou", ASKED)) as stream:
        return [delta async for delta in stream]


async def test_a_stream_gives_text_finish_reason_and_usage_in_order() -> None:
    """Each step is one delta; comments are none."""
    wire = sse(chunk("gó"), chunk("al"), chunk(finish_reason="stop"))
    wire += b": keepalive\n\n" + sse({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}, "[DONE]")
    assert await _deltas(_troupe(_stream(wire))) == [
        Delta("gó"),
        Delta("al"),
        Delta("", "stop"),
        Delta(usage=Usage(5, 2)),
    ]


async def test_the_wait_for_an_engine_is_a_step_of_its_own() -> None:
    """The gateway's comment that the engine wakes reaches the caller; its other comments do not."""
    wire = b": waking\n\n: waking\n\n: awake after 7.1 s\n\n" + sse(chunk("go"), chunk(finish_reason="stop"), "[DONE]")
    assert await _deltas(_troupe(_stream(wire))) == [Delta(waking=True), Delta(waking=True), Delta("go"), Delta("", "stop")]


async def test_an_engine_that_did_not_wake_is_told_in_the_gateways_words() -> None:
    """After a comment the status is spent, so the reason comes as an event."""
    wire = b": waking\n\n" + b"event: error\n" + sse(error_body("The engine did not wake in time.", "deadline_exceeded"))
    with pytest.raises(StreamBroken, match="did not wake in time") as caught:
        await _deltas(_troupe(_stream(wire)))
    assert caught.value.code == "deadline_exceeded"


async def test_warming_tells_the_engines_state() -> None:
    """In the gateway's word."""
    async with serving(StubGateway()) as stub, Troupe(stub.url, KEY) as troupe:
        assert await troupe.warm("zizou") == "waking"
        assert stub.warmed == ["zizou"]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, json={"detail": "Not Found"}),
        httpx.Response(404, json=error_body("Invalid URL (POST /v1/warm)", "unknown_url")),
        httpx.Response(404, text="nothing here"),
        httpx.Response(405, json={"detail": "Method Not Allowed"}),
    ],
)
async def test_a_server_that_cannot_be_warmed_is_no_failure(answer: httpx.Response) -> None:
    """Any server of OpenAI's protocol may be behind the address."""
    async with _troupe(answer) as troupe:
        assert await troupe.warm("zizou") is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.Response(404, json=error_body("no", "model_not_found")), UnknownModel),
        (httpx.Response(401, json=error_body("no", "invalid_api_key")), BadKey),
        (httpx.Response(503, json=error_body("stopping", "engine_unavailable")), Overloaded),
    ],
)
async def test_what_the_gateway_refuses_to_warm_is_an_error(answer: httpx.Response, expected: type[TroupeError]) -> None:
    """The same errors as for a question."""
    async with _troupe(answer) as troupe:
        with pytest.raises(expected):
            await troupe.warm("zizou")


async def test_the_request_carries_key_model_messages_and_the_given_parameters_only() -> None:
    """A parameter that is None is left out; usage is asked for."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return _stream(sse("[DONE]"))

    async with _troupe(answer) as troupe:
        assert [delta async for delta in troupe.chat("zizou", ASKED, seed=7, temperature=None)] == []
    assert seen[0].headers["authorization"] == f"Bearer {KEY}"
    assert json.loads(seen[0].content) == {
        "model": "zizou",
        "messages": ASKED,
        "stream": True,
        "stream_options": {"include_usage": True},
        "seed": 7,
    }


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(sse(chunk("go")), id="end without [DONE]"),
        pytest.param(sse(chunk("go"), chunk(finish_reason="stop")), id="finished, yet no [DONE]"),
        pytest.param(b"", id="nothing at all"),
        pytest.param(sse(chunk("go"), error_body("engine gone", "engine_unavailable")), id="error in a data event"),
        pytest.param(sse(chunk("go")) + b'event: error\ndata: {"error": {"message": "engine gone"}}\n\n', id="error event"),
        pytest.param(sse(chunk("go"), "{not json"), id="not JSON"),
        pytest.param(sse(chunk("go"), '["a list"]'), id="another shape"),
    ],
)
async def test_a_stream_that_does_not_end_properly_is_never_a_silent_end(wire: bytes) -> None:
    """Whatever stands in place of [DONE], the caller hears that the answer is incomplete."""
    with pytest.raises(StreamBroken, match="incomplete"):
        await _deltas(_troupe(_stream(wire)))


async def test_an_error_in_the_stream_keeps_its_words_and_code() -> None:
    """The person reads what the gateway said."""
    with pytest.raises(StreamBroken, match="engine gone") as caught:
        await _deltas(_troupe(_stream(sse(error_body("engine gone", "engine_unavailable")))))
    assert caught.value.code == "engine_unavailable"


async def test_a_connection_that_breaks_in_the_middle_is_a_broken_stream() -> None:
    """After the first byte a network error means an incomplete answer, not an absent server."""

    class Breaking(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield sse(chunk("go"))
            raise httpx.ReadError("reset")

    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Breaking())
    with pytest.raises(StreamBroken, match="broke in the middle"):
        await _deltas(_troupe(response))


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (401, "invalid_api_key", BadKey),
        (400, "invalid_value", BadRequest),
        (413, "request_too_large", BadRequest),
        (429, "rate_limit_exceeded", Overloaded),
        (503, "server_is_overloaded", Overloaded),
        (500, None, ServerFault),
    ],
)
async def test_each_status_becomes_its_error(status: int, code: str | None, expected: type[TroupeError]) -> None:
    """The same refusal is the same error, streamed or not."""
    answer = httpx.Response(status, json=error_body("words", code))
    with pytest.raises(expected, match="words"):
        await _deltas(_troupe(answer))
    async with _troupe(answer) as troupe:
        with pytest.raises(expected, match="words"):
            await troupe.complete_chat("zizou", ASKED)


async def test_a_refusal_carries_parameter_request_id_and_wait() -> None:
    """What the gateway said is there for a program, too."""
    headers = {"retry-after": "3", "retry-after-ms": "2500", "x-request-id": "r1"}
    async with _troupe(httpx.Response(429, json=error_body("slow", "slow_down", "n"), headers=headers)) as troupe:
        with pytest.raises(Overloaded) as caught:
            await troupe.complete_chat("zizou", ASKED)
    error = caught.value
    assert (error.status, error.code, error.param, error.request_id) == (429, "slow_down", "n", "r1")
    assert error.retry_after == 2.5


async def test_an_unknown_model_comes_with_its_near_misses() -> None:
    """The list of models is asked for, and the nearest names are offered."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"data": [{"id": "zizou"}, {"id": "greybeards"}, {"id": "base"}]})
        return httpx.Response(404, json=error_body("no such model", "model_not_found", "model"))

    async with _troupe(answer) as troupe:
        with pytest.raises(UnknownModel, match="Did you mean `zizou`") as caught:
            await troupe.complete_chat("zizuo", ASKED)
    assert caught.value.near == ("zizou",)


async def test_a_stranger_at_the_url_is_named_as_such() -> None:
    """Another web server's pages are not taken for answers."""
    for page in (httpx.Response(404, text="Not Found"), httpx.Response(200, text="<html>")):
        async with _troupe(page) as troupe:
            with pytest.raises(NotTroupe, match="TROUPE_URL"):
                await troupe.models()
            with pytest.raises(NotTroupe):
                await troupe.complete_chat("zizou", ASKED)
    with pytest.raises(NotTroupe, match="not a stream"):
        await _deltas(_troupe(httpx.Response(200, json={})))


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (httpx.ConnectError("refused"), NoServer),
        (httpx.ConnectTimeout("slow"), NoServer),
        (httpx.ReadTimeout("slow"), TimedOut),
        (httpx.RemoteProtocolError("closed"), ServerFault),
    ],
)
async def test_network_failures_before_an_answer(raised: httpx.RequestError, expected: type[TroupeError]) -> None:
    """Each becomes one of our own errors, and nothing is sent twice."""
    sent = 0

    def fail(_request: httpx.Request) -> httpx.Response:
        nonlocal sent
        sent += 1
        raise raised

    with pytest.raises(expected):
        await _deltas(_troupe(fail))
    assert sent == 1


async def test_nobody_at_the_port_says_what_to_do() -> None:
    """The sentence names the URL and the two ways out."""
    async with Troupe("http://127.0.0.1:1", KEY) as troupe:
        with pytest.raises(NoServer) as caught:
            await troupe.models()
    assert str(caught.value) == ("No Troupe gateway answers at http://127.0.0.1:1. Start one with `make up`, or set TROUPE_URL.")


async def test_who_does_not_speak_https_is_told_from_nobody() -> None:
    """The address is what is wrong, and not that no gateway runs."""
    async with serving(StubGateway()) as stub, Troupe(stub.url.replace("http:", "https:"), KEY) as troupe:
        with pytest.raises(NotTroupe, match="it does not speak https"):
            await troupe.models()


async def test_a_certificate_that_is_not_trusted_is_said() -> None:
    """With what is wrong about it."""

    def refuse(_request: httpx.Request) -> httpx.Response:
        doubt = ssl.SSLCertVerificationError(1, "certificate verify failed")
        doubt.verify_message = "self-signed certificate"
        raise httpx.ConnectError("tls") from doubt

    async with _troupe(refuse) as troupe:
        with pytest.raises(NotTrusted, match=r"not trusted here \(self-signed certificate\)"):
            await troupe.models()


def test_an_address_that_no_machine_can_have_is_one_sentence() -> None:
    """Before anything is sent."""
    with pytest.raises(BadSettings, match="No machine can be at http://xn--"):
        Troupe("http://xn--.example", KEY)


async def test_what_is_nested_for_ever_is_no_answer() -> None:
    """Neither whole nor in a stream."""
    deep = "[" * 100_000
    async with _troupe(httpx.Response(200, text=deep)) as troupe:
        with pytest.raises(NotTroupe):
            await troupe.models()
    with pytest.raises(StreamBroken):
        await _deltas(_troupe(_stream(sse(deep))))


async def test_only_what_may_wait_for_an_engine_is_waited_for_long() -> None:
    """A gateway that hangs is told within seconds to who looks, and within minutes to who asks."""
    waits: dict[str, float] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        waits[request.url.path] = request.extensions["timeout"]["read"]
        return httpx.Response(200, json={"data": [], "choices": [{"message": {"content": ""}}]})

    async with _troupe(answer) as troupe:
        await troupe.models()
        await troupe.complete_chat("zizou", ASKED)
    assert waits == {"/v1/models": LOOK_S, "/v1/chat/completions": SILENCE_S}


async def test_what_json_cannot_say_is_refused_before_sending() -> None:
    """NaN and half characters stop here."""
    async with _troupe(httpx.Response(500)) as troupe:
        with pytest.raises(BadRequest, match="JSON"):
            await troupe.complete_chat("zizou", ASKED, temperature=float("nan"))
        with pytest.raises(BadRequest, match="UTF-8"):
            await troupe.complete_chat("zizou", [{"role": "user", "content": "\udcff"}])


@pytest.mark.parametrize("key", ["", "schlüssel", "two\nlines"])
def test_a_key_that_no_header_can_hold_is_a_bad_key(key: str) -> None:
    """It is refused before it can break a request."""
    with pytest.raises(BadKey):
        Troupe("http://gateway", key)


async def test_status_is_an_answer_either_way() -> None:
    """A gateway that is not ready is told from one that is absent."""
    async with _troupe(httpx.Response(503, json={"reason": "asleep"})) as troupe:
        assert await troupe.status() == Status(False, {"reason": "asleep"})
    async with _troupe(httpx.Response(200, json={})) as troupe:
        assert (await troupe.status()).ready


async def test_over_a_real_socket() -> None:
    """Models, a whole answer, and a stream left early, which the server notices."""
    async with serving(StubGateway(answer="ab " * 200, pause_s=0.001)) as stub, Troupe(stub.url, KEY) as troupe:
        assert await troupe.models() == ["base", "greybeards", "zizou"]
        reply = await troupe.complete_chat("zizou", ASKED, max_tokens=3)
        assert reply == Reply("ab " * 200, "stop", Usage(7, 3), "zizou", "req-1")
        async with aclosing(troupe.chat("zizou", ASKED)) as stream:
            async for delta in stream:
                assert delta == Delta("ab ")
                break
        whole = [delta.text async for delta in troupe.chat("zizou", ASKED)]
        assert "".join(whole).startswith("ab ab")
    assert stub.gone == 1


async def test_one_model_can_be_asked_about_by_any_of_its_strings() -> None:
    """A version as well as a community; one that is not there is named as such."""
    stub = StubGateway(told={"zizou@7": {"adapter": "zizou@7"}})
    async with serving(stub) as gateway, Troupe(gateway.url, KEY) as troupe:
        assert (await troupe.offer("zizou@7")).adapter == "zizou@7"
        with pytest.raises(UnknownModel, match="zizou@8"):
            await troupe.offer("zizou@8")


async def test_what_is_left_of_the_limits_is_told_as_it_is() -> None:
    """Of one community and of the key."""
    async with serving(StubGateway(usage={"object": "usage", "currency": "EUR"})) as gateway, Troupe(gateway.url, KEY) as troupe:
        assert (await troupe.usage("zizou"))["currency"] == "EUR"
