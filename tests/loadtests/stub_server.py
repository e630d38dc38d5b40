"""A streaming OpenAI server of a few lines, whose misbehaviour a test chooses by the model's name."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


class StubServer:
    """`fine` answers three pieces at once; `refused` is a 429, `broken` an error event, `short` ends early, `silent` never answers.

    No answer begins before `stalled_for` requests have come.
    """

    def __init__(self) -> None:
        self.stalled_for = 0
        self.asked: list[str] = []
        self.asked_often = asyncio.Event()  # set from the fifth request on
        self._moving = asyncio.Event()
        self.url = ""

    async def models(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") == "Bearer wrong":
            return web.json_response({"error": {"message": "no"}}, status=401)
        return web.json_response({"data": [{"id": "fine"}, {"id": "also-fine"}]})

    async def complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        model = body["model"]
        self.asked.append(model)
        if len(self.asked) >= 5:
            self.asked_often.set()
        if len(self.asked) >= self.stalled_for:
            self._moving.set()
        await self._moving.wait()
        if model == "refused":
            return web.json_response({"error": {"message": "slow down"}}, status=429)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        if model == "silent":
            await asyncio.Event().wait()
        for word in ("one ", "two ", "three"):
            await response.write(_event({"choices": [{"delta": {"content": word}}]}))
        if model == "broken":
            await response.write(_event({"error": {"code": "engine_gone"}}))
        elif model != "short":
            await response.write(_event({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3}}))
            await response.write(b"data: [DONE]\n\n")
        return response


def _event(value: object) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


@asynccontextmanager
async def running_stub() -> AsyncIterator[StubServer]:
    """A stub on a free port of this machine, gone afterwards together with its open requests."""
    stub = StubServer()
    app = web.Application()
    app.add_routes([web.get("/v1/models", stub.models), web.post("/v1/chat/completions", stub.complete)])
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield stub
    finally:
        await runner.cleanup()
