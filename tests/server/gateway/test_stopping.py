"""The end of a stream that neither side wanted: the gateway stops, or the caller does not read."""

import asyncio
import json
import socket
from pathlib import Path

import pytest

from adapters.registry import Base
from server.gateway.settings import GatewaySettings
from tests.server.gateway.stage import ADMIN, CHAT_KEY, Stage, open_stage

CHAT = "/v1/chat/completions"
ASK = {"model": "zizou", "messages": [{"role": "user", "content": "hi"}]}
BODY = {**ASK, "stream": True}


async def ended(stage: Stage) -> None:
    async with asyncio.timeout(20):
        await stage.serving


async def test_streams_finish_and_new_work_is_refused(fresh: Stage) -> None:
    """After the first signal: not ready, 503 with a time to come again for whoever comes, and a whole answer for who is being answered."""
    fresh.speaks.clear()
    streaming = asyncio.create_task(fresh.http.post(CHAT, json=BODY))
    await fresh.asked()
    fresh.server.end()
    ready = await fresh.http.get("/health/ready")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    for path, body in ((CHAT, ASK), (CHAT, BODY), ("/v1/warm", {"model": "zizou"})):
        refused = await fresh.http.post(path, json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "engine_unavailable")
        assert int(refused.headers["retry-after"]) > 0
    promoted = await fresh.http.put("/admin/v1/communities/zizou/aliases/live", json={"version": 2}, headers=ADMIN)
    assert promoted.status_code == 503
    fresh.speaks.set()
    assert (await streaming).text.endswith("data: [DONE]\n\n")
    await ended(fresh)
    assert len(fresh.fake.received) == 1


async def test_who_waits_is_told_at_once(fresh: Stage) -> None:
    """A wake that is under way is given up: nobody would be left to ask."""
    await fresh.sleep()
    fresh.engine.hold()
    asking = [asyncio.create_task(fresh.http.post(CHAT, json={**ASK, "stream": stream})) for stream in (True, False)]
    await fresh.waits(2)
    fresh.server.end()
    for response in await asyncio.gather(*asking):
        assert (response.status_code, response.json()["error"]["code"]) == (503, "engine_unavailable")
        assert "retry-after" in response.headers
    await ended(fresh)


async def test_a_connection_that_asks_nothing_holds_nobody_up(fresh: Stage) -> None:
    """It is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", fresh.port)
    writer.write(b"GET /health/live HTTP/1.1\r\nhost: g\r\n\r\n")
    async with asyncio.timeout(20):
        await reader.readuntil(b"}")
        fresh.server.end()
        assert await reader.read() == b""
    writer.close()
    await ended(fresh)


@pytest.mark.parametrize("impatient", [False, True])
async def test_a_gateway_that_stops_says_so_to_its_streams(tmp_path: Path, base: Base, settings: GatewaySettings, impatient: bool) -> None:
    """Those that are not done when its patience is, or at a second signal: an error event or a 503, the engine told, and nothing left."""
    async with open_stage(tmp_path, base, settings.model_copy(update={"drain_timeout": 600 if impatient else 0})) as stage:
        stage.reset()
        stage.fault(inter_token=0.05, tokens=1000)
        whole = asyncio.create_task(stage.http.post(CHAT, json=ASK))
        await stage.asked(1)
        async with stage.http.stream("POST", CHAT, json=BODY) as response:
            lines = response.aiter_lines()
            await anext(lines)
            stage.server.end()
            if impatient:
                stage.server.end()
            said = [line async for line in lines if line]
        assert json.loads(said[-1].removeprefix("data: "))["error"]["code"] == "engine_unavailable"
        told = await whole
        assert (told.status_code, told.json()["error"]["code"]) == (503, "engine_unavailable")
        assert "retry-after" in told.headers
        await ended(stage)
        for received in stage.fake.received:
            assert received.abandoned.is_set()


async def test_who_waits_for_something_else_than_the_engine_is_told_as_well(tmp_path: Path, base: Base, settings: GatewaySettings) -> None:
    """For another request's answer under the same Idempotency-Key; or for the rest of its body."""
    async with open_stage(tmp_path, base, settings.model_copy(update={"drain_timeout": 0})) as stage:
        stage.reset()
        stage.speaks.clear()
        asking = [asyncio.create_task(stage.http.post(CHAT, json=ASK, headers={"idempotency-key": "k"})) for _ in range(2)]
        head = f"POST {CHAT} HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {CHAT_KEY}\r\ncontent-length: 9\r\n\r\n"
        half = asyncio.create_task(stage.raw(head.encode() + b"{", wait=20))
        async with asyncio.timeout(20):
            while await stage.metric_now("troupe_requests_running") < 4:  # the scrape is one of them
                pass
        stage.server.end()
        for told in await asyncio.gather(*asking):
            assert (told.status_code, told.json()["error"]["code"]) == (503, "engine_unavailable")
            assert "x-request-id" in told.headers
        said = await half
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b'"code":"engine_unavailable"' in said
        await ended(stage)


async def test_a_caller_who_does_not_read_is_let_go(tmp_path: Path, base: Base, settings: GatewaySettings) -> None:
    """After the write timeout; the engine does not work on for nobody."""
    async with open_stage(tmp_path, base, settings.model_copy(update={"write_timeout": 0.2, "drain_timeout": 0})) as stage:
        stage.reset()
        stage.fault(tokens=50, vocabulary=("x" * 500_000,))  # more than any socket holds
        body = json.dumps({**BODY, "max_tokens": 50}).encode()
        head = f"POST {CHAT} HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {CHAT_KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", stage.port)) as caller:
            caller.sendall(head.encode() + body)
            await stage.asked()
            async with asyncio.timeout(10):
                await stage.fake.received[0].abandoned.wait()
                assert await stage.metric('troupe_errors_total{code="caller_stalled"}') == 1
