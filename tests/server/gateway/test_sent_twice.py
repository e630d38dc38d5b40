"""Requests that are sent twice under one Idempotency-Key: answered once, charged once, and never to anybody else."""

import asyncio
from typing import Any

import httpx
import pytest

from loadtests.fake_engine import CHAT, Fault
from tests.server.accounts.ledger.desk import fetch, until
from tests.server.gateway.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK: dict[str, Any] = {"model": "zizou", "messages": [{"role": "user", "content": "who wins?"}]}


async def ask(stage: Stage, key: str, header: dict[str, str], **changes: Any) -> httpx.Response:
    return await stage.http.post(CHAT, json={**ASK, **changes}, headers={**header, "idempotency-key": key})


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


async def running(stage: Stage, count: int) -> None:
    """Until so many are being answered."""
    async with asyncio.timeout(10):
        while await stage.metric_now("troupe_requests_running") != count + 1:  # the scrape itself
            pass


async def charged(stage: Stage, header: dict[str, str]) -> list[str | None]:
    """What became of the requests of this key."""
    await until(lambda: stage.books.ledger.unsettled == 0)
    key_id = header["authorization"].split("_")[1]
    rows = await fetch(stage.books.database, "SELECT outcome FROM requests WHERE key_id = :key_id", key_id=key_id)
    return [row["outcome"] for row in rows]


async def test_the_same_request_is_answered_and_charged_once(stage: Stage) -> None:
    """The same bytes, which say that they are given again; each with an id of its own."""
    header = await stage.key("chat", communities=["zizou"])
    first, second = [await ask(stage, "once", header) for _ in range(2)]
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert ("idempotent-replayed" in first.headers, second.headers["idempotent-replayed"]) == (False, "true")
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert len(stage.fake.received) == 1
    assert await charged(stage, header) == ["complete"]


@pytest.mark.asyncio(loop_scope="function")
async def test_an_answer_that_is_given_again_names_who_gave_it(fresh: Stage) -> None:
    """Another version is live by then, and what people think of the answer is not about that one."""
    header = await fresh.key("chat", communities=["zizou"])
    first = await ask(fresh, "moved", header)
    await fresh.memory.promote("zizou", 2)
    await fresh.seen()
    second = await ask(fresh, "moved", header)
    assert second.headers["idempotent-replayed"] == "true"
    assert [each.headers["x-troupe-adapter"] for each in (first, second)] == ["zizou@1", "zizou@1"]


async def test_those_who_come_meanwhile_wait_for_the_first(stage: Stage) -> None:
    """Ten at once: one of them asks the engine."""
    header = await stage.key("chat", communities=["zizou"])
    stage.fault(inter_token=0.02)
    answers = await asyncio.gather(*(ask(stage, "at once", header) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len(stage.fake.received) == 1
    assert await charged(stage, header) == ["complete"]


async def test_who_leaves_while_it_waits_is_waited_for_by_nobody(stage: Stage) -> None:
    """It keeps no place from others, and the engine is not asked for it once the first one has gone, too."""
    header = await stage.key("chat", communities=["zizou"])
    stage.speaks.clear()
    first = asyncio.create_task(ask(stage, "left", header))
    await stage.asked()
    second = asyncio.create_task(ask(stage, "left", header))
    await running(stage, 2)
    second.cancel()
    await running(stage, 1)
    first.cancel()
    await running(stage, 0)
    assert len(stage.fake.received) == 1
    assert await charged(stage, header) == ["aborted"]
    stage.speaks.set()


async def test_23_another_body_under_the_same_key_is_refused(stage: Stage) -> None:
    """Bad input 23: 409, and nobody is charged for it."""
    header = await stage.key("chat", communities=["zizou"])
    assert (await ask(stage, "twice", header)).status_code == 200
    for changes in ({"temperature": 0.5}, {"model": "base"}, {"stream": True}, {"messages": [{"role": "user", "content": "who?"}]}):
        assert refusal(await ask(stage, "twice", header, **changes)) == (409, "conflict", "idempotency-key")
    assert len(stage.fake.received) == 1
    assert await charged(stage, header) == ["complete"]


async def test_keys_of_two_communities_do_not_meet(stage: Stage) -> None:
    """The same word and the same body, for the base: each gets an answer of its own."""
    headers = [await stage.key("chat", communities=[name]) for name in ("zizou", "greybeards")]
    answers = [await ask(stage, "shared", header, model="base") for header in headers]
    assert answers[0].json()["id"] != answers[1].json()["id"]
    assert [await charged(stage, header) for header in headers] == [["complete"], ["complete"]]


async def test_what_failed_may_be_tried_again(stage: Stage) -> None:
    """An engine that broke, a caller who left, a stream that was cut off: nothing of them is kept."""
    header = await stage.key("chat", communities=["zizou"])
    stage.fault(fault=Fault.STATUS_500)
    assert (await ask(stage, "again", header)).status_code == 502
    stage.fault(fault=Fault.NONE, inter_token=60.0)
    with pytest.raises(httpx.ReadTimeout):
        await stage.http.post(CHAT, json=ASK, headers={**header, "idempotency-key": "again"}, timeout=0.5)
    stage.fault(fault=Fault.END_EARLY, inter_token=0.0)
    assert '"error"' in (await ask(stage, "cut off", header, stream=True)).text
    stage.fault(fault=Fault.NONE)
    assert (await ask(stage, "again", header)).status_code == 200
    assert (await ask(stage, "cut off", header, stream=True)).text.endswith("data: [DONE]\n\n")


async def test_a_stream_is_not_given_again(stage: Stage) -> None:
    """While it runs and after its end: 409, and no second charge."""
    header = await stage.key("chat", communities=["zizou"])
    stage.speaks.clear()
    first = asyncio.create_task(ask(stage, "stream", header, stream=True))
    await stage.asked()
    assert refusal(await ask(stage, "stream", header, stream=True)) == (409, "conflict", "idempotency-key")
    stage.speaks.set()
    assert (await first).text.endswith("data: [DONE]\n\n")
    assert refusal(await ask(stage, "stream", header, stream=True)) == (409, "conflict", "idempotency-key")
    assert await charged(stage, header) == ["complete"]


@pytest.mark.parametrize("key", ["", "x" * 256, "x" * 10_000, "a\tb"])
async def test_a_key_that_is_none_is_refused(stage: Stage, key: str) -> None:
    """Before anything is asked."""
    assert refusal(await ask(stage, key, {})) == (400, "invalid_value", "idempotency-key")
    assert stage.fake.received == []
