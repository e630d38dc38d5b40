"""Why a request is not let to the engine.

Refused
├── ShareFull       as much of its own community waits as may wait, or as could be served before its deadline: a 429
├── QueueFull       as much of all communities does: a 503
├── DeadlinePassed  it waited until its deadline: a 503
└── GateClosed      this process is about to end: a 503

`str(error)` is fit for any caller.
"""

import math

LONGEST_PAUSE = 60


class Refused(Exception):
    """Base of all. `retry_after`: whole seconds after which it is worth while to ask again, 1 to 60."""

    sentence = "This request cannot be served now. Try again in a moment."

    def __init__(self, *, retry_after: float = 1.0) -> None:
        super().__init__(self.sentence)
        self.retry_after = min(LONGEST_PAUSE, max(1, math.ceil(retry_after)))


class ShareFull(Refused):
    sentence = "Too many of your own requests are waiting already. Try again in a moment."


class QueueFull(Refused):
    sentence = "Too many requests are waiting already. Try again in a moment."


class DeadlinePassed(Refused):
    sentence = "This request's turn did not come before its deadline. Try again in a moment."


class GateClosed(Refused):
    sentence = "The server is about to stop. Try again in a moment."
