"""What can go wrong in the gateway, and what a caller is told of it.

GatewayError
├── InvalidRequest            400  the body or one parameter; `param` says which
│   ├── UnsupportedParameter  400
│   └── ContextLengthExceeded 400
├── Unauthorized              401
├── Forbidden                 403
├── ModelNotFound             404
├── AdapterNotFound           404  of the admin API
├── KeyNotFound               404  of the admin API
├── RouteNotFound             404
├── MethodNotAllowed          405
├── RequestTimedOut           408
├── Conflict                  409  the present state does not allow this move
│   ├── TrialFailed           409  the adapter did not prove itself on the engine, so nothing moved
│   └── AdapterDamaged        409  its stored bytes are not what was published
├── BodyTooLarge              413
│   └── UploadTooLarge        413
├── UnsupportedEncoding       415
├── TooManyRequests           429  its key or its community asks too often, or has too much waiting; `retry-after` says when to come again
├── QuotaSpent                429  a budget of its key or its community is used up; waiting for minutes is of no use
├── HeadTooLarge              431
├── InternalError             500  our fault
├── EngineFailed              502  the engine answered, but not with an answer
│   └── AnswerNotFinite       502  what it computed are no numbers
├── EngineNotReady            503  too many wait for the engine, or it is asleep and nobody may wake it
├── DeadlinePassed            503  no engine was ready in the time that the request had
├── EngineUnavailable         503  the engine did not come up, or went away
│   ├── EngineLost            503  it broke this very request off
│   └── Stopping              503  the gateway itself goes away
├── AdapterUnavailable        503  the engine is there, the adapter did not load
├── RegistryUnavailable       503  the store or the database is away
├── KeysUnavailable           503  whose key it is cannot be said, or not be changed, now
├── LedgerUnavailable         503  it cannot be written down, and nothing runs that is not
├── FeedbackUnavailable       503  what people thought of answers cannot be read or written now
└── EngineTimedOut            504

The one translation to OpenAI's body, status and headers; what other packages raise becomes one of these in translations.py. Every
text comes from this repository: what the engine says of an error goes to the log and never to a caller, and so does whatever may name a
file or a server.
"""

import json
from typing import Any

Headers = tuple[tuple[bytes, bytes], ...]

WENT_WRONG = "Something went wrong here; the x-request-id tells the operator what."
"""For bugs of ours, wherever they come to light."""

_NO_RETRY = (b"x-should-retry", b"false")  # the official SDKs obey it
_CLOSE = (b"connection", b"close")


class GatewayError(Exception):
    """Base of all. `str(error)` is for people; class attributes are for programs."""

    status = 500
    type = "server_error"
    code: str | None = None
    headers: Headers = ()

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param

    def body(self) -> dict[str, Any]:
        """OpenAI's error object."""
        return {"error": {"message": str(self), "type": self.type, "param": self.param, "code": self.code}}

    def encoded(self) -> bytes:
        return json.dumps(self.body(), separators=(",", ":")).encode()

    def event(self) -> bytes:
        """The same as the last event of a stream that has begun."""
        return b"data: " + self.encoded() + b"\n\n"

    def response_headers(self) -> Headers:
        return ((b"content-type", b"application/json"), *self.headers)


class InvalidRequest(GatewayError):
    status = 400
    type = "invalid_request_error"
    code = "invalid_value"
    headers = (_NO_RETRY,)


class UnsupportedParameter(InvalidRequest):
    code = "unsupported_parameter"


class ContextLengthExceeded(InvalidRequest):
    code = "context_length_exceeded"


class Unauthorized(GatewayError):
    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"
    headers = ((b"www-authenticate", b"Bearer"), _NO_RETRY)


class Forbidden(GatewayError):
    status = 403
    type = "invalid_request_error"
    code = "insufficient_permissions"
    headers = (_NO_RETRY,)


class ModelNotFound(GatewayError):
    status = 404
    type = "invalid_request_error"
    code = "model_not_found"
    headers = (_NO_RETRY,)


class AdapterNotFound(GatewayError):
    status = 404
    type = "invalid_request_error"
    code = "adapter_not_found"
    headers = (_NO_RETRY,)


class KeyNotFound(GatewayError):
    status = 404
    type = "invalid_request_error"
    code = "key_not_found"
    headers = (_NO_RETRY,)


class RouteNotFound(GatewayError):
    status = 404
    type = "invalid_request_error"
    code = "unknown_url"
    headers = (_NO_RETRY,)


class MethodNotAllowed(GatewayError):
    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"

    def __init__(self, message: str, *, allow: str) -> None:
        super().__init__(message)
        self.headers = (_NO_RETRY, (b"allow", allow.encode()))


class RequestTimedOut(GatewayError):
    status = 408
    type = "invalid_request_error"
    code = "request_timeout"
    headers = (_CLOSE,)


class Conflict(GatewayError):
    status = 409
    type = "invalid_request_error"
    code = "conflict"
    headers = (_NO_RETRY,)


class TrialFailed(Conflict):
    code = "trial_failed"


class AdapterDamaged(Conflict):
    code = "adapter_damaged"


class BodyTooLarge(GatewayError):
    status = 413
    type = "invalid_request_error"
    code = "request_too_large"
    headers: Headers = (_NO_RETRY, _CLOSE)


class UploadTooLarge(BodyTooLarge):
    """The connection stays: a sender in the middle of hundreds of megabytes would see it closed, and not why."""

    headers = (_NO_RETRY,)


class HeadTooLarge(GatewayError):
    status = 431
    type = "invalid_request_error"
    code = "headers_too_large"
    headers = (_NO_RETRY, _CLOSE)


class UnsupportedEncoding(GatewayError):
    status = 415
    type = "invalid_request_error"
    code = "unsupported_encoding"
    headers = (_NO_RETRY, _CLOSE)


class TooManyRequests(GatewayError):
    """`kind`: what there is too much of, `requests` or `tokens`. `retry_after_ms`: None if this very request will never be let in."""

    status = 429
    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, retry_after_ms: int | None, kind: str = "requests", told: Headers = ()) -> None:
        super().__init__(message)
        self.type = kind
        if retry_after_ms is None:
            self.headers = (_NO_RETRY, *told)
        else:
            seconds = b"%d" % -(-retry_after_ms // 1000)
            self.headers = ((b"retry-after", seconds), (b"retry-after-ms", b"%d" % retry_after_ms), *told)


class QuotaSpent(GatewayError):
    """`resets_at`: when there is more, as ISO 8601."""

    status = 429
    type = "insufficient_quota"
    code = "insufficient_quota"

    def __init__(self, message: str, *, resets_at: str) -> None:
        super().__init__(message)
        self.headers = (_NO_RETRY, (b"x-troupe-budget-reset", resets_at.encode()))


class InternalError(GatewayError):
    code = "internal_error"


class EngineFailed(GatewayError):
    status = 502
    type = "server_error"
    code = "engine_error"


class AnswerNotFinite(EngineFailed):
    pass


class Unavailable(GatewayError):
    status = 503
    type = "service_unavailable_error"

    def __init__(self, message: str, *, retry_after: int = 2) -> None:
        super().__init__(message)
        self.headers = ((b"retry-after", str(retry_after).encode()),)


class EngineUnavailable(Unavailable):
    code = "engine_unavailable"


class EngineLost(EngineUnavailable):
    pass


class Stopping(EngineUnavailable):
    def __init__(self, message: str = "The server is stopping. Try again in a moment.", *, retry_after: int = 5) -> None:
        super().__init__(message, retry_after=retry_after)
        self.headers = (*self.headers, _CLOSE)  # what asks next on this connection would only be cut off


class EngineNotReady(Unavailable):
    code = "server_is_overloaded"


class DeadlinePassed(Unavailable):
    code = "deadline_exceeded"


class AdapterUnavailable(Unavailable):
    code = "adapter_unavailable"


class RegistryUnavailable(Unavailable):
    code = "registry_unavailable"


class KeysUnavailable(Unavailable):
    code = "keys_unavailable"


class LedgerUnavailable(Unavailable):
    code = "ledger_unavailable"


class FeedbackUnavailable(Unavailable):
    code = "feedback_unavailable"


class EngineTimedOut(GatewayError):
    status = 504
    type = "timeout"
    code = "deadline_exceeded"
