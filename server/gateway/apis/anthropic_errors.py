"""A GatewayError in Anthropic's shape, for the routes of its API. Statuses and headers are the same as everywhere."""

import json

from server.gateway.apis.error_shape import ErrorShape
from server.gateway.errors import GatewayError

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
"""Status → type, where it is not told by who is at fault."""


def _encoded(error: GatewayError) -> bytes:
    kind = _TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "api_error")
    return json.dumps({"type": "error", "error": {"type": kind, "message": str(error)}}, separators=(",", ":")).encode()


def _event(error: GatewayError) -> bytes:
    return b"event: error\ndata: " + _encoded(error) + b"\n\n"


SHAPE = ErrorShape(_encoded, _event)
