"""What a stream gets while its engine wakes: comments, which every client reads over, and an end that says what it is."""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest
from openai import APIError

from clients.api import Troupe
from server.gateway.settings import GatewaySettings
from tests.server.gateway.stage import CHAT_KEY, REFUSED, Stage

CHAT = "/v1/chat/completions"
ASK = {"model": "zizou", "messages": [{"role": "user", "content": "hi"}], "stream": True}
ANSWER = 'Läuft bei dir? 🙃 "quoted"\n ok'


@pytest.fixture
def settings(settings: GatewaySettings) -> GatewaySettings:
    return settings.model_copy(update={"keepalive": 0.02})


async def begun(stage: Stage, **headers: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    """A raw caller at a sleeping engine, who has got two comments."""
    await stage.sleep()
    stage.engine.hold()
    body = json.dumps(ASK).encode()
    told = {"host": "g", "authorization": f"Bearer {CHAT_KEY}", "content-length": str(len(body)), "connection": "close", **headers}
    head = f"POST {CHAT} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in told.items())
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(head.encode() + b"\r\n" + body)
    seen = b""
    async with asyncio.timeout(20):
        while seen.count(b": waking\n\n") < 2:
            seen += await reader.read(1000)
    return reader, writer, seen


async def rest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    async with asyncio.timeout(20):
        said = await reader.read()
    writer.close()
    return said


async def test_a_raw_caller_sees_comments_and_then_the_answer(fresh: Stage) -> None:
    """The head says that it is a wake; how long it took is a comment, for the head has left."""
    reader, writer, seen = await begun(fresh)
    head = seen.partition(b"\r\n\r\n")[0].decode()
    assert head.startswith("HTTP/1.1 200")
    assert "x-troupe-wake: true" in head
    assert "x-troupe-wake-seconds" not in head
    assert "x-troupe-adapter: zizou@1" in head
    await fresh.time.advance(12.3)
    fresh.engine.release()
    said = seen + await rest(reader, writer)
    assert re.search(rb": awake after \d+\.\d s\n\n", said)
    assert said.count(b"data: [DONE]") == 1
    assert said.rindex(b": waking") < said.index(b": awake") < said.index(b"data: {")
    assert len(fresh.fake.received) == 1


async def test_an_answer_that_comes_before_the_first_comment_has_none(fresh: Stage, settings: GatewaySettings) -> None:
    """So a quick wake leaves the status unspent."""
    response = await fresh.http.post(CHAT, json=ASK)
    assert ":" not in {line[:1] for line in response.text.splitlines()}


async def test_a_deadline_that_passes_after_comments_is_an_error_event(fresh: Stage) -> None:
    """The status is spent; the stream ends with the same words."""
    reader, writer, _ = await begun(fresh, **{"x-troupe-deadline-ms": "5000"})
    await fresh.time.advance(5)
    said = await rest(reader, writer)
    assert b'"code":"deadline_exceeded"' in said
    assert b"[DONE]" not in said
    assert await fresh.metric('troupe_errors_total{code="deadline_exceeded"}') == 1


async def test_a_wake_that_fails_after_comments_is_an_error_event(fresh: Stage) -> None:
    """Without the path that is only for the operator."""
    fresh.engine.will(REFUSED)
    reader, writer, _ = await begun(fresh)
    fresh.engine.release()
    said = await rest(reader, writer)
    assert b'"code":"engine_unavailable"' in said
    assert b"secret" not in said


async def test_the_sdk_reads_over_comments(fresh: Stage) -> None:
    """It sees an answer that took its time."""
    await fresh.sleep()
    fresh.engine.hold()
    asking = asyncio.create_task(
        fresh.sdk.chat.completions.create(model="zizou", messages=[{"role": "user", "content": "hi"}], stream=True)
    )
    stream = await asking  # as soon as the head is there, which the first comment brings
    assert fresh.fleet.waiting == 1
    fresh.engine.release()
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == ANSWER


async def test_the_sdk_raises_what_comes_after_comments(fresh: Stage) -> None:
    """As for any stream that breaks."""
    fresh.engine.will(REFUSED)
    await fresh.sleep()
    fresh.engine.hold()
    stream = await fresh.sdk.chat.completions.create(model="zizou", messages=[{"role": "user", "content": "hi"}], stream=True)
    fresh.engine.release()
    with pytest.raises(APIError) as caught:
        await anext(stream)
    assert caught.value.code == "engine_unavailable"


async def test_a_client_by_the_standard_reads_over_comments(fresh: Stage) -> None:
    """One that knows fields and blank lines only gets the same events as from an engine that is awake."""
    awake = [event async for event in _events(fresh)]
    await fresh.sleep()
    fresh.engine.hold()
    asking = asyncio.create_task(_collect(fresh))
    await fresh.waits(1)
    await asyncio.sleep(0.1)
    fresh.engine.release()
    woken = await asking
    assert len(woken) == len(awake)
    assert woken[-1] == "[DONE]"
    assert [json.loads(event)["choices"][0]["delta"] for event in woken[:-1]] == [
        json.loads(event)["choices"][0]["delta"] for event in awake[:-1]
    ]


async def test_our_own_client_says_that_somebody_wakes(fresh: Stage) -> None:
    """Steps without text, then the answer."""
    await fresh.sleep()
    fresh.engine.hold()
    async with Troupe(str(fresh.http.base_url), CHAT_KEY) as troupe:
        deltas = troupe.chat("zizou", [{"role": "user", "content": "hi"}])
        assert (await anext(deltas)).waking
        fresh.engine.release()
        assert "".join([delta.text async for delta in deltas]) == ANSWER


async def test_a_caller_who_leaves_after_comments_leaves_nothing(fresh: Stage) -> None:
    """Its place is free at once."""
    _, writer, _ = await begun(fresh)
    writer.close()
    await fresh.waits(0)
    fresh.engine.release()
    assert fresh.fake.received == []


async def _collect(stage: Stage) -> list[str]:
    return [event async for event in _events(stage)]


async def _events(stage: Stage) -> AsyncIterator[str]:
    """The WHATWG's algorithm, as far as data goes."""
    data: list[str] = []
    async with stage.http.stream("POST", CHAT, json=ASK) as response:
        async for line in response.aiter_lines():
            if not line:
                if data:
                    yield "\n".join(data)
                data = []
            elif not line.startswith(":"):
                name, _, value = line.partition(":")
                if name == "data":
                    data.append(value.removeprefix(" "))
