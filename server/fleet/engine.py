"""What the fleet may know of an engine: where it answers, how it is started and ended, and why it went away.

Knows nothing of vLLM, of processes or of Kubernetes: those are implementations of `Engine`, one file each. When to start and when to end
one is not decided there: see `lifecycle.py`.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class EngineState(StrEnum):
    ASLEEP = "asleep"
    WAKING = "waking"
    READY = "ready"
    DRAINING = "draining"
    FAILED = "failed"


@dataclass(frozen=True)
class Endpoint:
    """Where an engine answers. With a `socket`, `base_url` only names the scheme and a host that is never looked up."""

    base_url: str
    socket: Path | None = None
    api_key: str = field(default="", repr=False)


class Cause(StrEnum):
    """Why an engine is not there, as far as a program can tell."""

    SETTINGS = "settings"
    """It refused what it was told: trying again does not help."""
    OUT_OF_MEMORY = "out_of_memory"
    BAD_WEIGHTS = "bad_weights"
    ADDRESS_IN_USE = "address_in_use"
    KILLED = "killed"
    TOO_SLOW = "too_slow"
    """It was not ready in time."""
    HUNG = "hung"
    """It was there and made no token any more."""
    NOT_FINITE = "not_finite"
    """What it computed were no numbers."""
    UNREACHABLE = "unreachable"
    CRASHED = "crashed"
    """Anything else."""


@dataclass(frozen=True)
class Failure:
    """Why an engine is not there. `sentence` is for the operator and may name paths; callers are told by `cause` alone."""

    cause: Cause
    sentence: str


class EngineDown(Exception):
    """An engine did not come up."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.sentence)
        self.failure = failure


class Engine(Protocol):
    """One engine that can be started and ended again and again. One caller at a time, which is the fleet's loop."""

    @property
    def endpoint(self) -> Endpoint:
        """The same for every start."""
        ...

    async def open(self) -> None:
        """Begin what makes starts quick, such as a standby host. Returns at once; what goes wrong is told by `start`."""
        ...

    async def start(self) -> None:
        """Returns once the engine answers. Raises EngineDown; then, or when cancelled, nothing of it is left."""
        ...

    async def wait(self) -> Failure:
        """Returns when an engine that was started has gone away by itself. May be cancelled and called again."""
        ...

    async def stop(self, *, force: bool = False) -> None:
        """End the engine; returns when nothing of it is left. `force`: at once, for one that does not listen. Safe to call twice."""
        ...

    async def close(self) -> None:
        """`stop`, and end what `open` began."""
        ...
