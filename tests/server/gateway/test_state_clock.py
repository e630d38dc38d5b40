"""How long the engine was in each state."""

from server.fleet.engine import EngineState
from server.gateway.state_clock import StateClock


def test_each_second_belongs_to_one_state() -> None:
    """The present one's go on growing."""
    now = [100.0]
    clock = StateClock(lambda: now[0])
    for state, seconds in ((EngineState.WAKING, 5), (EngineState.READY, 10), (EngineState.ASLEEP, 7), (EngineState.WAKING, 3)):
        clock.changed(state, 1)
        now[0] += seconds
    assert clock.seconds() == {
        EngineState.ASLEEP: 7, EngineState.WAKING: 8, EngineState.READY: 10, EngineState.DRAINING: 0, EngineState.FAILED: 0,
    }  # fmt: skip
