"""The end of a stream that neither side wanted: the gateway stops, or the caller does not read."""

import asyncio
import json
import socket
from pathlib import Path

from adapters.registry import Base
from server.gateway.settings import GatewaySettings
from tests.server.gateway.stage import CHAT_KEY, open_stage

CHAT = "/v1/chat/completions"
BODY = {"model": "zizou", "messages": [{"role": "user", "content": "hi"}], "stream": True}


async def test_a_gateway_that_stops_says_so_to_its_streams(tmp_path: Path, base: Base, settings: GatewaySettings) -> None:
    """Those that are not done when its patience is: an error event, the engine told, and nothing left."""
    async with open_stage(tmp_path, base, settings.model_copy(update={"drain_timeout": 0})) as stage:
        stage.reset()
        stage.fault(inter_token=0.05, tokens=1000)
        async with stage.http.stream("POST", CHAT, json=BODY) as response:
            lines = response.aiter_lines()
            await anext(lines)
            stage.server.should_exit = True
            said = [line async for line in lines if line]
        assert json.loads(said[-1].removeprefix("data: "))["error"]["code"] == "engine_unavailable"
        async with asyncio.timeout(5):
            await stage.fake.received[0].abandoned.wait()


async def test_a_caller_who_does_not_read_is_let_go(tmp_path: Path, base: Base, settings: GatewaySettings) -> None:
    """After the write timeout; the engine does not work on for nobody."""
    async with open_stage(tmp_path, base, settings.model_copy(update={"write_timeout": 0.2, "drain_timeout": 0})) as stage:
        stage.reset()
        stage.fault(tokens=50, vocabulary=("x" * 500_000,))  # more than any socket holds
        body = json.dumps({**BODY, "max_tokens": 50}).encode()
        head = f"POST {CHAT} HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {CHAT_KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", stage.port)) as caller:
            caller.sendall(head.encode() + body)
            async with asyncio.timeout(10):
                while not stage.fake.received:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                await stage.fake.received[0].abandoned.wait()
                assert await stage.metric('troupe_errors_total{code="caller_stalled"}') == 1
