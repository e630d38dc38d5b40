"""A GatewayError as the last event of a stream of /v1/responses; before a stream it is told as everywhere."""

import json

from server.gateway.apis.error_shape import ErrorShape
from server.gateway.errors import GatewayError


def _event(error: GatewayError) -> bytes:
    """With the error object, too: the SDK raises what it finds there, and would read over the rest."""
    told = error.body()["error"]
    content = {"type": "error", "code": told["code"], "message": told["message"], "param": told["param"], **error.body()}
    return b"event: error\ndata: " + json.dumps(content, separators=(",", ":")).encode() + b"\n\n"


SHAPE = ErrorShape(GatewayError.encoded, _event)
