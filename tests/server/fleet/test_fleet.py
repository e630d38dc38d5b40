import asyncio
from dataclasses import replace

import pytest

from server.fleet.engine import Cause, EngineState, Failure
from server.fleet.errors import DeadlinePassed, EngineAsleep, QueueFull, WakeFailed
from server.fleet.fake import KILLED
from server.fleet.fleet import Lease
from tests.server.fleet.stage import POLICY, errors_of, scene

REFUSED = Failure(Cause.SETTINGS, "There is no base at /srv/secret.")


async def test_fifty_who_come_at_once_wake_one_engine_and_are_all_served_in_order() -> None:
    """One start, fifty leases, first come first served; each knows that it woke it and how long it waited."""
    async with scene() as it:
        it.engine.hold()
        served: list[int] = []

        async def call(number: int) -> Lease:
            async with it.fleet.lease(deadline=60) as lease:
                served.append(number)
                return lease

        tasks = [asyncio.create_task(call(number)) for number in range(50)]
        await it.time.advance(2.5)
        assert (it.fleet.waiting, it.engine.started) == (50, 1)
        it.engine.release()
        leases = await asyncio.gather(*tasks)
        assert served == list(range(50))
        assert {(lease.woke, lease.waited) for lease in leases} == {(True, 2.5)}
        assert (it.engine.started, it.fleet.wakes, it.fleet.last_wake_seconds) == (1, 1, 2.5)
        assert (it.fleet.waiting, it.fleet.in_flight) == (0, 0)


async def test_a_ready_engine_is_given_at_once() -> None:
    """Without a turn of the loop; it was not woken for that."""
    async with scene() as it, it.awake(), it.fleet.lease() as second:
        assert (second.woke, second.waited, it.fleet.in_flight) == (False, 0.0, 2)


async def test_callers_stay_through_a_failed_wake() -> None:
    """Fifty of them, with the first engine killed as it starts: two starts, fifty answers."""
    async with scene() as it:
        it.engine.will(KILLED)
        tasks = [it.come(deadline=60) for _ in range(50)]
        await it.time.advance(1.5)
        assert not [each for each in await errors_of(*tasks) if isinstance(each, BaseException)]
        assert (it.engine.started, it.fleet.wakes, it.fleet.failed_wakes) == (2, 1, 1)
        assert it.fleet.failure is None


async def test_callers_are_told_when_wakes_go_on_failing() -> None:
    """All of them, after the last failure through which they stay; they learn why, when to come again, and no path."""
    async with scene() as it:
        it.engine.will(KILLED, KILLED, KILLED)
        tasks = [it.come() for _ in range(3)]
        await it.time.advance(10.0)
        told = await errors_of(*tasks)
        assert [type(each) for each in told] == [WakeFailed] * 3
        assert isinstance(told[0], WakeFailed)
        assert (told[0].failure, told[0].retry_after) == (KILLED, 5)
        assert "/" not in str(told[0])
        assert it.engine.started == 3


async def test_newcomers_are_told_at_once_until_the_next_wake_is_due() -> None:
    """With what is left of the pause as retry_after; nothing is started for them."""
    async with scene() as it:
        it.engine.will(REFUSED)
        first = it.come()
        await it.time.settle()
        assert isinstance((await errors_of(first))[0], WakeFailed)
        await it.time.advance(2.0)
        (told,) = await errors_of(it.come())
        assert isinstance(told, WakeFailed)
        assert (told.retry_after, told.failure, it.engine.started) == (3, REFUSED, 1)
        await it.time.advance(3.0)
        late = it.come()
        await it.time.settle()
        assert it.engine.started == 2
        assert (await late).woke


async def test_a_deadline_ends_the_wait_and_not_the_wake() -> None:
    """Its caller is told when to come again; the engine is ready for the next one."""
    async with scene() as it:
        it.engine.hold()
        short, long = it.come(deadline=5.0), it.come(deadline=50.0)
        await it.time.advance(4.9)
        assert not short.done()
        await it.time.advance(0.2)
        (told,) = await errors_of(short)
        assert isinstance(told, DeadlinePassed)
        assert told.retry_after >= 1
        it.engine.release()
        await it.time.settle()
        assert long.result().waited == pytest.approx(5.1)


async def test_a_deadline_before_the_next_try_is_told_at_once() -> None:
    """Nothing could happen in its time."""
    async with scene() as it:
        it.engine.will(KILLED, KILLED)
        it.come()
        await it.time.advance(1.5)  # the second has failed, the third is due in 1.5 s
        (told,) = await errors_of(it.come(deadline=1.0))
        assert isinstance(told, WakeFailed)
        assert told.retry_after == 2
        patient = it.come(deadline=2.0)
        await it.time.advance(1.5)
        assert patient.result().woke


async def test_as_many_wait_as_may_and_no_more() -> None:
    """Those who wait already are not touched."""
    async with scene(replace(POLICY, max_waiting=2)) as it:
        it.engine.hold()
        tasks = [it.come(), it.come()]
        await it.time.settle()
        (told,) = await errors_of(it.come())
        assert isinstance(told, QueueFull)
        assert it.fleet.waiting == 2
        it.engine.release()
        assert all(lease.woke for lease in await asyncio.gather(*tasks))


async def test_callers_who_go_away_leave_no_trace() -> None:
    """Before they are served, and in the very turn in which they are."""
    async with scene() as it:
        it.engine.hold()
        early, late, stays = it.come(), it.come(), it.come()
        await it.time.settle()
        early.cancel()
        await it.time.settle()
        assert it.fleet.waiting == 2
        it.engine.release()
        for _ in range(100):
            if not it.fleet.waiting:
                break
            await asyncio.sleep(0)
        late.cancel()
        await asyncio.gather(early, late, stays, return_exceptions=True)
        assert (early.cancelled(), late.cancelled(), stays.result().woke) == (True, True, True)
        assert (it.fleet.waiting, it.fleet.in_flight) == (0, 0)
        await it.time.advance(3600.0)
        assert it.is_in(EngineState.ASLEEP)


async def test_an_hour_of_looking_at_it_does_not_keep_it_up() -> None:
    """A scrape a second; it drains once, at the idle timeout, and then nothing stirs."""
    async with scene() as it:
        async with it.awake():
            pass
        changes: list[EngineState] = []
        for _ in range(3600):
            await it.time.advance(1.0)
            if not changes or changes[-1] is not it.fleet.state:
                changes.append(it.fleet.state)
            assert (it.fleet.waiting, it.fleet.in_flight, it.fleet.failure) == (0, 0, None)
        assert changes == [EngineState.READY, EngineState.ASLEEP]
        assert (it.engine.started, it.engine.stopped) == (1, [False])
        assert it.time.pauses < 20
        assert it.fleet.idle_seconds == pytest.approx(3600.0)


async def test_warming_counts_as_use() -> None:
    """It wakes the engine and postpones its sleep; it does not wait."""
    async with scene() as it:
        it.fleet.wake()
        assert it.is_in(EngineState.ASLEEP)
        await it.time.advance(200.0)
        assert it.is_in(EngineState.READY)
        it.fleet.wake()
        await it.time.advance(200.0)
        assert it.is_in(EngineState.READY)
        await it.time.advance(200.0)
        assert it.is_in(EngineState.ASLEEP)


async def test_it_sleeps_a_while_after_the_end_of_the_last_request() -> None:
    """However long that one took, and though it did not have to wait."""
    async with scene() as it:
        async with it.awake():
            pass
        async with it.fleet.lease():
            await it.time.advance(1000.0)
            assert it.fleet.idle_seconds is None
        await it.time.advance(299.0)
        assert it.is_in(EngineState.READY)
        await it.time.advance(1.0)
        assert it.is_in(EngineState.ASLEEP)


async def test_an_errand_of_our_own_neither_wakes_nor_keeps_awake_but_is_waited_for() -> None:
    """Asleep it is turned away at once; ready, no drain begins under it, and its end is no activity."""
    async with scene() as it:
        with pytest.raises(EngineAsleep):
            async with it.fleet.lease(counts=False):
                pass
        assert it.engine.started == 0
        async with it.awake():
            pass
        async with it.fleet.lease(counts=False):
            await it.time.advance(400.0)
            assert it.is_in(EngineState.READY)
            assert it.fleet.idle_seconds == pytest.approx(400.0)
        await it.time.settle()
        assert it.is_in(EngineState.ASLEEP)


async def test_who_comes_while_it_drains_gets_the_next_engine() -> None:
    """No lease on an engine that is about to end, and none is refused for it."""
    async with scene() as it:
        async with it.awake() as first:
            pass
        it.engine.hold_stops()
        await it.time.advance(301.0)
        assert it.is_in(EngineState.DRAINING)
        kept = it.come(deadline=60)
        await it.time.settle()
        assert not kept.done()
        it.engine.release_stops()
        await it.time.settle()
        assert kept.result().epoch == first.epoch + 1


async def test_no_lease_is_given_in_the_turn_in_which_it_is_decided_to_drain() -> None:
    """Whoever comes at that very moment either keeps the engine or gets the next one: the fake engine would say if it were stopped
    under anybody, and whoever holds a lease sees a live engine."""
    async with scene(replace(POLICY, idle_timeout=1.0)) as it:
        for moment in range(40):
            await it.time.advance(0.05 * moment)
            for _ in range(moment % 7):
                await asyncio.sleep(0)
            async with it.fleet.lease(deadline=100):
                for _ in range(5):
                    assert it.engine.alive
                    await asyncio.sleep(0)
