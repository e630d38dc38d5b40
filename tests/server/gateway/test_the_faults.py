"""The faults that every gateway of this kind was bitten by, one test each, by its number. 12 is Discord's.

On fake engines, where they can be had by the hundred; tests/end_to_end has the same for real vLLM: 1 and 2 in test_engine_death.py and
test_faults.py, 9 in test_failed_trials.py, 10 in test_many_adapters.py, 11 in test_sleeping.py.
"""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from adapters.registry import Base
from loadtests.fake_engine import FakeSettings, Fault, Voice
from server.gateway.admission.policy import Bounds
from server.gateway.settings import GatewaySettings
from tests.adapters.registry.test_crashes import compiled, crash
from tests.server.accounts.ledger.desk import assert_adds_up, fetch
from tests.server.gateway import test_relay as relaying
from tests.server.gateway import test_stopping as stopping
from tests.server.gateway import test_waking as waking
from tests.server.gateway.memory_registry import manifest
from tests.server.gateway.sick_books import Disk, sick_books
from tests.server.gateway.stage import ADMIN, CHAT_KEY, ENGINE_KEY, Stage, open_stage
from tests.server.gateway.test_billing_kills import installed, kill

CHAT, READY = "/v1/chat/completions", "/health/ready"
ASK: dict[str, Any] = {"model": "zizou", "messages": [{"role": "user", "content": "who wins tonight?"}]}
PATIENCE = 30.0
MANY = 60


@pytest.fixture(scope="module")
def settings(settings: GatewaySettings) -> GatewaySettings:
    """Not patient with an engine that says nothing."""
    return settings.model_copy(update={"stall_timeout": 1.0, "answer_timeout": 10.0})


async def streamed(http: aiohttp.ClientSession, **more: Any) -> tuple[int, str | None]:
    """A stream to its end: tokens, and the code of the error that ended it. Never a silent end."""
    async with http.post(CHAT, json={**ASK, "stream": True, **more}) as response:
        assert response.status == 200
        events = [line[6:] for line in (await response.text()).splitlines() if line.startswith("data: ")]
    said = [json.loads(each) for each in events if each != "[DONE]"]
    tokens = sum(bool(choice["delta"].get("content")) for each in said for choice in each.get("choices", ()))
    code = said[-1].get("error", {}).get("code")
    assert (code is None) == (events[-1] == "[DONE]")
    return tokens, code


async def rows(stage: Stage) -> dict[str, Any]:
    """All requests by their id, once they are settled."""
    await stage.settled()
    return {row["id"]: row for row in await fetch(stage.books.database, "SELECT * FROM requests")}


def session(stage: Stage) -> aiohttp.ClientSession:
    headers = {"authorization": stage.http.headers["authorization"]}
    return aiohttp.ClientSession(f"http://127.0.0.1:{stage.port}", headers=headers, connector=aiohttp.TCPConnector(limit=0))


async def refused(stage: Stage) -> httpx.Response:
    """Ask until nothing is let in any more. Whatever is refused says so properly, and has not touched the engine."""
    async with asyncio.timeout(PATIENCE):
        while True:
            before = len(stage.fake.received)
            response = await stage.http.post(CHAT, json=ASK)
            if response.status_code != 200:
                assert len(stage.fake.received) == before
                return response


async def until_answered(stage: Stage) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await stage.http.post(CHAT, json=ASK)).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_fault_01_the_engine_dies_under_twenty_streams(fresh: Stage) -> None:
    """Each ends with an error, is charged with the tokens that it had, and the next request brings the engine back."""
    fresh.fault(inter_token=0.01, tokens=1000)
    async with session(fresh) as http:
        asking = [asyncio.create_task(streamed(http, max_tokens=60)) for _ in range(20)]
        async with asyncio.timeout(PATIENCE):
            while len(fresh.fake.received) < 20 or min(each.tokens for each in fresh.fake.received) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        fresh.speaks.clear()
        await fresh.time.settle()
        await fresh.die()
        told = await asyncio.gather(*asking)
        assert (await fresh.http.get(READY)).json()["reason"].startswith("The engine failed")
        fresh.speaks.set()
        fresh.fault(inter_token=0.0)
        await fresh.time.advance(5)
        assert await streamed(http, max_tokens=5) == (5, None)
    assert {code for _, code in told} == {"engine_unavailable"}
    found = await rows(fresh)
    aborted = sorted(row["completion_tokens"] for row in found.values() if row["outcome"] == "aborted")
    assert aborted == sorted(tokens for tokens, _ in told)
    assert Counter(row["outcome"] for row in found.values()) == {"aborted": 20, "complete": 1}


async def test_fault_02_the_engine_hangs_and_its_health_lies(fresh: Stage) -> None:
    """Streams end with an error when no byte has come for too long, and what they had is charged. That such an engine is replaced, a
    process of it stopped, is in tests/server/test_faults.py."""
    fresh.fault(inter_token=0.01, tokens=1000)
    async with session(fresh) as http:
        asking = [asyncio.create_task(streamed(http, max_tokens=60)) for _ in range(5)]
        async with asyncio.timeout(PATIENCE):
            while len(fresh.fake.received) < 5 or min(each.tokens for each in fresh.fake.received) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        fresh.fault(fault=Fault.FREEZE)
        told = await asyncio.gather(*asking)
    assert {code for _, code in told} == {"deadline_exceeded"}
    found = await rows(fresh)
    assert sorted(row["completion_tokens"] for row in found.values()) == sorted(tokens for tokens, _ in told)
    assert {row["outcome"] for row in found.values()} == {"aborted"}


@pytest.mark.parametrize("slices", [1, 7])
async def test_fault_03_the_connection_to_the_engine_is_reset_or_cut_or_dribbles(fresh: Stage, slices: int) -> None:
    """Never a clean end of what is not whole; and what comes byte by byte is what was sent."""
    fresh.reset()
    for fault, code in ((Fault.DIE, "engine_unavailable"), (Fault.END_EARLY, "engine_unavailable"), (Fault.ERROR_EVENT, "engine_error")):
        await relaying.test_a_stream_that_breaks_ends_with_an_error(fresh, fault, code, slices)
    fresh.reset()
    for path in (relaying.CHAT, relaying.TEXT):
        await relaying.test_a_stream_survives_any_cutting(fresh, path, slices)


@pytest.mark.parametrize("stream", [True, False])
async def test_fault_04_the_caller_goes_away(fresh: Stage, stream: bool) -> None:
    """The engine is told, the seat is free, and what was made for him is charged."""
    fresh.reset()
    await relaying.test_a_caller_who_leaves_stops_the_engine(fresh, stream, pipelined=False)
    assert await fresh.metric("troupe_requests_admitted") == 0
    (row,) = (await rows(fresh)).values()
    assert row["outcome"] == "aborted"
    assert abs(row["completion_tokens"] - fresh.fake.received[0].tokens) <= 1


async def test_fault_04_the_caller_does_not_read(tmp_path: Path, base: Base, settings: GatewaySettings) -> None:
    """His socket is full, and stays so: he is let go after the write timeout."""
    await stopping.test_a_caller_who_does_not_read_is_let_go(tmp_path, base, settings)


async def test_fault_05_the_gateway_is_told_to_end_under_fifty_streams(tmp_path: Path) -> None:
    """Half of them end within its patience and are whole, the others are told; exit code 0, no row is open, and each says what was made."""
    async with installed(tmp_path, drain_timeout=2) as installation:
        gateway, engine = installation.gateway, installation.engine
        engine.settings = replace(engine.settings, tokens=100, inter_token=0.2)
        headers = {"authorization": f"Bearer {CHAT_KEY}"}
        async with aiohttp.ClientSession(gateway.url, headers=headers, connector=aiohttp.TCPConnector(limit=0)) as http:
            asking = [asyncio.create_task(streamed(http, model="base", max_tokens=2 if each % 2 else 60)) for each in range(50)]
            async with asyncio.timeout(PATIENCE):
                while len(engine.received) < 50:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            assert await gateway.end(signal.SIGTERM) == 0
            told = Counter(await asyncio.gather(*asking))
        assert told[2, None] == 25
        assert sum(count for (_, code), count in told.items() if code == "engine_unavailable") == 25
        found = await fetch(installation.database, "SELECT outcome, completion_tokens AS tokens FROM requests")
        assert sorted(row["tokens"] for row in found) == sorted(tokens for tokens, _ in told.elements())
        assert Counter(row["outcome"] for row in found) == {"complete": 25, "aborted": 25}


async def test_fault_06_the_gateway_is_killed(tmp_path: Path) -> None:
    """Three times; test_billing_kills.py does it a thousand times, and on PostgreSQL."""
    async with installed(tmp_path) as installation:
        assert set(await kill(installation, 3)) <= {"complete", "lost"}


async def ill(stage: Stage) -> str:
    """What a gateway says that cannot write."""
    response = await refused(stage)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "ledger_unavailable")
    assert int(response.headers["retry-after"]) >= 1
    ready = await stage.http.get(READY)
    assert ready.status_code == 503
    assert not [name for name in stage.hidden if name in response.text + ready.text]
    return str(ready.json()["reason"])


@pytest.mark.parametrize("trouble", [Disk.fill, Disk.lock, Disk.fall_silent])
async def test_fault_07_the_disk(tmp_path: Path, base: Base, settings: GatewaySettings, trouble: Callable[[Disk], Awaitable[None]]) -> None:
    """It is full, held by somebody else, or does not answer: nothing runs that is not written down, `/health/ready` says why, what was
    running is settled once the disk is well, and nothing is lost or doubled."""
    async with sick_books(tmp_path / "accounts") as (books, disk), open_stage(tmp_path, base, settings, books=books) as stage:
        stage.speaks.clear()
        running = [asyncio.create_task(stage.http.post(CHAT, json=ASK)) for _ in range(5)]
        await stage.asked(5)
        await trouble(disk)
        stage.speaks.set()
        assert {each.status_code for each in await asyncio.gather(*running)} == {200}
        assert await ill(stage) == "Requests cannot be written down, so none are answered; the gateway's log says why."
        disk.heal()
        await until_answered(stage)
        assert (await stage.http.get(READY)).status_code == 200
        found = await rows(stage)
        made = {each.request_id: each.tokens for each in stage.fake.received}
        assert set(made) <= set(found)
        assert all(found[name]["completion_tokens"] == tokens for name, tokens in made.items())
        assert {row["outcome"] for name, row in found.items() if name not in made} <= {"failed"}
        await assert_adds_up(books.database)
        assert await fetch(books.database, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]


def test_fault_08_a_crash_at_any_step_of_the_registry(tmp_path: Path) -> None:
    """At some of them; tests/adapters/registry/test_crashes.py tries more, and in the soak all."""
    counted = crash(compiled(tmp_path), "--operations", "publish", "promote", "rollback", "gc", "--first", "2", "--step", "60")
    assert all(count["tried"] for count in counted.values())


async def test_fault_09_a_bad_version_is_promoted_under_load(fresh: Stage) -> None:
    """It is refused, nobody who talks meanwhile notices, and the old one still answers."""
    second = fresh.memory.held.versions["zizou"][2]
    fresh.fault(voices={second.engine_name: Voice(fault=Fault.NOT_FINITE)}, inter_token=0.002)
    moving, answered = True, Counter[str]()

    async def talk() -> None:
        while moving:
            response = await fresh.http.post(CHAT, json=ASK)
            assert response.status_code == 200, response.text
            answered[response.headers["x-troupe-adapter"]] += 1

    callers = [asyncio.create_task(talk()) for _ in range(10)]
    for _ in range(3):
        moved = await fresh.http.put("/admin/v1/communities/zizou/aliases/live", json={"version": 2}, headers=ADMIN)
        assert (moved.status_code, moved.json()["error"]["type"]) == (409, "invalid_request_error")
    moving = False
    await asyncio.gather(*callers)
    assert set(answered) == {"zizou@1"}


async def test_fault_10_adapters_come_and_go_while_others_speak(tmp_path: Path, base: Base, settings: GatewaySettings) -> None:
    """Eight voices, two slots, fifty streams: each is heard in its own voice, to its end, though adapters are thrown out all the time."""
    async with open_stage(tmp_path, base, settings, bounds=Bounds(slots=2, batch=16, longest_swap=0.2)) as stage:
        names = [f"voice-{number}" for number in range(8)]
        entries = {name: stage.memory.add(manifest(base, name), "live") for name in names}
        await stage.seen()
        voices = {each.engine_name: Voice((f" {name}",)) for name, each in entries.items()}
        stage.fake.settings = FakeSettings(api_key=ENGINE_KEY, voices=voices, tokens=10, inter_token=0.001, load=0.002)
        talking = True

        async def churn() -> None:
            """The engine's own cache throws adapters out; who needs one has it loaded again."""
            while talking:
                for name in list(stage.fake.loaded):
                    stage.fake.loaded.remove(name)
                await asyncio.sleep(0.005)

        async def listen(number: int) -> None:
            name = names[number % len(names)]
            response = await stage.http.post(CHAT, json={**ASK, "model": name, "stream": True, "max_tokens": 10})
            *events, end = [line[6:] for line in response.text.splitlines() if line.startswith("data: ")]
            assert end == "[DONE]"
            assert "".join(json.loads(each)["choices"][0]["delta"].get("content", "") for each in events) == f" {name}" * 10

        churning = asyncio.create_task(churn())
        await asyncio.gather(*(listen(number) for number in range(50)))
        talking = False
        await churning
        assert len(stage.fake.loads) > len(names)


async def test_fault_11_one_community_asks_for_ten_times_as_much_as_there_is(tmp_path: Path, base: Base, settings: GatewaySettings) -> None:
    """No more wait than may; all others are refused while nothing at all moves: whose own share is full by 429, as rates are, and where
    everything is full by 503. Who asks little beside it finds room, and everybody who was let in is answered."""
    bounds = Bounds(slots=2, batch=4, waiting=8)
    async with open_stage(tmp_path, base, settings, bounds=bounds) as stage:
        stage.speaks.clear()
        hog = [asyncio.create_task(stage.http.post(CHAT, json={**ASK, "model": "base"})) for _ in range(MANY)]
        async with asyncio.timeout(PATIENCE):
            while sum(each.done() for each in hog) + len(stage.fake.received) + await waiting(stage) < MANY:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert len(stage.fake.received) == await stage.metric_now("troupe_seats")
        before = await waiting(stage)
        assert 0 < before < bounds.waiting
        late = await stage.http.post(CHAT, json={**ASK, "model": "base"})
        assert late.status_code == 429
        modest = asyncio.create_task(stage.http.post(CHAT, json=ASK))
        async with asyncio.timeout(PATIENCE):
            while await waiting(stage) == before:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        stage.speaks.set()
        told = await asyncio.gather(*hog)
        assert (await modest).status_code == 200
        assert late.headers["x-request-id"] not in await rows(stage)  # who is only told to come again is not written down for it
        refusals = [each for each in told if each.status_code != 200]
        assert len(told) - len(refusals) == len(stage.fake.received) - 1
        for each in refusals:
            assert (each.status_code, each.json()["error"]["code"]) in ((429, "rate_limit_exceeded"), (503, "server_is_overloaded"))
            assert int(each.headers["retry-after"]) >= 1


async def waiting(stage: Stage) -> float:
    return await stage.metric_now("troupe_requests_queued")


async def test_fault_11_many_callers_at_an_engine_that_sleeps(fresh: Stage) -> None:
    """One wake, though there are fifty of them."""
    await waking.test_many_callers_at_a_sleeping_engine(fresh)


async def test_fault_11_and_its_first_start_is_killed(fresh: Stage) -> None:
    """Another start, and nobody hears of it."""
    await waking.test_the_first_start_is_killed_under_many_callers(fresh)
