"""What a fake engine remembers of a request: for tests of what reached it, and of what may be charged for it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Received:
    """One request as it arrived, and whether its caller stayed to the end."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    abandoned: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the caller went away before the end."""
    finished: bool = False
    tokens: int = 0
    """Of all choices, in what was given to the network so far: what the engine can be said to have made for its caller."""

    @property
    def request_id(self) -> str:
        """What the caller calls this request; empty if it says no name."""
        return next((value for name, value in self.headers.items() if name.lower() == "x-request-id"), "")
