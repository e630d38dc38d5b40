"""ASGI middleware: of vLLM's many routes, those that Troupe uses. The others answer as if they were not there.

vLLM's key guards what lies below /v1 alone, and whoever reaches the engine without the gateway could otherwise tokenize, score, pause it
or read what it was started with. Knows methods and paths; nothing of keys, bodies or adapters.
"""

import json

from server.engine.in_flight import App, Receive, Scope, Send
from server.engine.settings import EngineSettings

USED = frozenset({
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/tokenize"),  # which loads an adapter and computes nothing
    ("GET", "/v1/models"),  # what a worker at RunPod looks at
    ("GET", "/health"),
    ("GET", "/metrics"),  # whether tokens come
})  # fmt: skip
TO_SLEEP = frozenset({
    ("POST", "/sleep"), ("POST", "/wake_up"), ("GET", "/is_sleeping"), ("POST", "/collective_rpc"), ("POST", "/v1/unload_lora_adapter"),
})  # fmt: skip
"""What `server/fleet/sleeping.py` needs as well."""


class Doors:
    """What `--middleware` names: vLLM makes it, with nothing but the application inside, and it reads the settings itself."""

    def __init__(self, app: App, settings: EngineSettings | None = None) -> None:
        self._app = app
        self._open = USED | TO_SLEEP if (settings or EngineSettings()).sleep_mode else USED

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (scope["type"] == "http" and (scope["method"], scope["path"]) in self._open):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await _refuse(send)
        else:
            await send({"type": "websocket.close", "code": 1008})


async def _refuse(send: Send) -> None:
    body = json.dumps({"detail": "Not Found"}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": body})
