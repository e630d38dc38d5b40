"""The API client on the real gateway, with a stand-in for its engine: what the one writes is what the other reads."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from clients.api import Troupe
from clients.cli.doctor.gateway import API
from clients.deltas import Delta
from clients.errors import BadRequest, Overloaded, UnknownModel
from clients.feedback import Feedback, Plan, SaidTurn
from server.feedback.store import FeedbackStore
from server.fleet.engine import EngineState
from server.gateway.settings import GatewaySettings
from tests.server.gateway.stage import CHAT_KEY, CONTEXT, Stage, open_stage, read_tiny_base

ASKED = [{"role": "user", "content": "who wins tonight?"}]


@pytest.fixture
async def asleep(tmp_path: Path) -> AsyncIterator[Stage]:
    """A gateway whose engine sleeps, and whose next wake takes until it is let."""
    base = read_tiny_base(tmp_path / "base")
    settings = GatewaySettings(home=tmp_path, api_key=SecretStr(CHAT_KEY), context_length=CONTEXT, keepalive=0.05)
    async with open_stage(tmp_path, base, settings, awake=False) as stage:
        stage.engine.hold()
        try:
            yield stage
        finally:
            stage.engine.release()


async def test_a_stream_tells_that_it_waits_and_then_what_was_said(asleep: Stage) -> None:
    """Steps without text while the engine wakes, and a whole answer after them."""
    deltas: list[Delta] = []
    async with Troupe(f"http://127.0.0.1:{asleep.port}", CHAT_KEY) as troupe:
        async for delta in troupe.chat("zizou", ASKED):
            deltas.append(delta)
            if delta.waking:
                asleep.engine.release()
    waking = [delta.waking for delta in deltas]
    assert waking[0]
    assert waking == sorted(waking, reverse=True)  # never again once the answer has begun
    assert not any(delta.text for delta in deltas if delta.waking)
    assert any(delta.text for delta in deltas)
    assert deltas[-1].usage


async def test_warming_wakes_the_engine_and_has_the_adapter_there(asleep: Stage) -> None:
    """Nothing is generated, and the caller is answered while the engine still sleeps."""
    async with Troupe(f"http://127.0.0.1:{asleep.port}", CHAT_KEY) as troupe:
        assert await troupe.warm("zizou") == EngineState.WAKING
        asleep.engine.release()
        async with asyncio.timeout(20):
            while not asleep.fake.loads:  # noqa: ASYNC110 (the fake has nothing to wait for)
                await asyncio.sleep(0.005)
        assert asleep.fake.loads[0].startswith("zizou-")
        with pytest.raises(UnknownModel, match="zizou"):
            await troupe.warm("zizuo")


async def test_a_gateway_that_stops_is_no_reason_to_wait(asleep: Stage) -> None:
    """The client hears when to come again."""
    async with Troupe(f"http://127.0.0.1:{asleep.port}", CHAT_KEY) as troupe:
        asking = asyncio.create_task(troupe.complete_chat("zizou", ASKED))
        await asleep.waits(1)
        asleep.fleet.begin_stop()
        with pytest.raises(Overloaded) as caught:
            await asking
    assert (caught.value.code, caught.value.retry_after) == ("engine_unavailable", 5.0)


async def test_feedback_consent_and_the_plan(asleep: Stage) -> None:
    """Nothing of it needs an engine. A key for several communities says which one it means."""
    now = datetime.now(UTC)
    turns = (SaidTurn("Zed", "who wins tonight?", author="11"), SaidTurn("", "we do", is_self=True))
    state = Feedback("100.2", "zizou@1", "ab" * 32, now, {"👍": 2}, 2, now, turns, "as ever", {"11"})
    async with Troupe(f"http://127.0.0.1:{asleep.port}", CHAT_KEY) as troupe:
        await troupe.send_feedback([state, Feedback("101", "zizou@1", "ab" * 32, now)])
        await troupe.send_consent(out=["11"], forget=["12"], community="zizou")
        assert await troupe.opted_out(community="zizou") == ["11", "12"]
        await troupe.send_consent(back=["11"], community="zizou")
        assert await troupe.opted_out(community="zizou") == ["12"]
        assert await troupe.plans(community="zizou") == {"zizou": Plan("zizou@1")}
        with pytest.raises(BadRequest):
            await troupe.plans()
        with pytest.raises(BadRequest, match="does not exist"):
            await troupe.send_feedback([Feedback("1", "nobody@1", "ab" * 32, now)])
    (kept,) = await FeedbackStore(asleep.books.database).tallies("zizou", threshold=2, now_ms=round(now.timestamp() * 1000))
    assert (kept.answers, kept.waiting, kept.reacted) == (2, 2, 1)


async def test_the_list_of_models_tells_what_answers(asleep: Stage) -> None:
    """Versions, and which one is tried out on how many."""
    await asleep.memory.canary("zizou", 2, share=12.5)
    async with Troupe(f"http://127.0.0.1:{asleep.port}", CHAT_KEY) as troupe, asyncio.timeout(20):
        while (offers := {offer.name: offer for offer in await troupe.offers()})["zizou"].canary is None:  # noqa: ASYNC110 (the gateway looks again)
            await asyncio.sleep(0.005)
        status, version = await troupe.status(), await troupe.version()
    zizou, base = offers["zizou"], offers["base"]
    assert (zizou.adapter, zizou.canary, zizou.canary_share) == ("zizou@1", 2, 12.5)
    assert zizou.strings == ("zizou", "zizou@1", "zizou@canary", "zizou@2")
    assert zizou.published_at is not None
    assert (base.adapter, base.strings) == (None, ("base",))
    assert (status.engine, status.clock is not None, version) == (EngineState.ASLEEP, True, API)
