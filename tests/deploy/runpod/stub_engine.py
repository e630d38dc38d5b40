"""`python -m tests.deploy.runpod.stub_engine`: an engine that says what the prompt tells it to, on the socket it is given.

Every byte of a stream is its own write, so characters reach the worker in halves. `/v1/models` also tells how many requests were
closed by the other side, which is how a test sees a cancellation from outside.
"""

import asyncio
import json
import os
import threading
from dataclasses import dataclass

from aiohttp import web

EMOJI = "goal ⚽🥳 żółć"


@dataclass
class Stub:
    api_key: str
    closed: int = 0

    async def models(self, request: web.Request) -> web.Response:
        self._check(request)
        return web.json_response({"object": "list", "data": [{"id": "base"}], "closed": self.closed})

    async def complete(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        body = await request.json()
        prompt = body["messages"][0]["content"]
        if prompt == "too long":
            return web.json_response({"error": {"message": "too long", "type": "BadRequestError", "code": 400}}, status=400)
        if not body.get("stream"):
            return web.json_response({"model": body["model"], "choices": [{"message": {"content": EMOJI}}]})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            for byte in f"data: {EMOJI}\n\n".encode():
                await response.write(bytes([byte]))
                await asyncio.sleep(0.001)
            if prompt == "forever":
                await asyncio.Event().wait()
            if prompt == "die":
                os._exit(1)
            if prompt != "silent end":
                await response.write(b"data: [DONE]\n\n")
        except asyncio.CancelledError:
            self.closed += 1
            raise
        return response

    def _check(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {self.api_key}":
            raise web.HTTPUnauthorized(text=json.dumps({"error": {"message": "no key"}}))


async def health(request: web.Request) -> web.Response:
    leaked = any(name.startswith("RUNPOD_") for name in os.environ)
    return web.Response(status=500 if leaked else 200)


def end_with_standard_input() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)


def main() -> None:
    threading.Thread(target=end_with_standard_input, daemon=True).start()
    stub = Stub(os.environ["TROUPE_ENGINE_API_KEY"])
    app = web.Application()
    app.add_routes([web.get("/health", health), web.get("/v1/models", stub.models), web.post("/v1/chat/completions", stub.complete)])
    web.run_app(app, path=os.environ["TROUPE_ENGINE_SOCKET"], handler_cancellation=True, print=None)


if __name__ == "__main__":
    main()
