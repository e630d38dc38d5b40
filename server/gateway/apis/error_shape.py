"""How an API tells errors. What is told, and with which status, is the same in all of them."""

from collections.abc import Callable
from dataclasses import dataclass

from server.gateway.errors import GatewayError


@dataclass(frozen=True)
class ErrorShape:
    """`encoded`: as a body. `event`: as the last event of a stream."""

    encoded: Callable[[GatewayError], bytes]
    event: Callable[[GatewayError], bytes]


OPENAI_ERRORS = ErrorShape(GatewayError.encoded, GatewayError.event)
