from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from server.fleet.engine import EngineState, Failure
from server.fleet.lifecycle import (
    Action,
    Condition,
    Distrusted,
    Policy,
    Seen,
    given_up,
    hopeless,
    step,
    wanted,
)
from tests.server.fleet.world import KILLED, POLICY, REFUSED, World


class Lives(RuleBasedStateMachine):
    """Whatever happens, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(replace(POLICY, always=False))

    @rule()
    def arrive(self) -> None:
        self.world.arrive()

    @precondition(lambda self: self.world.waiting)
    @rule()
    def leave(self) -> None:
        self.world.waiting -= 1
        self.world.advance()

    @precondition(lambda self: self.world.in_flight)
    @rule()
    def finish(self) -> None:
        self.world.finish()

    @rule()
    def warm(self) -> None:
        self.world.last_activity = self.world.now
        self.world.advance()

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0, 29.9, 30.0, 299.0, 300.0, 601.0]))
    def wait(self, seconds: float) -> None:
        self.world.now += seconds
        self.world.advance()

    @precondition(lambda self: self.world.engine == "starting")
    @rule(failure=st.sampled_from([None, None, KILLED, REFUSED]))
    def start_ends(self, failure: Failure | None) -> None:
        self.world.start_ends(failure)

    @precondition(lambda self: self.world.engine == "ending")
    @rule()
    def stop_ends(self) -> None:
        self.world.stop_ends()

    @precondition(lambda self: self.world.engine == "up")
    @rule()
    def die(self) -> None:
        self.world.die()

    @rule()
    def distrust(self) -> None:
        self.world.advance(Distrusted())

    @invariant()
    def the_state_says_what_is_there(self) -> None:
        engine, state = self.world.engine, self.world.condition.state
        assert (engine == "starting") == (state is EngineState.WAKING)
        assert state is not EngineState.READY or engine == "up"
        assert state is not EngineState.ASLEEP or engine == "down"

    @invariant()
    def whoever_waits_waits_for_something(self) -> None:
        world = self.world
        if world.waiting:
            under_way = world.engine in ("starting", "ending") or world.in_flight
            assert under_way or world.advance().look is not None

    @invariant()
    def what_is_ready_is_used_or_wanted(self) -> None:
        world = self.world
        if world.is_in(EngineState.READY) and not world.in_flight:
            assert wanted(world.condition, world.seen(None), world.policy)

    def teardown(self) -> None:
        """Demand leads to a ready engine if starts succeed from now on; and without any, an hour later nothing runs."""
        world = self.world
        world.now = max(world.now, world.condition.retry_at)
        for _ in range(20):
            if not world.waiting and not world.is_in(EngineState.READY):
                world.arrive()
            if world.is_in(EngineState.READY):
                break
            world.go_on()
        assert world.is_in(EngineState.READY)
        assert world.condition.failure is None
        while world.in_flight:
            world.finish()
        stops = world.stops
        world.pass_time(3600.0)
        assert world.is_in(EngineState.ASLEEP)
        assert world.stops == stops + 1


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)


def awake(policy: Policy = POLICY) -> World:
    """With one request in flight."""
    world = World(policy)
    world.arrive()
    world.start_ends(None)
    assert world.is_in(EngineState.READY)
    return world


def test_an_hour_without_requests_ends_asleep_exactly_once() -> None:
    """Sixty minutes after the last request it has been stopped once, at the idle timeout, and hardly anything was looked at."""
    world = awake()
    world.finish()
    before = world.looks
    world.pass_time(3600.0)
    assert world.states == [EngineState.ASLEEP, EngineState.WAKING, EngineState.READY, EngineState.DRAINING, EngineState.ASLEEP]
    assert world.looks - before < 20


def test_it_is_not_idle_before_its_time() -> None:
    """The timeout runs from the end of the last request, not from its beginning."""
    world = awake()
    world.pass_time(3600.0)
    world.finish()
    world.pass_time(POLICY.idle_timeout - 0.5)
    assert world.is_in(EngineState.READY)
    world.pass_time(0.5)
    assert not world.is_in(EngineState.READY)


def test_whoever_comes_while_it_drains_is_kept_and_wakes_it_again() -> None:
    """Draining, asleep and waking follow one another without a look between."""
    world = awake()
    world.finish()
    world.now += POLICY.idle_timeout
    world.advance()
    assert world.is_in(EngineState.DRAINING)
    world.arrive()
    assert (world.waiting, len(world.starts)) == (1, 1)
    world.stop_ends()
    assert world.is_in(EngineState.WAKING)
    world.start_ends(None)
    assert world.in_flight == 1


def test_pauses_between_failed_wakes_grow_and_callers_are_told_after_some() -> None:
    """Those who wait stay for the first failures; later ones are told at once, until the next wake is due."""
    world = World()
    world.arrive()
    for pause in (1.0, 2.0):
        world.start_ends(KILLED)
        assert (world.waiting, world.refused) == (1, 0)
        assert world.advance().look == world.now + pause
        world.now += pause
        world.advance()
    world.start_ends(KILLED)
    assert (world.waiting, world.refused) == (0, 1)
    world.arrive()
    assert (world.waiting, world.refused) == (0, 2)
    world.pass_time(3600.0)
    assert (len(world.starts), world.condition.state) == (3, EngineState.FAILED)
    world.arrive()
    assert (world.waiting, len(world.starts)) == (1, 4)


def test_demand_without_a_caller_tries_again_what_was_given_up_when_it_is_due() -> None:
    """Somebody who begins to type is as good as one who waits; one who began before the last failure is not."""
    world = World()
    world.arrive()
    world.start_ends(REFUSED)
    world.last_activity = world.now + 1.0
    world.now = world.condition.retry_at
    assert world.advance().look is None
    world.last_activity = world.now
    world.advance()
    assert world.is_in(EngineState.WAKING)


def test_a_wake_that_succeeded_ends_the_count_of_those_that_failed() -> None:
    """After it the first pause is the first again."""
    world = World()
    world.arrive()
    world.start_ends(KILLED)
    world.now += 1.0
    world.advance()
    world.start_ends(None)
    world.finish()
    world.pass_time(3600.0)
    world.arrive()
    world.start_ends(KILLED)
    assert world.condition.retry_at == world.now + POLICY.backoff[0]


def test_an_engine_that_had_been_ready_is_woken_again_soon() -> None:
    """Its death is no failed wake: the pauses begin anew, and recent use is demand enough."""
    world = awake()
    world.finish()
    for _ in range(5):
        world.die()
        assert world.is_in(EngineState.FAILED)
        world.stop_ends()
        assert world.advance().look == world.now + POLICY.backoff[0]
        world.now += POLICY.backoff[0]
        world.advance()
        world.start_ends(None)
        assert world.condition.failure is None


def test_a_dead_engine_that_nobody_used_lately_stays_where_it_is() -> None:
    """It keeps its sentence until somebody asks."""
    world = awake()
    world.finish()
    world.now += POLICY.idle_timeout - 0.5
    world.die()
    world.stop_ends()
    world.pass_time(3600.0)
    assert (world.condition.state, world.condition.failure, len(world.starts)) == (EngineState.FAILED, KILLED, 1)
    world.arrive()
    assert world.is_in(EngineState.WAKING)


def test_what_trying_again_cannot_mend_is_given_up_at_once() -> None:
    """Refused settings: callers are told after the first failure, and the next try is as late as any."""
    world = World()
    world.arrive()
    world.start_ends(REFUSED)
    assert world.refused == 1
    assert given_up(world.condition, POLICY)
    assert world.condition.retry_at == world.now + POLICY.backoff[-1]


def test_an_engine_that_is_always_wanted_is_never_stopped_and_tried_for_ever() -> None:
    """By the clock, whether somebody asks or not."""
    world = World(replace(POLICY, always=True))
    world.advance()
    for pause in (1.0, 2.0, 5.0, 5.0, 5.0):
        world.start_ends(KILLED)
        assert world.advance().look == world.now + pause
        world.now += pause
        world.advance()
    world.start_ends(None)
    world.pass_time(36000.0)
    assert (world.condition.state, world.stops) == (EngineState.READY, 0)


def test_a_caller_without_the_time_for_another_try_is_told_at_once() -> None:
    """While a failed engine is not due before the caller's deadline."""
    failed = Condition(EngineState.FAILED, KILLED, failures=1, retry_at=105.0)
    assert hopeless(failed, POLICY, now=100.0, deadline=104.0)
    assert not hopeless(failed, POLICY, now=100.0, deadline=106.0)
    assert not hopeless(failed, POLICY, now=100.0, deadline=None)
    assert not hopeless(failed, POLICY, now=105.0, deadline=104.0)


def test_a_distrusted_engine_is_replaced_when_its_callers_are_done() -> None:
    """By force, as one that sleeps would come back the same; those who come meanwhile wait for the next one."""
    world = awake()
    world.advance(Distrusted())
    assert (world.condition.state, world.engine) == (EngineState.DRAINING, "up")
    world.arrive()
    world.finish()
    assert world.engine == "ending"
    world.stop_ends()
    assert world.is_in(EngineState.WAKING)


def test_nobody_holds_up_the_end_of_a_distrusted_engine_for_ever() -> None:
    """The time for requests in flight is bounded."""
    world = awake()
    look = world.advance(Distrusted()).look
    assert look == world.now + POLICY.drain_timeout
    world.now += POLICY.drain_timeout
    world.advance()
    assert world.engine == "ending"


def test_an_engine_is_not_distrusted_again_and_again() -> None:
    """A broken adapter makes numbers that are none on every engine: once in a while is enough."""
    world = awake()
    world.advance(Distrusted())
    world.finish()
    world.stop_ends()
    world.start_ends(None)
    world.advance(Distrusted())
    assert world.is_in(EngineState.READY)
    world.now += POLICY.distrust_every
    world.advance(Distrusted())
    assert not world.is_in(EngineState.READY)


def test_nothing_is_woken_when_everything_ends() -> None:
    """While this process stops, nobody is wanted."""
    seen = Seen(now=0.0, waiting=1, last_activity=0.0, stopping=True)
    for condition in (Condition(), Condition(EngineState.FAILED, KILLED)):
        assert step(condition, seen, replace(POLICY, always=True)).action is Action.NOTHING


@pytest.mark.parametrize("wrong", [{"backoff": ()}, {"backoff": (0.0,)}, {"idle_timeout": -1.0}, {"max_waiting": 0}, {"give_up_after": 0}])
def test_a_policy_refuses_what_would_run_hot_or_serve_nobody(wrong: dict[str, Any]) -> None:
    """At once, where it is made."""
    with pytest.raises(ValueError, match=r"backoff|idle_timeout"):
        replace(POLICY, **wrong)
