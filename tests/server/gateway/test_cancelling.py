"""A request that ends at any of its steps, because its caller leaves or the server stops it, leaves nothing behind in what is shared:
connections to the engine and to the database, seats, leases, reservations."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from loadtests.fake_engine import CHAT, TEXT, Voice
from tests.server.accounts.ledger.desk import assert_adds_up, fetch, until
from tests.server.gateway.stage import ADMIN, CHAT_KEY, Stage

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(1200)]

MOST_STEPS = 120
"""Of the event loop: about as many as a request takes here."""
ROUTES: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
    ("POST", CHAT, {"model": "zizou", "messages": [{"role": "user", "content": "who"}], "stream": True}),
    ("POST", CHAT, {"model": "greybeards", "messages": [{"role": "user", "content": "who"}]}),
    ("POST", TEXT, {"model": "base", "prompt": "who", "stream": True}),
    ("POST", "/v1/responses", {"model": "zizou", "input": "who", "stream": True}),
    ("POST", "/v1/messages", {"model": "greybeards", "max_tokens": 5, "messages": [{"role": "user", "content": "who"}]}),
    ("POST", "/v1/warm", {"model": "zizou"}),
    ("GET", "/v1/usage", None),
    ("GET", "/admin/v1/usage", None),
    ("GET", "/admin/v1/keys", None),
    ("PUT", "/admin/v1/communities/zizou/aliases/live", {"version": 2}),
)


class Caller:
    """One request, straight into the application."""

    def __init__(self, stage: Stage, method: str, path: str, body: dict[str, Any] | None) -> None:
        self._app: Any = stage.server.config.app
        self._body = b"" if body is None else json.dumps(body).encode()
        key = ADMIN["authorization"] if path.startswith("/admin") else f"Bearer {CHAT_KEY}"
        headers = [(b"authorization", key.encode()), (b"content-length", str(len(self._body)).encode())]
        self._scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers,
            "scheme": "http", "server": ("gateway", 80), "client": ("127.0.0.1", 1), "http_version": "1.1", "root_path": "",
        }  # fmt: skip
        self.gone = asyncio.Event()
        self.status = 0
        self._asked = False

    def start(self) -> "asyncio.Task[None]":
        return asyncio.ensure_future(self._app(self._scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        self.status = message.get("status", self.status)
        await asyncio.sleep(0)


async def end_early(stage: Stage, route: tuple[str, str, dict[str, Any] | None], steps: int, *, leaves: bool) -> str:
    """What became of it."""
    caller = Caller(stage, *route)
    task = caller.start()
    for _ in range(steps):
        if task.done():
            break
        await asyncio.sleep(0)
    was_done = task.done()
    if leaves:
        caller.gone.set()
    else:
        task.cancel()
    async with asyncio.timeout(20):
        await asyncio.gather(task, return_exceptions=True)
    assert caller.status < 500 or caller.status == 503
    return "done" if was_done else "left" if leaves else "stopped"


async def nothing_is_left(stage: Stage) -> None:
    """Then the next callers get their own answers, from each of the adapters, whole and streamed."""
    await until(lambda: stage.fleet.in_flight == 0)
    for metric in ("troupe_requests_admitted", "troupe_requests_queued", "troupe_requests_in_flight"):
        assert await stage.metric(metric) == 0
    await until(lambda: stage.books.ledger.unsettled == 0)
    assert await fetch(stage.books.database, "SELECT id FROM requests WHERE outcome IS NULL") == []
    await assert_adds_up(stage.books.database)

    async def ask(model: str, *, stream: bool) -> None:
        body = {"model": model, "messages": [{"role": "user", "content": "who"}], "stream": stream}
        answer = await stage.http.post(CHAT, json=body)
        assert answer.status_code == 200
        assert {word for word in ("zizou", "greybeards", "base") if f"{word}-says" in answer.text} == {model}
        assert not stream or answer.text.endswith("data: [DONE]\n\n")

    async with asyncio.timeout(20):
        await asyncio.gather(*(ask(model, stream=stream) for model in ("zizou", "greybeards", "base") for stream in (True, False) * 4))


async def test_whoever_ends_early_leaves_nothing(stage: Stage, soak: bool, record_property: Callable[[str, object], None]) -> None:
    """At any step, by leaving and by being stopped, several at once."""
    draw, outcomes = random.Random(8), Counter[str]()
    names = {each.engine_name: each.community for community in ("zizou", "greybeards") for each in stage.memory.held.manifests(community)}
    stage.fault(voices={engine: Voice(vocabulary=(f"{name}-says ",)) for engine, name in [*names.items(), ("base", "base")]})
    for _ in range(100 if soak else 8):
        ended = (
            end_early(stage, draw.choice(ROUTES), draw.randint(0, MOST_STEPS), leaves=draw.random() < 0.5)
            for _ in range(5)
            for _ in range(8)
        )
        for outcome in await asyncio.gather(*ended):
            outcomes[outcome] += 1
        await nothing_is_left(stage)
    record_property("requests", dict(outcomes))
    assert min(outcomes["left"], outcomes["stopped"]) > 20
