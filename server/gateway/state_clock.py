"""How long the engine has been in each of its states, as the fleet tells them."""

import time
from collections.abc import Callable

from server.fleet.engine import EngineState


class StateClock:
    """From its making on; `changed` is the fleet's listener."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._state, self._since = EngineState.ASLEEP, clock()
        self._seconds = dict.fromkeys(EngineState, 0.0)

    def changed(self, state: EngineState, _epoch: int) -> None:
        now = self._clock()
        self._seconds[self._state] += now - self._since
        self._state, self._since = state, now

    def seconds(self) -> dict[EngineState, float]:
        """Up to this moment."""
        running = {self._state: self._clock() - self._since}
        return {state: spent + running.get(state, 0.0) for state, spent in self._seconds.items()}
