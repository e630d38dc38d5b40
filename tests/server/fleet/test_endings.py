import asyncio
from dataclasses import replace

import pytest

from server.fleet.engine import Cause, EngineState
from server.fleet.errors import Stopping, WakeFailed
from server.fleet.fake import KILLED, ManualTime, ScriptedEngine
from server.fleet.fleet import Fleet, Lease
from tests.server.fleet.stage import POLICY, Hangs, Scene, errors_of, scene


async def test_an_engine_that_dies_under_its_callers_is_woken_again() -> None:
    """After the first pause, once what is left of it is gone; leases on the old one end without harm."""
    async with scene() as it:
        async with it.awake() as old:
            await it.engine.die()
            await it.time.settle()
            assert it.is_in(EngineState.FAILED)
            assert it.fleet.failure == KILLED
            assert it.engine.stopped == [True]
            old.lost()
            next_one = it.come(deadline=60)
            await it.time.advance(1.0)
            assert next_one.result().epoch == old.epoch + 1
        assert (it.fleet.in_flight, it.fleet.failed_wakes) == (0, 0)


async def test_a_lost_request_makes_others_wait_until_the_engine_answers() -> None:
    """A healthy answer is enough; what an old engine lost says nothing of the new one."""
    async with scene() as it, it.awake() as lease:
        lease.lost()
        lease.lost()
        waiting = it.come()
        await it.time.settle()
        assert (waiting.done(), it.health.asked, it.fleet.state) == (False, 1, EngineState.READY)
        it.health.answer.set()
        await it.time.settle()
        assert waiting.result().epoch == lease.epoch
        it.health.answer.clear()
        await it.engine.die()
        await it.time.advance(1.0)
        assert it.is_in(EngineState.READY)
        lease.lost()
        assert (await it.come()).epoch == lease.epoch + 1


async def test_a_lost_request_is_the_first_sign_of_a_death() -> None:
    """Nobody is sent to the engine that is about to be known as dead; they get the next one."""
    async with scene() as it, it.awake() as lease:
        it.health.well = False
        it.health.answer.set()
        lease.lost()
        waiting = it.come()
        await it.time.settle()
        assert not waiting.done()
        await it.engine.die()
        await it.time.advance(1.0)
        assert waiting.result().epoch == lease.epoch + 1


async def test_an_engine_that_answers_no_more_after_a_lost_request_is_replaced() -> None:
    """Even if its process stays."""
    async with scene() as it, it.awake() as lease:
        it.health.well = False
        it.health.answer.set()
        lease.lost()
        await it.time.advance(POLICY.doubt_timeout + 0.5)
        assert it.engine.stopped == [True]
        assert it.fleet.failure is not None
        assert it.fleet.failure.cause is Cause.HUNG


async def test_a_distrusted_engine_is_replaced_when_its_requests_are_done() -> None:
    """Those in flight go on, those who come wait for the next engine; twice in a row it is not done."""
    async with scene() as it:
        async with it.awake() as lease:
            lease.distrust()
            waiting = it.come()
            await it.time.advance(10.0)
            assert (it.is_in(EngineState.DRAINING), it.engine.stopped, waiting.done()) == (True, [], False)
        await it.time.settle()
        assert (it.engine.stopped, waiting.result().epoch) == ([True], lease.epoch + 1)
        async with it.awake() as again:
            lease.distrust()
            again.distrust()
            await it.time.settle()
            assert it.is_in(EngineState.READY)


async def test_what_is_said_of_an_engine_that_is_gone_harms_no_other() -> None:
    """Its numbers were its own."""
    async with scene() as it, it.awake() as old:
        await it.engine.die()
        await it.time.advance(1.0)
        old.distrust()
        await it.time.settle()
        assert (it.is_in(EngineState.READY), it.engine.stopped, it.engine.started) == (True, [True], 2)


async def test_an_engine_that_makes_no_token_is_killed_and_replaced() -> None:
    """The watchdog's word is as good as the engine's end."""

    async with scene(watchdog=Hangs) as it, it.awake() as lease:
        await it.time.advance(30.0)
        assert it.engine.stopped == [True]
        assert it.fleet.failure is not None
        assert it.fleet.failure.cause is Cause.HUNG
        lease.progressed()  # of an engine that is gone: no sign of life of the next one
        await it.time.advance(1.0)
        assert it.is_in(EngineState.READY)
        lease.progressed()
        await it.time.advance(30.0)
        assert it.engine.stopped == [True, True]
        await it.time.advance(1.0)
        async with it.awake() as third:
            third.progressed()
            await it.time.advance(60.0)
            assert it.is_in(EngineState.READY)


async def test_an_engine_is_woken_at_the_start_if_that_is_the_policy() -> None:
    """And sleeps when nobody comes."""
    async with scene(replace(POLICY, wake_at_start=True)) as it:
        assert it.is_in(EngineState.READY)
        await it.time.advance(301.0)
        assert it.is_in(EngineState.ASLEEP)


async def test_who_waits_is_told_at_once_when_everything_stops() -> None:
    """Leases in flight go on; nobody gets a new one."""
    async with scene() as it:
        async with it.awake() as lease:
            await it.engine.die()
            await it.time.settle()
            waiting = it.come()
            await it.time.settle()
            it.fleet.begin_stop()
            assert [type(each) for each in await errors_of(waiting, it.come())] == [Stopping, Stopping]
            assert (it.fleet.stopping, it.fleet.in_flight) == (True, 1)
            lease.progressed()
            await it.time.advance(3600.0)
        assert it.engine.started == 1


@pytest.mark.parametrize("moment", ["asleep", "waking", "ready", "draining", "failed"])
async def test_closing_leaves_nothing_whatever_is_under_way(moment: str) -> None:
    """A start is broken off, a stop is waited for; the engine is closed in each case, and never called twice at once."""
    it = Scene()
    await it.fleet.open()
    if moment == "waking":
        it.engine.hold()
    elif moment == "failed":
        it.engine.will(KILLED)
    if moment != "asleep":
        waiting = it.come()
        await it.time.settle()
    if moment == "draining":
        it.engine.hold_stops()
        await it.time.advance(301.0)
    assert it.fleet.state == moment
    closing = asyncio.create_task(it.fleet.close())
    await it.time.settle()
    assert closing.done() == (moment != "draining")
    it.engine.release_stops()
    await closing
    assert (it.engine.closed, it.engine.alive, it.engine.broken, it.fleet.state) == (True, False, [], EngineState.ASLEEP)
    if moment != "asleep":
        assert [type(each) for each in await errors_of(waiting)] == [Lease if moment in ("ready", "draining") else Stopping]


async def test_a_bug_in_an_engine_is_a_failed_wake() -> None:
    """It is retried like any other, and nobody hangs for it."""

    async def broken() -> None:
        raise ZeroDivisionError

    time = ManualTime()
    fleet = Fleet(ScriptedEngine(up=broken), POLICY, clock=time, pause=time.pause)
    await fleet.open()

    async def call() -> None:
        async with fleet.lease():
            pass

    calling = asyncio.create_task(call())
    await time.advance(20.0)
    with pytest.raises(WakeFailed) as told:
        await calling
    assert told.value.failure.cause is Cause.CRASHED
    assert fleet.failed_wakes == 3
    await fleet.close()


async def test_nobody_waits_for_a_loop_that_broke() -> None:
    """A bug of ours is in the log; callers are told to go elsewhere, and the fleet says that it stops."""
    time = ManualTime()

    async def broken(event: asyncio.Event, seconds: float | None) -> None:
        await event.wait()
        if fleet.waiting:
            raise ZeroDivisionError

    fleet = Fleet(ScriptedEngine(held=True), POLICY, clock=time, pause=broken)
    await fleet.open()
    await time.settle()
    with pytest.raises(Stopping):
        async with fleet.lease():
            pass
    assert fleet.stopping
    await fleet.close()


async def test_whoever_watches_hears_of_each_change() -> None:
    """From asleep to waking to ready."""
    async with scene() as it:
        it.engine.hold()
        heard: list[EngineState] = []

        async def listen() -> None:
            while len(heard) < 2:
                await it.fleet.wait_for_change()
                heard.append(it.fleet.state)

        listening = asyncio.create_task(listen())
        it.come()
        await it.time.settle()
        it.engine.release()
        await listening
        assert heard == [EngineState.WAKING, EngineState.READY]
