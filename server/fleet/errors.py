"""Why the fleet gives no engine to a caller, and when it is worth while to ask again.

FleetError
├── QueueFull       as many wait as may wait
├── DeadlinePassed  no engine was ready in the time that the caller had
├── WakeFailed      an engine was started and did not come up, or cannot be tried again in time; `failure` says why
├── EngineAsleep    for errands of our own that wake nobody
└── Stopping        this process is about to end

`str(error)` is fit for any caller: it names no path and no server. What is only for the operator is in `WakeFailed.failure`.
"""

import math

from server.fleet.causes import TOLD
from server.fleet.engine import Failure


class FleetError(Exception):
    """Base of all. `retry_after`: whole seconds, at least one."""

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = max(1, math.ceil(retry_after))


class QueueFull(FleetError):
    def __init__(self, *, retry_after: float) -> None:
        super().__init__("Too many requests wait for the engine already. Try again in a moment.", retry_after=retry_after)


class DeadlinePassed(FleetError):
    def __init__(self, *, retry_after: float) -> None:
        super().__init__("The engine was not awake before this request's deadline. Try again in a moment.", retry_after=retry_after)


class WakeFailed(FleetError):
    def __init__(self, failure: Failure, *, retry_after: float) -> None:
        super().__init__(TOLD[failure.cause], retry_after=retry_after)
        self.failure = failure


class EngineAsleep(FleetError):
    def __init__(self) -> None:
        super().__init__("The engine is not awake.")


class Stopping(FleetError):
    def __init__(self) -> None:
        super().__init__("The server is about to stop. Try again in a moment.", retry_after=5.0)
