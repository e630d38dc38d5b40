"""The raw client and the comparison relay, against the engine's stand-in on a free port."""

from collections.abc import AsyncIterator

import httpx
import pytest

from loadtests.benchmarks.closed_loop import Load, WrongAnswer, milliseconds, offer, request_bytes
from loadtests.benchmarks.httpx_relay import PATH, create_app
from loadtests.fake_engine import FakeEngine, FakeSettings, Fault

BRIEF = 0.02


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    async with FakeEngine(FakeSettings(tokens=5)) as engine:
        yield engine


def load(*, stream: bool, in_flight: int = 1) -> Load:
    return Load(in_flight, BRIEF, stream)


async def test_whole_answers_are_read_to_their_end(engine: FakeEngine) -> None:
    """Every request that was begun has its whole body, and the connection serves the next one."""
    answers = await offer(engine.url, request_bytes(engine.url, "k", "base", max_tokens=3, stream=False), load(stream=False))
    assert len(answers) == len(engine.received)
    assert all(answer.content.endswith(b"}") and b'"completion_tokens":3' in answer.content for answer in answers)
    assert all(0 < answer.first_s <= answer.total_s for answer in answers)


async def test_streams_are_read_to_their_end(engine: FakeEngine) -> None:
    """As many connections as asked for, each with whole streams."""
    request = request_bytes(engine.url, "k", "base", max_tokens=5, stream=True)
    answers = await offer(engine.url, request, load(stream=True, in_flight=3))
    assert len(answers) >= 3
    assert all(answer.content.count(b'"delta":{"content":') == 5 for answer in answers)


@pytest.mark.parametrize(("fault", "model"), [(Fault.END_EARLY, "base"), (Fault.DIE, "base"), (Fault.NONE, "nobody")])
async def test_anything_but_a_complete_answer_ends_the_benchmark(engine: FakeEngine, fault: Fault, model: str) -> None:
    """Errors are quick; counted as answers they would flatter whoever makes them."""
    engine.settings = FakeSettings(tokens=5, fault=fault)
    request = request_bytes(engine.url, "k", model, max_tokens=5, stream=True)
    with pytest.raises(ExceptionGroup) as caught:
        await offer(engine.url, request, load(stream=True))
    assert caught.group_contains(WrongAnswer)


@pytest.mark.parametrize("stream", [False, True])
async def test_the_comparison_relays_what_the_engine_says(engine: FakeEngine, stream: bool) -> None:
    """FastAPI with httpx passes both kinds of answer on, complete and with their content type."""
    app = create_app(engine.url)
    body = {"model": "base", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://relay") as client,
    ):
        answer = await client.post(PATH, json=body)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream" if stream else "application/json")
    assert answer.text.endswith("data: [DONE]\n\n" if stream else "}")


def test_quantiles_are_in_milliseconds() -> None:
    """From seconds in any order."""
    assert milliseconds([0.003, 0.001, 0.002], 0.5) == pytest.approx(2.0)
