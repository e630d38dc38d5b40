"""What is billed is what the engine made, whatever goes wrong between it and its callers."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import aiohttp
import pytest

from loadtests.fake_engine import CHAT, TEXT, Fault
from server.fleet.engine import EngineState
from server.gateway.apis.api import MESSAGES, RESPONSES
from server.gateway.settings import GatewaySettings
from tests.server.accounts.ledger.desk import assert_adds_up, fetch, until
from tests.server.gateway.stage import CHAT_KEY, Stage

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(1800)]
AT_ONCE = 24
PACE, SLOWLY = 0.01, 0.1
"""Seconds between two tokens. Where the caller leaves so long that it is noticed before the next but one, however busy this machine is."""
ENGINE_FAULTS = (
    Fault.DIE,
    Fault.END_EARLY,
    Fault.STALL,
    Fault.ERROR_EVENT,
    Fault.ERROR_FIRST,
    Fault.STATUS_500,
    Fault.NOT_FINITE,
)


class Leaving(StrEnum):
    """What a caller does."""

    SOON = "soon"
    """Before the answer, or in the middle of a stream that has hardly begun."""
    AMID = "amid"
    """In the middle of a stream; a whole answer it waits for."""


Mischief = Fault | Leaving | None


@pytest.fixture(scope="module")
def settings(settings: GatewaySettings) -> GatewaySettings:
    """Not patient with an engine that says nothing: its own timeouts are among the faults. Longer than a machine that has other things
    to do stands still."""
    return settings.model_copy(update={"stall_timeout": 2.0, "answer_timeout": 4.0})


def question(draw: random.Random, mischief: Mischief) -> tuple[str, dict[str, Any]]:
    path, words = draw.choices((CHAT, TEXT, RESPONSES, MESSAGES), (4, 2, 1, 1))[0], f"who wins {mischief or 'tonight'}"
    prompt = {TEXT: {"prompt": words}, RESPONSES: {"input": words}}.get(path, {"messages": [{"role": "user", "content": words}]})
    length = "max_output_tokens" if path == RESPONSES else "max_tokens"
    body: dict[str, Any] = {"model": draw.choice(("base", "zizou", "greybeards")), length: draw.randint(5, 12), **prompt}
    choices = {"n": draw.choice((1, 1, 1, 2))} if path in (CHAT, TEXT) else {}
    return path, {**body, **choices, "stream": draw.random() < 0.7}


async def ask(http: aiohttp.ClientSession, draw: random.Random, mischief: Mischief) -> None:
    path, body = question(draw, mischief)
    patience = draw.uniform(0.001, 0.5) if mischief is Leaving.SOON else None
    with contextlib.suppress(TimeoutError):
        async with http.post(path, json=body, timeout=aiohttp.ClientTimeout(total=patience)) as response:
            if mischief is Leaving.AMID:
                for _ in range(draw.randint(2, 8)):
                    await response.content.readline()
                response.close()
            else:
                await response.read()


class Trouble:
    """So many requests, so many of them with a fault of their own; and now and then the engine dies under all that run."""

    def __init__(self, stage: Stage, draw: random.Random, *, requests: int, faults: int, deaths: int) -> None:
        self._stage = stage
        self._draw = draw
        kinds: list[Mischief] = [*ENGINE_FAULTS, *Leaving]
        self.plan: list[Mischief] = [kinds[number % len(kinds)] for number in range(faults - deaths)]
        self.plan += [None] * (requests - len(self.plan))
        draw.shuffle(self.plan)
        self._asked = 0
        self._deaths = {(place + 1) * requests // (deaths + 1) for place in range(deaths)}

    async def run(self) -> None:
        headers = {"authorization": f"Bearer {CHAT_KEY}"}
        connector, url = aiohttp.TCPConnector(limit=0), f"http://127.0.0.1:{self._stage.port}"
        async with aiohttp.ClientSession(url, headers=headers, connector=connector) as http:
            await asyncio.gather(*(self._call(http) for _ in range(AT_ONCE)))

    async def _call(self, http: aiohttp.ClientSession) -> None:
        while self._asked < len(self.plan):
            mischief = self.plan[self._asked]
            self._asked += 1
            if self._asked in self._deaths:
                await self._kill()
            await ask(http, self._draw, mischief)

    async def _kill(self) -> None:
        """In the middle of whatever it says. What it had sent is read by then: what is on the wire when a process dies, nobody gets."""
        stage = self._stage
        stage.speaks.clear()
        await stage.time.settle()
        await stage.die()
        stage.speaks.set()
        while stage.fleet.state is not EngineState.READY:
            await stage.time.advance(1)
            await asyncio.sleep(0.01)


async def test_tokens_billed_are_tokens_made(stage: Stage, soak: bool, record_property: Callable[[str, object], None]) -> None:
    """400 requests with 80 faults (10,000 with 1,000 in the soak): exactly, of what came to its end; within the one chunk that was on its
    way, of what was broken off; and nothing for what failed before its first token."""
    requests, faults, deaths = (10_000, 1_000, 40) if soak else (400, 80, 4)
    faults_of_words, paces = {fault.value: fault for fault in ENGINE_FAULTS}, dict.fromkeys(Leaving, SLOWLY)
    stage.fault(inter_token=PACE, tokens=12, cached=1, faults=faults_of_words, paces=paces)
    await Trouble(stage, random.Random(6), requests=requests, faults=faults, deaths=deaths).run()
    await until(lambda: stage.books.ledger.unsettled == 0)
    made: Counter[str] = Counter()
    for received in stage.fake.received:
        made[received.request_id] += received.tokens
    rows = {row["id"]: row for row in await fetch(stage.books.database, "SELECT * FROM requests")}
    assert set(made) <= set(rows)
    late = {name: made[name] - row["completion_tokens"] for name, row in rows.items() if made[name] != row["completion_tokens"]}
    choices = {each.request_id: each.body.get("n", 1) for each in stage.fake.received}
    assert {rows[name]["outcome"] for name in late} <= {"aborted"}
    assert [by for name, by in late.items() if abs(by) > choices[name]] == []
    for row in rows.values():
        if row["outcome"] == "complete":
            assert (row["prompt_tokens"], row["cached_tokens"]) == (3, 1)
    outcomes = Counter(row["outcome"] for row in rows.values())
    assert outcomes["complete"] >= requests - faults - deaths * AT_ONCE
    assert outcomes["aborted"]
    assert outcomes["failed"]
    await assert_adds_up(stage.books.database)
    record_property("requests, by how they ended", dict(outcomes))
    record_property("tokens made, and billed", (made.total(), sum(row["completion_tokens"] for row in rows.values())))
    record_property("broken off with a chunk that was not billed", sum(by > 0 for by in late.values()))
    record_property("broken off with a chunk that was billed and not sent", sum(by < 0 for by in late.values()))
