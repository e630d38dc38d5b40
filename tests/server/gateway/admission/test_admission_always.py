"""What holds of admission whatever happens, in any order."""

from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from server.gateway.admission.errors import Refused
from server.gateway.admission.lanes import Place
from server.gateway.admission.policy import Admission, Bounds, Ticket

SLOTS, WAITING = 2, 12
COMMUNITIES = ("a", "b", "c", "d")
ADAPTERS = (None, "a-live", "a-canary", "b-live", "c-live", "shared")


class Anything(RuleBasedStateMachine):
    """Arrivals, tokens, ends, cancels and time, as they come; `waiting` and `running` are what should be so."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.admission = Admission(Bounds(slots=SLOTS, batch=3, waiting=WAITING, longest_swap=2.0))
        self.waiting: list[Place] = []
        self.running: list[Place] = []

    @rule(
        community=st.sampled_from(COMMUNITIES),
        adapter=st.sampled_from(ADAPTERS),
        prompt=st.integers(1, 2000),
        weight=st.sampled_from((0.5, 1.0, 4.0)),
        deadline=st.none() | st.floats(0.01, 20),
        streams=st.booleans(),
    )
    def arrive(self, community: str, adapter: str | None, prompt: int, weight: float, deadline: float | None, streams: bool) -> None:
        asked = Ticket(community, adapter, prompt, weight=weight, deadline=deadline, max_tokens=100, streams=streams)
        with suppress(Refused):
            self.waiting.append(self.admission.arrive(asked, self.now))

    @rule(seconds=st.floats(0, 3))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.look()

    @rule()
    def look(self) -> None:
        for place in self.admission.expired(self.now):
            assert place.until <= self.now
            self.waiting.remove(place)
        assert all(place.until > self.now for place in self.waiting)
        while (admitted := self.admission.next(self.now)) is not None:
            self.waiting.remove(admitted)
            self.running.append(admitted)
            if admitted.number % 3:
                self.admission.sent(admitted, self.now)
        self.nobody_idles()

    @precondition(lambda self: self.running)
    @rule(data=st.data(), tokens=st.integers(1, 40))
    def stream(self, data: Any, tokens: int) -> None:
        self.admission.streamed(data.draw(st.sampled_from(self.running)), tokens, self.now)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), usage=st.none() | st.tuples(st.integers(1, 2000), st.integers(0, 100)))
    def finish(self, data: Any, usage: tuple[int, int] | None) -> None:
        place = data.draw(st.sampled_from(self.running))
        self.running.remove(place)
        prompt, completion = usage or (None, None)
        self.admission.finish(place, self.now, prompt=prompt, completion=completion)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        place = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(place)
        self.admission.leave(place)

    def nobody_idles(self) -> None:
        """With a free seat, whoever still waits has an adapter without a slot, or one that is being drained for such a one."""
        admission = self.admission
        if not admission.seats.free:
            return
        for place in self.waiting:
            adapter = place.lane.adapter
            assert adapter.name is not None
            assert adapter is admission.slots.draining or (not adapter.in_flight and len(admission.lanes.residents) == SLOTS)

    @invariant()
    def bounds_hold(self) -> None:
        admission = self.admission
        assert len(self.running) == admission.seats.in_flight <= admission.seats.limit
        assert len(admission.lanes.residents) <= SLOTS
        assert len(self.waiting) == admission.lanes.waiting <= WAITING
        assert 0 <= admission.seats.beginning <= len(self.running)

    @invariant()
    def counts_agree(self) -> None:
        admission = self.admission
        for name in COMMUNITIES:
            assert admission.shares.waiting_of(name) == sum(place.lane.share.community == name for place in self.waiting)
        for adapter in admission.lanes.residents.values():
            assert adapter.in_flight == sum(place.lane.adapter is adapter for place in self.running)
        outside = {place.lane.adapter for place in self.waiting} - set(admission.lanes.residents.values()) - {admission.lanes.base}
        assert len(admission.lanes.outsiders) == len(outside)
        assert all(counter > -1e-6 for counter in admission.shares.counters().values())

    def teardown(self) -> None:
        """Let everything come to its end: all that waited is let in within a bounded time, and nothing is left."""
        for _ in range(10 * WAITING):
            self.now += 3.0
            self.look()
            while self.running:
                place = self.running.pop()
                self.admission.streamed(place, 10, self.now)
                self.admission.finish(place, self.now, prompt=place.prompt_tokens, completion=10)
        self.look()
        assert not self.waiting
        assert len(self.admission.lanes) == 0
        assert self.admission.seats.in_flight == self.admission.seats.beginning == 0
        assert self.admission.shares.weight == 0
        assert self.admission.slots.draining is None


Anything.TestCase.settings = settings(
    max_examples=60, stateful_step_count=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
TestAnything = Anything.TestCase
