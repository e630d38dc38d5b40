"""The middleware alone: what passes, and what never comes to the application inside."""

import pytest

from server.engine.doors import Doors
from server.engine.in_flight import Message, Receive, Scope, Send
from server.engine.settings import EngineSettings


async def passes(scope: Scope, *, sleeps: bool = False) -> tuple[bool, list[Message]]:
    """Whether the application inside was called, and what was sent."""
    reached: list[Scope] = []
    sent: list[Message] = []

    async def inside(scope: Scope, _receive: Receive, _send: Send) -> None:
        reached.append(scope)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await Doors(inside, EngineSettings(sleep_mode=sleeps))(scope, receive, send)
    return reached == [scope], sent


def http(method: str, path: str) -> Scope:
    return {"type": "http", "method": method, "path": path}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/completions"),
        ("POST", "/tokenize"),
        ("GET", "/v1/models"),
        ("GET", "/health"),
        ("GET", "/metrics"),
    ],
)
async def test_what_the_gateway_and_the_fleet_ask_for_passes(method: str, path: str) -> None:
    """By its own method only."""
    assert await passes(http(method, path)) == (True, [])
    other = "GET" if method == "POST" else "POST"
    assert (await passes(http(other, path)))[0] is False


@pytest.mark.parametrize("path", ["/invocations", "/sleep", "/collective_rpc", "/v1/load_lora_adapter", "/v1/completions/", "//health", ""])
async def test_everything_else_is_as_if_it_were_not_there(path: str) -> None:
    """404, and the application hears nothing."""
    reached, sent = await passes(http("POST", path))
    assert (reached, sent[0]["status"]) == (False, 404)


async def test_an_engine_that_sleeps_can_be_told_to() -> None:
    """And only such an engine."""
    assert (await passes(http("POST", "/sleep"), sleeps=True))[0]
    assert not (await passes(http("POST", "/sleep")))[0]
    assert not (await passes(http("POST", "/v1/load_lora_adapter"), sleeps=True))[0]


async def test_the_start_is_let_through_and_sockets_of_other_kinds_are_not() -> None:
    """vLLM has one route that is a WebSocket."""
    assert (await passes({"type": "lifespan"}))[0]
    assert await passes({"type": "websocket", "path": "/v1/realtime"}) == (False, [{"type": "websocket.close", "code": 1008}])
