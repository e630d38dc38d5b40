"""Everything that can go wrong between a client and the gateway, each with one sentence that a person can act on.

    TroupeError
    ├── BadSettings       a setting is missing or makes no sense; nothing was sent
    ├── NoServer          nobody answers at the URL
    ├── NotTrusted        somebody answers there whose certificate this machine does not trust
    ├── NotTroupe         somebody answers there, but not in the API's shape
    ├── TimedOut          the gateway took the request and stayed silent for too long
    ├── Refused           the gateway answered with an error status
    │   ├── BadKey        401, 403: no key, or not a valid one
    │   ├── UnknownModel  404: no such model for this key; carries the near misses
    │   ├── BadRequest    other 4xx: a parameter is wrong; `param` names it
    │   ├── Overloaded    429, 503: not now; `retry_after` in seconds, if the gateway said
    │   └── ServerFault   other 5xx
    └── StreamBroken      an answer began and did not end properly

Knows the API's error body and its status codes. Foreign errors (httpx's) become these in `clients.wire` only.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

NO_KEY = "No API key. Set TROUPE_API_KEY to the key that `make up` printed."


class TroupeError(Exception):
    """Base of all errors of the clients. `str(error)` is one sentence for a person."""


class BadSettings(TroupeError):
    """A setting is missing or makes no sense; nothing was sent."""


class NoServer(TroupeError):
    """Nobody answers at the URL."""

    def __init__(self, url: str) -> None:
        super().__init__(f"No Troupe gateway answers at {url}. Start one with `make up`, or set TROUPE_URL.")


class NotTrusted(TroupeError):
    """Somebody answers at the URL whose certificate this machine does not trust: nothing was sent."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"The certificate of {url} is not trusted here ({why}). Check TROUPE_URL, or name its authority in SSL_CERT_FILE.")


class NotTroupe(TroupeError):
    """Somebody answers at the URL, but not in the API's shape."""

    def __init__(self, url: str, what: str) -> None:
        super().__init__(f"What answers at {url} is not a Troupe gateway ({what}). Check TROUPE_URL.")


class TimedOut(TroupeError):
    """The gateway took the request and stayed silent for longer than the client waits."""


class StreamBroken(TroupeError):
    """An answer began and did not end properly: what was received is not the whole answer."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class Refused(TroupeError):
    """The gateway answered with an error status. `code`, `param`, `request_id` are the API's, where it gave them."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str | None = None,
        param: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.request_id = request_id
        self.retry_after = retry_after


class BadKey(Refused):
    """No key, or one that the gateway does not accept."""


class BadRequest(Refused):
    """The gateway does not accept the request as it is; `param` names the parameter, where one is to blame."""


class Overloaded(Refused):
    """The gateway cannot take the request now; `retry_after` is in seconds, None if the gateway did not say."""


class ServerFault(Refused):
    """The gateway failed."""


class UnknownModel(Refused):
    """There is no such model for this key. `near` holds names like it, the nearest first."""

    def __init__(self, model: str, near: Sequence[str] = (), *, request_id: str | None = None) -> None:
        hint = f" Did you mean {' or '.join(f'`{name}`' for name in near)}?" if near else ""
        super().__init__(
            f"There is no model `{model}` here.{hint} `troupe models` lists them all.",
            status=HTTPStatus.NOT_FOUND,
            code="model_not_found",
            param="model",
            request_id=request_id,
        )
        self.model = model
        self.near = tuple(near)


def refusal(status: int, body: object, headers: Mapping[str, str]) -> Refused | None:
    """The error that a response says; None if its body has not the API's error shape (`{"error": {"message": …}}`)."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        return None
    return _class_of(status)(
        _sentence(status, error["message"]),
        status=status,
        code=_text(error.get("code")),
        param=_text(error.get("param")),
        request_id=headers.get("x-request-id"),
        retry_after=_retry_after(headers),
    )


def _class_of(status: int) -> type[Refused]:
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return BadKey
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        return Overloaded
    return ServerFault if status >= HTTPStatus.INTERNAL_SERVER_ERROR else BadRequest


def _sentence(status: int, message: str) -> str:
    if status == HTTPStatus.UNAUTHORIZED:
        return f"The gateway does not accept this key. Set TROUPE_API_KEY to the key that `make up` printed. ({message})"
    return message


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from `retry-after-ms` or `retry-after`; an HTTP date is not read."""
    for name, per_second in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) / per_second)
        except (KeyError, ValueError):
            continue
    return None
