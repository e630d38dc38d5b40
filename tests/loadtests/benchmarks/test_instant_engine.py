"""The quick stand-in, held against the fake engine, which is held against vLLM."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from loadtests.benchmarks.closed_loop import Load, offer, request_bytes
from loadtests.benchmarks.instant_engine import CHAT, Pace, serve
from loadtests.fake_engine import FakeEngine, FakeSettings

TOKENS = 5
ASKED = {"model": "base", "messages": [{"role": "user", "content": "well well"}]}
USAGE = {"include_usage": True, "continuous_usage_stats": True}
OF_ITS_OWN = re.compile(r'"id":"chatcmpl-\w+"|"created":\d+')


@pytest.fixture
async def instant() -> AsyncIterator[str]:
    async for url in standing(Pace()):
        yield url


@pytest.fixture
async def slow() -> AsyncIterator[str]:
    async for url in standing(Pace(ttft=0.02, inter_token=0.01)):
        yield url


async def standing(pace: Pace) -> AsyncIterator[str]:
    """Its address, while it stands."""
    listener = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(serve(listener, pace, TOKENS))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    task.cancel()
    await asyncio.wait([task])


async def said(url: str, body: dict[str, Any]) -> str:
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.post(CHAT, json=body)
    assert answer.status_code == 200
    return OF_ITS_OWN.sub("", answer.text)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"max_tokens": 3},
        {"stream": True},
        {"stream": True, "max_tokens": 2, "stream_options": {"include_usage": True}},
        {"stream": True, "stream_options": USAGE, "model": "zizou-0123456789abcdef"},
    ],
)
async def test_it_says_what_the_fake_engine_says(instant: str, more: dict[str, Any]) -> None:
    """Byte by byte, but for the id and the time; and the same when it is asked again."""
    body = {**ASKED, **more}
    async with FakeEngine(FakeSettings(tokens=TOKENS)) as engine:
        expected = await said(engine.url, body)
    assert await said(instant, body) == expected
    assert await said(instant, body) == expected


async def test_a_fleet_finds_it_healthy(instant: str) -> None:
    """And lists models; whatever else is asked is not there."""
    async with httpx.AsyncClient(base_url=instant) as client:
        assert (await client.get("/health")).status_code == 200
        assert json.loads((await client.get("/v1/models")).content)["data"][0]["id"] == "base"
        assert (await client.get("/metrics")).status_code == 404


async def test_it_keeps_its_pace(slow: str) -> None:
    """The first token after one time and each other one after another: never earlier."""
    request = request_bytes(slow, "k", "base", max_tokens=TOKENS, stream=True)
    answers = await offer(slow, request, Load(3, 0.01, stream=True))
    assert len(answers) == 3
    for answer in answers:
        assert answer.first_s >= 0.019
        assert answer.total_s >= 0.019 + (TOKENS - 1) * 0.01
        assert answer.pause_s > 0
        assert answer.content.count(b'"delta":{"content":') == TOKENS


async def test_a_caller_who_leaves_hears_no_more(slow: str) -> None:
    """Its stream ends with its connection, and others go on."""
    host, port = slow.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(request_bytes(slow, "k", "base", max_tokens=TOKENS, stream=True))
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert await said(slow, ASKED)
