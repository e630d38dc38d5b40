import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from server.fleet.engine import Cause, Endpoint
from server.fleet.fake import ManualTime
from server.fleet.watchdog import PROBE, Watchdog, engine_signs

ENDPOINT = Endpoint("http://engine")


class Scripted:
    """`Signs` that say what a test says."""

    def __init__(self) -> None:
        self.asked = 0
        self.alive = False
        self.ended = False

    def ask(self) -> None:
        self.asked += 1

    def seen(self) -> bool:
        return self.alive

    @asynccontextmanager
    async def open(self, endpoint: Endpoint) -> AsyncIterator["Scripted"]:
        yield self
        self.ended = True


class Watch:
    """A watchdog over a scripted engine, on a clock that stands still."""

    def __init__(self) -> None:
        self.time = ManualTime()
        self.signs = Scripted()
        self.moved = 0
        dog = Watchdog(hang_timeout=30.0, beat=5.0, clock=self.time, pause=self.time.pause, signs=self.signs.open)
        self.task = asyncio.create_task(dog.watch(ENDPOINT, lambda: self.moved))


async def test_an_idle_engine_that_proves_nothing_is_hung_after_its_time() -> None:
    """Not before; whether anybody uses it makes no difference."""
    watch = Watch()
    await watch.time.advance(29.0)
    assert not watch.task.done()
    assert watch.signs.asked == 5
    await watch.time.advance(1.0)
    assert (await watch.task).cause is Cause.HUNG
    assert watch.signs.ended


async def test_bytes_that_callers_get_are_proof_enough() -> None:
    """An engine that answers is asked for nothing."""
    watch = Watch()
    for _ in range(100):
        await watch.time.advance(4.0)
        watch.moved += 1
        await watch.time.advance(1.0)
    assert (watch.task.done(), watch.signs.asked) == (False, 0)
    await watch.time.advance(31.0)
    assert watch.task.done()


async def test_a_token_that_had_to_be_asked_for_is_as_good() -> None:
    """The silence begins anew with it."""
    watch = Watch()
    await watch.time.advance(29.0)
    watch.signs.alive = True
    await watch.time.advance(600.0)
    assert not watch.task.done()
    watch.signs.alive = False
    await watch.time.advance(31.0)
    assert watch.task.done()


async def test_time_in_which_we_were_stopped_ourselves_is_not_held_against_the_engine() -> None:
    """A gateway that was frozen for an hour gives the engine the chance to answer."""
    watch = Watch()
    await watch.time.settle()
    watch.time.now += 3600.0
    await watch.time.advance(0.0)
    assert (watch.task.done(), watch.signs.asked) == (False, 1)
    await watch.time.advance(31.0)
    assert watch.task.done()


class Server:
    """vLLM's two routes that the watchdog asks, of an engine that may freeze."""

    def __init__(self) -> None:
        self.probes: list[object] = []
        self.open = 0
        self.most_open = 0
        self.tokens = 0.0
        self.read = 0
        """How often the counters were."""
        self.counting = False
        self.probe_status = 200
        self.frozen, self.third, self.nobody = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.url = ""

    async def probe(self, request: web.Request) -> web.Response:
        self.probes.append((await request.json(), request.headers.get("authorization")))
        if len(self.probes) == 3:
            self.third.set()
        self.nobody.clear()
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            if self.frozen.is_set():
                await asyncio.Event().wait()
            return web.json_response({}, status=self.probe_status)
        finally:
            self.open -= 1
            self.nobody.set()

    async def metrics(self, request: web.Request) -> web.Response:
        self.read += 1
        self.tokens += self.counting
        return web.Response(
            text="# HELP vllm:generation_tokens_total Number of generation tokens processed.\n"
            'vllm:generation_tokens_created{engine="0"} 1.7e9\n'
            f'vllm:prompt_tokens_total{{engine="0",model_name="base"}} 14.0\n'
            f'vllm:generation_tokens_total{{engine="0",model_name="base"}} {self.tokens}\n'
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Server"]:
        app = web.Application()
        app.router.add_post("/v1/completions", self.probe)
        app.router.add_get("/metrics", self.metrics)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


async def test_a_frozen_engine_is_noticed_over_the_wire() -> None:
    """It takes connections and answers none; one probe at a time is open, and that one is given up at the end."""
    async with Server().running() as server:
        dog = Watchdog(hang_timeout=1.5, beat=0.05)
        watching = asyncio.create_task(dog.watch(Endpoint(server.url, api_key="secret"), lambda: 0))
        async with asyncio.timeout(30):
            await server.third.wait()
        assert server.probes[0] == (PROBE, "Bearer secret")
        assert not watching.done()
        server.frozen.set()
        async with asyncio.timeout(30):
            assert (await watching).cause is Cause.HUNG
            await server.nobody.wait()
        assert server.most_open == 1


async def proved(server: Server, *, looks: int) -> bool:
    """Whether anything was proved while the counters were read so often."""
    until_read = server.read + looks
    async with engine_signs(Endpoint(server.url)) as signs, asyncio.timeout(30):
        while server.read < until_read:
            signs.ask()
            await asyncio.sleep(0.01)
            if signs.seen():
                return True
    return False


async def test_counters_that_go_on_prove_what_a_probe_cannot() -> None:
    """An engine that is busy with others may let the probe wait; one whose counters stand still proves nothing."""
    async with Server().running() as server:
        server.frozen.set()
        assert not await proved(server, looks=5)
        server.counting = True
        assert await proved(server, looks=50)
        assert server.most_open == 1
        assert not [task for task in asyncio.all_tasks() if "EngineSigns" in repr(task)], "a question goes on"


@pytest.mark.parametrize(("status", "proves"), [(200, True), (404, True), (401, True), (500, False), (503, False)])
async def test_a_refused_probe_is_not_held_against_the_engine_and_a_failed_one_is(status: int, proves: bool) -> None:
    """One that cannot be asked this way cannot be judged by it either; an error of its own is no token."""
    async with Server().running() as server:
        server.probe_status = status
        assert await proved(server, looks=20) is proves


async def test_an_engine_that_is_not_there_hangs_too() -> None:
    """Whether the process lives is for others to notice; here only tokens count."""
    async with asyncio.timeout(30):
        failure = await Watchdog(hang_timeout=0.4, beat=0.05).watch(Endpoint("http://127.0.0.1:9"), lambda: 0)
    assert failure.cause is Cause.HUNG
