"""A vLLM-shaped engine without a model, for fault tests and for what the gateway itself costs.

Speaks the routes that the gateway uses, with vLLM's fields in vLLM's order and vLLM's words for a model it does not have; a test holds
it against the pinned vLLM. Its "tokens" are words. What a user relies on is proved on the real engine, not here.

    async with FakeEngine(FakeSettings(inter_token=0.02), socket=path) as engine: ...
    python -m loadtests.fake_engine --uds engine.sock --ttft 0.05 --inter-token 0.02
"""

import argparse
import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from loadtests.fake_answers import BASE, DONE, Answer, dumps, error, error_event, event, model_card, unknown_model, usual_logprob

ADAPTER = r"[a-z0-9][a-z0-9-]{0,62}-[0-9a-f]{16}"
"""What an adapter is called on an engine."""
CHAT, TEXT = "/v1/chat/completions", "/v1/completions"


class Fault(StrEnum):
    """How an answer goes wrong."""

    NONE = "none"
    DIE = "die"
    """The connection is reset in the middle of a stream, or before a whole answer."""
    END_EARLY = "end-early"
    """A stream ends cleanly, but without its end mark."""
    STALL = "stall"
    """Nothing more comes; the connection stays."""
    ERROR_EVENT = "error-event"
    """vLLM's own error event in the middle of a stream."""
    ERROR_FIRST = "error-first"
    """The same as the very first event."""
    STATUS_500 = "500"
    STATUS_400 = "400"
    NOT_FINITE = "not-finite"
    """vLLM's words for an answer whose logprobs are NaN."""
    TOO_LONG = "too-long"
    """vLLM's words for a prompt over the context."""


@dataclass(frozen=True)
class Voice:
    """How one model answers, where it is not as all the others do."""

    vocabulary: tuple[str, ...] | None = None
    """None for everybody's, () to say nothing."""
    logprob: float | None = -0.5
    """None writes null."""
    fault: Fault | None = None


@dataclass(frozen=True)
class FakeSettings:
    """Times in seconds. A fault comes after `fault_after` tokens."""

    ttft: float = 0.0
    inter_token: float = 0.0
    tokens: int = 8
    """Length of an answer, unless the request asks for less."""
    fault: Fault = Fault.NONE
    fault_after: int = 3
    vocabulary: tuple[str, ...] = ("Läuft", " bei", " dir", "?", " 🙃", ' "quoted"', "\n", " ok")
    adapters: str = ADAPTER
    """Pattern of the names that are known beside `base`."""
    voices: Mapping[str, Voice] = field(default_factory=dict)
    """Model → how it answers."""
    slice: int = 0
    """Send streams in pieces of so many bytes; 0: event by event."""
    linger: float = 0.0
    """From a stream's end mark to the end of its response."""
    api_key: str = ""


@dataclass
class Received:
    """One request as it arrived, and whether its caller stayed to the end."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    abandoned: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the caller went away before the end."""
    finished: bool = False


class FakeEngine:
    """Serves on `socket`, or on `host` and a `port` (0: a free one). `settings` may be replaced while it runs."""

    def __init__(self, settings: FakeSettings | None = None, *, socket: Path | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.settings = settings or FakeSettings()
        self.received: list[Received] = []
        self.socket = socket
        self._host, self._port = host, port
        self._runner = web.AppRunner(self._app(), handler_cancellation=True, access_log=None, shutdown_timeout=0.1)

    @property
    def url(self) -> str:
        """The address; for a unix socket, one whose host is never looked up."""
        return "http://engine" if self.socket is not None else f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        await self._runner.setup()
        if self.socket is not None:
            await web.UnixSite(self._runner, str(self.socket)).start()
        else:
            await web.TCPSite(self._runner, self._host, self._port).start()
            self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post(CHAT, self._generate)
        app.router.add_post(TEXT, self._generate)
        return app

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response(status=200)

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [model_card(BASE)]})

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        settings = self.settings
        if settings.api_key and request.headers.get("authorization") != f"Bearer {settings.api_key}":
            return web.json_response({"error": "Unauthorized"}, status=401)
        body = await request.json()
        received = Received(request.path, body, dict(request.headers))
        self.received.append(received)
        try:
            response = await self._answer(request, body, settings)
        except (asyncio.CancelledError, ConnectionError):
            received.abandoned.set()
            raise
        received.finished = True
        return response

    async def _answer(self, request: web.Request, body: dict[str, Any], settings: FakeSettings) -> web.StreamResponse:
        model = str(body.get("model"))
        if model != BASE and not re.fullmatch(settings.adapters, model):
            return _error_response(unknown_model(model))
        voice = settings.voices.get(model, Voice(logprob=usual_logprob(model)))
        if voice.fault is not None:
            settings = replace(settings, fault=voice.fault)
        refusal = _REFUSALS.get(settings.fault)
        if refusal is not None:
            return _error_response(refusal)
        vocabulary = settings.vocabulary if voice.vocabulary is None else voice.vocabulary
        chat = request.path == CHAT
        answer = Answer.to(body, chat=chat, tokens=settings.tokens, vocabulary=vocabulary, logprob=voice.logprob)
        if body.get("stream"):
            return await _stream(request, answer, settings)
        if settings.fault is Fault.STALL:
            await asyncio.Event().wait()
        await asyncio.sleep(settings.ttft + settings.inter_token * len(answer.tokens))
        if settings.fault is not Fault.NONE:
            _reset(request)
        return web.json_response(answer.whole(), dumps=dumps)


_REFUSALS = {
    Fault.STATUS_500: error("EngineCore encountered an issue at /srv/secret/path.", "InternalServerError", 500),
    Fault.STATUS_400: error("The lora /srv/secret/path is odd.", "BadRequestError", 400),
    Fault.NOT_FINITE: error("Out of range float values are not JSON compliant", "BadRequestError", 400),
    Fault.TOO_LONG: error(
        "This model's maximum context length is 64 tokens. However, your prompt contains 65 input tokens, which exceeds this limit"
        " even without any output tokens. Please reduce the length of the input prompt.",
        "BadRequestError",
        400,
        "input_tokens",
    ),
}


async def _stream(request: web.Request, answer: Answer, settings: FakeSettings) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    await asyncio.sleep(settings.ttft)

    async def send(data: bytes) -> None:
        step = settings.slice or max(1, len(data))
        for start in range(0, len(data), step):
            await response.write(data[start : start + step])
            if settings.slice:
                await asyncio.sleep(0)

    if settings.fault is Fault.ERROR_FIRST:
        await send(error_event() + DONE)
        return response
    await send(b"".join(map(event, answer.opening())))
    for position in range(len(answer.tokens)):
        if position == settings.fault_after and settings.fault is not Fault.NONE:
            return await _break(request, response, settings.fault)
        if position and settings.inter_token:
            await asyncio.sleep(settings.inter_token)
        await send(b"".join(map(event, answer.chunks(position))))
    if answer.include_usage:
        await send(event(answer.usage_chunk()))
    await send(DONE)
    await asyncio.sleep(settings.linger)
    return response


async def _break(request: web.Request, response: web.StreamResponse, fault: Fault) -> web.StreamResponse:
    if fault is Fault.STALL:
        await asyncio.Event().wait()
    elif fault is Fault.DIE:
        _reset(request)
    elif fault is Fault.ERROR_EVENT:
        await response.write(error_event() + DONE)
    return response


def _reset(request: web.Request) -> None:
    """Drop the connection, as a killed process does."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError


def _error_response(content: dict[str, Any]) -> web.Response:
    return web.json_response(content, status=content["error"]["code"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until stopped. Prints the address once it listens."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.fake_engine", description=main.__doc__)
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--uds", type=Path, help="unix socket to listen on")
    place.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--ttft", type=float, default=0.0, help="seconds before the first token")
    parser.add_argument("--inter-token", type=float, default=0.0, help="seconds between tokens")
    parser.add_argument("--tokens", type=int, default=8, help="length of an answer")
    parser.add_argument("--fault", type=Fault, choices=list(Fault), default=Fault.NONE)
    options = parser.parse_args(arguments)
    settings = replace(FakeSettings(), ttft=options.ttft, inter_token=options.inter_token, tokens=options.tokens, fault=options.fault)
    asyncio.run(_serve(FakeEngine(settings, socket=options.uds, port=options.port)))


async def _serve(engine: FakeEngine) -> None:
    async with engine:
        print(engine.socket or engine.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
