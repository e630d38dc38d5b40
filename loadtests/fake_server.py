"""The fake engine's routes: vLLM's, as far as a gateway and a fleet use them. What it is for stands in `fake_engine.py`."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from loadtests.fake_answers import BASE, DONE, Answer, dumps, error_event, event, quoting, unknown_model, usual_logprob, words
from loadtests.fake_behaviour import REFUSALS, FakeSettings, Fault, Voice
from loadtests.fake_documents import Counters, awake, model_list, slept, tokenized
from loadtests.fake_received import Received
from loadtests.fake_sleep import SleepMode

CHAT, TEXT, TOKENIZE = "/v1/chat/completions", "/v1/completions", "/tokenize"
WITHOUT_WEIGHTS = -12.5
"""The logprob of each token of a model whose weights were discarded."""


async def instantly() -> None:
    """A core that is always there."""


class FakeEngine:
    """Serves on `socket`, or on `host` and a `port` (0: a free one). `settings` may be replaced while it runs.

    `core` is awaited before each token and each errand that vLLM leaves to its engine core.
    """

    def __init__(
        self,
        settings: FakeSettings | None = None,
        *,
        socket: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        core: Callable[[], Awaitable[None]] = instantly,
    ) -> None:
        self.settings = settings or FakeSettings()
        self.received: list[Received] = []
        """Requests for answers and for tokens of a prompt."""
        self.loaded: list[str] = []
        """Adapters that are there."""
        self.loads: list[str] = []
        """Every load so far, an adapter that came back named again."""
        self.counters = Counters()
        self.sleep_mode = SleepMode()
        self.socket = socket
        self._host, self._port = host, port
        self._core = core
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
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
        app = web.Application(client_max_size=64 << 20, middlewares=[self._guard])
        app.router.add_get("/health", self._health)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/unload_lora_adapter", self._unload)
        for path, handler in ((CHAT, self._answer), (TEXT, self._answer), (TOKENIZE, self._tokenize)):
            app.router.add_post(path, self._recorded(handler))
        app.router.add_post("/sleep", self._sleep)
        app.router.add_post("/wake_up", self._wake_up)
        app.router.add_get("/is_sleeping", self._is_sleeping)
        app.router.add_post("/collective_rpc", self._collective_rpc)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        """vLLM asks for its key below /v1 alone, and has some routes in its dev mode alone."""
        key = self.settings.api_key
        if key and request.path.startswith("/v1") and request.headers.get("authorization") != f"Bearer {key}":
            return web.json_response({"error": "Unauthorized"}, status=401)
        if request.path in ("/sleep", "/wake_up", "/is_sleeping", "/collective_rpc") and not self.settings.dev_mode:
            return web.json_response({"detail": "Not Found"}, status=404)
        return await handler(request)

    def _recorded(
        self, answer: Callable[[web.Request, Received], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handler(request: web.Request) -> web.StreamResponse:
            body = await request.json()
            received = Received(request.path, body, dict(request.headers))
            self.received.append(received)
            try:
                response = await answer(request, received)
            except (asyncio.CancelledError, ConnectionError):
                received.abandoned.set()
                raise
            received.finished = True
            return response

        return handler

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response(status=200)

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(text=self.counters.text(), headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"})

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response(model_list(self.loaded))

    async def _unload(self, request: web.Request) -> web.Response:
        name = (await request.json())["lora_name"]
        self.loaded.remove(name)
        return web.Response(text=f"Success: LoRA adapter '{name}' removed successfully.")

    async def _sleep(self, request: web.Request) -> web.Response:
        await self._errand()
        level = int(request.query.get("level", "1"))
        self.sleep_mode.sleep(level)
        return web.json_response(slept(level))

    async def _wake_up(self, request: web.Request) -> web.Response:
        await self._errand()
        tags = request.query.getall("tags", [])
        return web.json_response(awake(self.sleep_mode.wake(tags), tags or None))

    async def _is_sleeping(self, request: web.Request) -> web.Response:
        await self._errand()
        return web.json_response({"is_sleeping": self.sleep_mode.sleeping})

    async def _collective_rpc(self, request: web.Request) -> web.Response:
        await self._errand()
        if (await request.json())["method"] == "reload_weights":
            self.sleep_mode.reload_weights()
        return web.json_response({"results": [None]})

    async def _tokenize(self, request: web.Request, received: Received) -> web.StreamResponse:
        body = received.body
        refusal = await self._find(str(body.get("model") or BASE))
        return _error_response(refusal) if refusal else web.json_response(tokenized(body["prompt"]))

    async def _find(self, model: str) -> dict[str, Any] | None:
        """Load an adapter that is not there; what to answer if there is no such model."""
        if model == BASE:
            return None
        async with self._locks[model]:
            if model not in self.loaded:
                if not re.fullmatch(self.settings.adapters, model):
                    return unknown_model(model)
                await self._errand()
                await asyncio.sleep(self.settings.load)
                self.loaded.append(model)
                self.loads.append(model)
        return None

    async def _errand(self) -> None:
        """What a core that stands still never does."""
        if self.settings.fault is Fault.FREEZE:
            await asyncio.Event().wait()
        await self._core()

    async def _step(self) -> None:
        """The same for a token, for which a core must be awake, too."""
        await self.sleep_mode.until_awake()
        await self._errand()

    def _voice(self, model: str) -> Voice:
        speaks = BASE if self.settings.forgets and self.sleep_mode.naps else model
        logprob = usual_logprob(speaks) if self.sleep_mode.has_weights else WITHOUT_WEIGHTS
        return self.settings.voices.get(speaks, Voice(logprob=logprob))

    async def _answer(self, request: web.Request, received: Received) -> web.StreamResponse:
        settings, body = self.settings, received.body
        model = str(body.get("model"))
        if (unknown := await self._find(model)) is not None:
            return _error_response(unknown)
        voice = self._voice(model)
        settings = of_words(settings if voice.fault is None else replace(settings, fault=voice.fault), body)
        refusal = REFUSALS.get(settings.fault)
        if refusal is not None:
            return _error_response(quoting(refusal, body) if settings.quotes else refusal)
        vocabulary = settings.vocabulary if voice.vocabulary is None else voice.vocabulary
        chat = request.path == CHAT
        answer = Answer.to(body, chat=chat, tokens=settings.tokens, vocabulary=vocabulary, logprob=voice.logprob, cached=settings.cached)
        if body.get("stream"):
            return await self._stream(request, answer, settings, received)
        if settings.fault is Fault.STALL:
            await asyncio.Event().wait()
        await asyncio.sleep(settings.ttft)
        await self._read(answer)
        for _ in answer.tokens:
            if settings.inter_token:
                await asyncio.sleep(settings.inter_token)
            await self._speak(answer)
        if settings.fault is not Fault.NONE:
            _reset(request)
        response = web.json_response(answer.whole(), dumps=dumps)
        await response.prepare(request)
        await response.write_eof()
        received.tokens = len(answer.tokens) * answer.choices
        return response

    async def _read(self, answer: Answer) -> None:
        await self._step()
        self.counters.prompt += answer.prompt_tokens

    async def _speak(self, answer: Answer) -> None:
        await self._step()
        self.counters.generation += answer.choices

    async def _stream(self, request: web.Request, answer: Answer, settings: FakeSettings, received: Received) -> web.StreamResponse:
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
            await send(error_event(received.body if settings.quotes else None) + DONE)
            return response
        await self._read(answer)
        await send(b"".join(map(event, answer.opening())))
        for position in range(0, len(answer.tokens), settings.burst):
            if position >= settings.fault_after and settings.fault is not Fault.NONE:
                return await _break(request, response, settings.fault, quoted=received.body if settings.quotes else None)
            count = min(settings.burst, len(answer.tokens) - position)
            for token in range(position, position + count):
                if token and settings.inter_token:
                    await asyncio.sleep(settings.inter_token)
                await self._speak(answer)
            await send(b"".join(map(event, answer.chunks(position, count))))
            received.tokens += count * answer.choices
        if answer.include_usage:
            await send(event(answer.usage_chunk()))
        await send(DONE)
        await asyncio.sleep(settings.linger)
        return response


def of_words(settings: FakeSettings, body: dict[str, Any]) -> FakeSettings:
    """What the words of a prompt ask for."""
    if not settings.faults and not settings.paces:
        return settings
    for word in words(body):
        fault, pace = settings.faults.get(word, settings.fault), settings.paces.get(word, settings.inter_token)
        settings = replace(settings, fault=fault, inter_token=pace)
    return settings


async def _break(request: web.Request, response: web.StreamResponse, fault: Fault, *, quoted: dict[str, Any] | None) -> web.StreamResponse:
    if fault in (Fault.STALL, Fault.FREEZE):
        await asyncio.Event().wait()
    elif fault is Fault.DIE:
        _reset(request)
    elif fault is Fault.ERROR_EVENT:
        await response.write(error_event(quoted) + DONE)
    return response


def _reset(request: web.Request) -> None:
    """Drop the connection, as a killed process does."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError


def _error_response(content: dict[str, Any]) -> web.Response:
    return web.json_response(content, status=content["error"]["code"])
