"""A stand-in gateway: the API's shapes over a real socket, with an answer that the test writes and no engine behind it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from clients.feedback import MOST_ITEMS

KEY = "tr_test_key"


def error_body(message: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """OpenAI's error shape."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def chunk(text: str = "", finish_reason: str | None = None, index: int = 0) -> dict[str, Any]:
    """One step of a streamed chat completion."""
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish_reason}
    return {"object": "chat.completion.chunk", "choices": [choice], "usage": None}


def sse(*bodies: dict[str, Any] | str) -> bytes:
    """Server-sent events, one for each body."""
    return "".join(f"data: {body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)}\n\n" for body in bodies).encode()


@dataclass
class StubGateway:
    """What it answers, and the requests that it got."""

    answer: str = "offside, as ever"
    answers: dict[str, str] = field(default_factory=dict)
    """Of models that answer something of their own."""
    models: tuple[str, ...] = ("base", "greybeards", "zizou")
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the list of models tells of each beside its name; a version or an alias that is named here can be asked for, too."""
    usage: dict[str, Any] = field(default_factory=dict)
    """What is left of its limits."""
    ready: tuple[int, dict[str, Any]] = (200, {"ready": True, "engine": "ready"})
    """Status and body of the health check."""
    version: str | None = None
    hold: asyncio.Event | None = None
    """Until it is set, nobody is told which models there are."""
    failure: tuple[int, dict[str, Any], dict[str, str]] | None = None
    """Status, body and headers that every question gets instead of an answer."""
    breaks_after: int | None = None
    """Words of a streamed answer after which the connection ends."""
    pause_s: float = 0.0
    """Between two words of a streamed answer."""
    waking: asyncio.Event | None = None
    """Until it is set, a streamed answer is nothing but comments that say that the engine wakes."""
    thinking: asyncio.Event | None = None
    """Until it is set, no whole answer comes."""
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Other keys, and the models that each may use."""
    plans: dict[str, Any] = field(default_factory=dict)
    """Which versions are to answer, by community."""
    is_deaf: bool = False
    """Whether it fails when it is told something."""
    unwanted: str | None = None
    """The id of a message that it refuses to be told of, with whatever comes beside it."""
    can_warm: bool = True
    """False: as any other server of OpenAI's protocol, which has no such route."""
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    asked_with: list[str] = field(default_factory=list)
    """The keys of these requests."""
    fed: list[dict[str, Any]] = field(default_factory=list)
    """What people thought of answers, as it was told, item by item."""
    wishes: list[dict[str, Any]] = field(default_factory=list)
    """Who said no or yes, as it was told."""
    warmed: list[str] = field(default_factory=list)
    """The models that callers said they would ask."""
    was_warmed: asyncio.Event = field(default_factory=asyncio.Event)
    gone: int = 0
    """Streams that the caller closed before their end."""

    async def list_models(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        if self.hold is not None:
            await self.hold.wait()
        return web.json_response({"object": "list", "data": [self._entry(name) for name in self._models(request)]})

    async def show_model(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        name = request.match_info["model"]
        if name not in self._models(request) and name not in self.told:
            return web.json_response(error_body("The model does not exist.", "model_not_found", "model"), status=404)
        return web.json_response(self._entry(name))

    async def show_usage(self, request: web.Request) -> web.Response:
        return self._refused(request) or web.json_response(self.usage)

    def _entry(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model"} | self.told.get(name, {})

    async def health(self, request: web.Request) -> web.Response:
        status, said = self.ready
        return web.json_response(said, status=status)

    async def document(self, request: web.Request) -> web.Response:
        return web.json_response({"info": {"version": self.version}} if self.version else {})

    async def complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        self.was_asked.set()
        self.asked_with.append(_key(request))
        if refused := self._refused(request):
            return refused
        if body["model"].partition("@")[0] not in self._models(request):
            return web.json_response(error_body("The model does not exist.", "model_not_found", "model"), status=404)
        if self.failure:
            status, said, headers = self.failure
            return web.json_response(said, status=status, headers=headers)
        return await (self._stream(request, body) if body["stream"] else self._whole(body))

    async def warm(self, request: web.Request) -> web.Response:
        if not self.can_warm:
            return web.json_response({"detail": "Not Found"}, status=404)
        if refused := self._refused(request):
            return refused
        model = (await request.json())["model"]
        if model not in self._models(request):
            return web.json_response(error_body("The model does not exist.", "model_not_found", "model"), status=404)
        self.warmed.append(model)
        self.was_warmed.set()
        return web.json_response({"object": "warm", "model": model, "engine": "waking"}, status=202)

    def _refused(self, request: web.Request) -> web.Response | None:
        if _key(request) == KEY or _key(request) in self.keys:
            return None
        return web.json_response(error_body("Incorrect API key provided.", "invalid_api_key"), status=401)

    def _models(self, request: web.Request) -> tuple[str, ...]:
        return self.keys.get(_key(request), self.models)

    async def take_feedback(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        if self.is_deaf:
            return web.json_response(error_body("Not now.", "server_is_overloaded"), status=503)
        items = (await request.json())["items"]
        if any(item["message_id"] == self.unwanted or len(item["authors"] or ()) > MOST_ITEMS for item in items):
            return web.json_response(error_body("It is too long.", "invalid_value", "items"), status=400)
        self.fed += items
        return web.json_response({})

    async def show_plans(self, request: web.Request) -> web.Response:
        return self._refused(request) or web.json_response({"communities": self.plans})

    async def take_consent(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        if self.is_deaf:
            return web.json_response(error_body("Not now.", "server_is_overloaded"), status=503)
        wishes = await request.json()
        if any(len(people) > MOST_ITEMS for people in wishes.values() if isinstance(people, list)):
            return web.json_response(error_body("These are too many.", "invalid_value"), status=400)
        self.wishes.append(wishes)
        return web.json_response({})

    async def _whole(self, body: dict[str, Any]) -> web.Response:
        if self.thinking is not None:
            await self.thinking.wait()
        await asyncio.sleep(self.pause_s)
        message = {"role": "assistant", "content": self.answers.get(body["model"], self.answer)}
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        adapter = self.told.get(body["model"], {}).get("adapter")
        headers = {"x-request-id": "req-1"} | ({"x-troupe-adapter": adapter} if adapter else {})
        return web.json_response({"model": body["model"], "choices": choices, "usage": usage}, headers=headers)

    async def _stream(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        adapter = self.told.get(body["model"], {}).get("adapter")
        headers = {"content-type": "text/event-stream"} | ({"x-troupe-adapter": adapter} if adapter else {})
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        try:
            await response.write(b": keepalive\n\n")
            while self.waking is not None and not self.waking.is_set():
                await response.write(b": waking\n\n")
                await asyncio.sleep(0.05)
            for number, word in enumerate(self.answers.get(body["model"], self.answer).split(" ")):
                if number == self.breaks_after and request.transport is not None:
                    request.transport.close()
                await response.write(sse(chunk(word + " ")))
                await asyncio.sleep(self.pause_s)
            usage = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
            await response.write(sse(chunk(finish_reason="stop"), usage, "[DONE]"))
        except ConnectionResetError:
            self.gone += 1
        return response


def _key(request: web.Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


@asynccontextmanager
async def serving(stub: StubGateway) -> AsyncIterator[StubGateway]:
    """The stub on a free port of this machine, its `url` set."""
    app = web.Application()
    app.add_routes(
        [
            web.get("/v1/models", stub.list_models),
            web.get("/v1/models/{model}", stub.show_model),
            web.get("/v1/usage", stub.show_usage),
            web.post("/v1/chat/completions", stub.complete),
            web.post("/v1/warm", stub.warm),
            web.post("/v1/feedback", stub.take_feedback),
            web.get("/v1/feedback", stub.show_plans),
            web.post("/v1/consent", stub.take_consent),
            web.get("/health/ready", stub.health),
            web.get("/openapi.json", stub.document),
        ]
    )
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        stub.url = f"http://{host}:{port}"
        yield stub
    finally:
        await runner.cleanup()
