import asyncio
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from server.fleet.engine import Cause, EngineState, Failure
from server.fleet.errors import FleetError
from server.fleet.fake import KILLED, ScriptedEngine
from server.fleet.fleet import Fleet, Lease
from tests.server.fleet.stage import POLICY, Scene

SHORT = replace(POLICY, idle_timeout=5.0, max_waiting=8, drain_timeout=10.0, distrust_every=60.0)
REFUSED = Failure(Cause.SETTINGS, "refused")


class Strict(ScriptedEngine):
    """Notices a stop under a caller."""

    fleet: Fleet

    async def stop(self, *, force: bool = False) -> None:
        if not force and self.fleet.in_flight:
            self.broken.append("a stop under a caller")
        await super().stop(force=force)


class Storm(Scene):
    """Callers who come, hold, lose and leave while engines die and fail to start."""

    def __init__(self) -> None:
        super().__init__(SHORT)
        engine = Strict()
        self.engine = engine
        self.fleet = Fleet(engine, SHORT, clock=self.time, pause=self.time.pause, ask=self.health)
        engine.fleet = self.fleet
        self.health.answer.set()
        self.leases: list[Lease] = []
        self.ends: list[tuple[float, float, float | None]] = []
        """When each caller who got no lease came, when it was told, and how long it would have waited."""

    async def call(self, deadline: float | None, stay: float, does: str) -> Lease:
        came = self.time.now
        try:
            async with self.fleet.lease(deadline=deadline) as lease:
                self.leases.append(lease)
                if not self.engine.alive:
                    self.engine.broken.append("a lease on an engine that is not there")
                await self.time.pause(asyncio.Event(), stay)
                {"progress": lease.progressed, "lose": lease.lost, "distrust": lease.distrust}[does]()
                return lease
        except FleetError:
            self.ends.append((came, self.time.now, deadline))
            raise

    async def happen(self, what: str, number: float) -> None:
        if what == "die":
            if self.engine.alive and self.fleet.state is EngineState.READY:
                await self.engine.die()
                await self.time.settle()  # a lease in the very moment of a death is possible, and no lie
        elif what == "leave" and self.tasks:
            self.tasks[int(number) % len(self.tasks)].cancel()
        elif what == "fail":
            self.engine.will(*[KILLED] * int(number))
        elif what == "refuse":
            self.engine.will(REFUSED)
        elif what == "wait":
            await self.time.advance(number)


HAPPENINGS = st.one_of(
    st.tuples(
        st.just("come"),
        st.sampled_from([None, 0.5, 3.0, 20.0]),
        st.sampled_from([0.0, 1.0, 4.0]),
        st.sampled_from(["progress", "progress", "lose", "distrust"]),
    ),
    st.tuples(st.sampled_from(["die", "leave", "fail", "refuse", "wait", "wait"]), st.sampled_from([0.0, 0.5, 1.0, 3.0, 6.0, 40.0])),
)


@settings(max_examples=60, deadline=None)
@given(happenings=st.lists(HAPPENINGS, max_size=60))
def test_in_any_storm_everybody_is_answered_or_told_and_no_engine_is_stopped_under_a_caller(happenings: list[tuple[str, ...]]) -> None:
    """Whoever waits hears within the deadline; afterwards the fleet is calm, and asleep unless its last engine failed."""

    async def weather() -> None:
        it = Storm()
        await it.fleet.open()
        for what, *rest in happenings:
            if what == "come":
                it.tasks.append(asyncio.create_task(it.call(*rest)))  # type: ignore[arg-type]
                await asyncio.sleep(0)
            else:
                await it.happen(what, rest[0])  # type: ignore[arg-type]
        it.engine.will()
        await it.time.advance(600.0)
        assert all(task.done() for task in it.tasks)
        results = await asyncio.gather(*it.tasks, return_exceptions=True)
        assert {type(each) for each in results if not isinstance(each, Lease | FleetError)} <= {asyncio.CancelledError}
        assert not [end for end in it.ends if end[2] is not None and end[1] > end[0] + end[2] + 0.001]
        assert (it.fleet.waiting, it.fleet.in_flight) == (0, 0)
        assert it.fleet.state in (EngineState.ASLEEP, EngineState.FAILED)
        assert not it.engine.alive
        stirred = it.time.pauses
        await it.time.advance(3600.0)
        assert it.time.pauses - stirred <= 1
        await it.fleet.close()
        assert it.engine.broken == []

    asyncio.run(weather())
