import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from server.fleet.engine import Cause, EngineDown, EngineState
from server.fleet.fleet import Fleet
from server.fleet.lifecycle import Policy
from server.fleet.remote import RemoteEngine


class Elsewhere:
    """An engine that somebody else runs."""

    def __init__(self) -> None:
        self.status = 503
        self.news = asyncio.Event()
        self.url = ""

    async def health(self, request: web.Request) -> web.Response:
        self.news.set()
        return web.Response(status=self.status)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Elsewhere"]:
        app = web.Application()
        app.router.add_get("/health", self.health)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def asked_again(self, times: int) -> None:
        async with asyncio.timeout(30):
            for _ in range(times):
                self.news.clear()
                await self.news.wait()


async def test_a_start_waits_until_it_answers() -> None:
    """However often it does not at first."""
    async with Elsewhere().running() as it:
        engine = RemoteEngine(it.url + "/", poll=0.01, patience=60)
        starting = asyncio.create_task(engine.start())
        await it.asked_again(5)
        assert not starting.done()
        it.status = 200
        async with asyncio.timeout(30):
            await starting


async def test_a_start_has_an_end_and_says_why() -> None:
    """The sentence for the operator names the address and what was wrong."""
    async with Elsewhere().running() as it:
        with pytest.raises(EngineDown) as told:
            await RemoteEngine(it.url, poll=0.01, patience=0.1).start()
        assert told.value.failure.cause is Cause.UNREACHABLE
        assert f"{it.url} cannot be used: it answers 503" in told.value.failure.sentence
    with pytest.raises(EngineDown, match="does not answer"):
        await RemoteEngine(it.url, poll=0.01, patience=0.1).start()


async def test_one_bad_answer_is_not_its_end_but_some_in_a_row_are() -> None:
    """A good one between begins the count anew."""
    async with Elsewhere().running() as it:
        it.status = 200
        engine = RemoteEngine(it.url, poll=0.1, misses=5)
        await engine.start()
        waiting = asyncio.create_task(engine.wait())
        it.status = 500
        await it.asked_again(1)
        it.status = 200
        await it.asked_again(5)
        assert not waiting.done()
        it.status = 500
        async with asyncio.timeout(30):
            assert (await waiting).cause is Cause.UNREACHABLE


async def until(fleet: Fleet, state: EngineState) -> None:
    while fleet.state is not state:
        await fleet.wait_for_change()


async def test_its_fleet_finds_it_again() -> None:
    """Always wanted: asked for until it is back, and never stopped in earnest."""
    policy = Policy(always=True, backoff=(0.05,), give_up_after=1)
    async with Elsewhere().running() as it:
        it.status = 200
        fleet = Fleet(RemoteEngine(it.url, poll=0.01, patience=0.05, misses=2), policy)
        await fleet.open()
        async with asyncio.timeout(30):
            async with fleet.lease() as first:
                assert first.endpoint.base_url == it.url
            it.status = 503
            await until(fleet, EngineState.FAILED)
            it.status = 200
            await until(fleet, EngineState.READY)
            async with fleet.lease() as second:
                assert second.epoch > first.epoch
        await fleet.close()
