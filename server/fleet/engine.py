"""What the gateway may know of an engine: whether it is there, and where.

Knows nothing of vLLM, of processes or of Kubernetes: those are implementations of `Engine`, one file each.
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


class Engine(Protocol):
    """One engine, started and stopped by its owner. `start` returns at once; `state` tells how it goes."""

    @property
    def state(self) -> EngineState: ...

    @property
    def endpoint(self) -> Endpoint: ...

    @property
    def failure(self) -> str | None:
        """One sentence on why the engine is not there, for people; None while nothing is wrong."""
        ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...
