"""Whether an engine can be asked now, and what a caller is told if not. Looks at the state only: it wakes nobody."""

from server.fleet.engine import Endpoint, Engine, EngineState
from server.gateway.errors import EngineNotReady

_NOT_READY = {
    EngineState.ASLEEP: ("The engine is asleep.", 10),
    EngineState.WAKING: ("The engine is starting.", 5),
    EngineState.DRAINING: ("The engine is shutting down.", 10),
    EngineState.FAILED: ("The engine has failed; its operator can see why.", 30),
}
"""State → what a caller is told, and after how many seconds to come again."""


def ready_endpoint(engine: Engine) -> Endpoint:
    """Where to ask. Raises EngineNotReady."""
    state = engine.state
    if state is not EngineState.READY:
        message, retry_after = _NOT_READY[state]
        raise EngineNotReady(message, retry_after=retry_after)
    return engine.endpoint
