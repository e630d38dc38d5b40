"""A gateway's admin API, as commands ask it. The one place where httpx's errors become sentences.

Never repeats a request: whether to try again is the person's decision, and every verb of the registry may be given twice.
"""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx

from adapters.cli.errors import BadKey, BadUsage, CommandError, NoGateway, NoSuch, Refused
from adapters.registry.errors import BadName

READ_S = 30.0
"""Longest wait for an answer, unless told otherwise."""
CONNECT_S, SEND_S = 5.0, 60.0
NAMES = (
    *("community", "version", "alias", "share", "by", "override", "name", "scopes", "communities", "expires_in", "overlap"),
    *("requests_per_minute", "tokens_per_minute", "concurrent", "tokens_per_day", "money_per_month", "at_cap", "weight"),
    *("from", "to", "cursor", "threshold", "confidence", "minimum", "days"),
)
"""The parameters whose refusal is wrong usage."""


@dataclass(frozen=True)
class Answer:
    status: int
    content: Any
    """The JSON; None where there is no body."""
    headers: Mapping[str, str] = field(default_factory=dict)


class AdminApi:
    """`look`: the command that shows whether something was done. `local`: whether the command could do without a gateway.
    `transport` replaces the network, for tests."""

    def __init__(self, url: str, admin_key: str, look: str, *, local: bool, transport: httpx.BaseTransport | None = None) -> None:
        self._url = url
        self._look = look
        self._local = local
        if not (admin_key and admin_key.isascii() and admin_key.isprintable()):
            raise BadKey(
                "No admin key, or none that can be sent: set TROUPE_ADMIN_KEY to the gateway's (its TROUPE_HOME/keys/admin)"
                + self._otherwise("or work on this machine's registry with --local")
                + "."
            )
        try:
            self._http = httpx.Client(
                base_url=f"{url}/admin/v1",
                headers={"authorization": f"Bearer {admin_key}"},
                transport=transport,
                trust_env=not is_local(url),  # a proxy of the environment must not stand before this very machine
            )
        except (httpx.InvalidURL, ImportError, ValueError, OSError) as exc:
            what = "check ALL_PROXY, HTTPS_PROXY, HTTP_PROXY and SSL_CERT_FILE"
            raise BadUsage(f"The environment's proxy or certificates cannot be used ({exc}): {what}.") from exc

    def close(self) -> None:
        self._http.close()

    def ask(self, method: str, path: str, seconds: float = READ_S, **body: Any) -> Answer:
        """A good answer. `seconds`: the longest silence. Raises CommandError for anything else."""
        response = self._response(method, path, seconds, **body)
        content = _json(response)
        if response.is_success and (content is not None or response.status_code == HTTPStatus.NO_CONTENT):
            return Answer(response.status_code, content, response.headers)
        raise self._refusal(response.status_code, content)

    def text(self, path: str, seconds: float = READ_S, **query: Any) -> str:
        """What is there, as it is: JSON or CSV. As `ask` otherwise."""
        response = self._response("GET", path, seconds, **query)
        if response.is_success and response.headers.get("content-type", "").startswith(("application/json", "text/csv")):
            return response.text
        raise self._refusal(response.status_code, _json(response))

    def _response(self, method: str, path: str, seconds: float, **body: Any) -> httpx.Response:
        timeout = httpx.Timeout(seconds, connect=CONNECT_S, write=SEND_S)
        with self._translated(seconds):
            return self._http.request(method, path, timeout=timeout, **body)

    @contextmanager
    def _translated(self, seconds: float) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
            if doubt := _doubt(exc):
                raise NoGateway(f"At {self._url} there is somebody, but no safe connection ({doubt}): check TROUPE_URL.") from exc
            raise NoGateway(
                f"No Troupe gateway answers at {self._url}: start it, or set TROUPE_URL to where it is"
                + self._otherwise("or use --local on its machine")
                + "."
            ) from exc
        except httpx.TimeoutException as exc:
            raise CommandError(f"{self._url} was silent for {seconds:g} s: look with `{self._look}` whether it was done.") from exc
        except httpx.RequestError as exc:
            raise CommandError(f"The connection to {self._url} broke: look with `{self._look}` whether it was done.") from exc

    def _refusal(self, status: int, content: Any) -> CommandError:
        """What an answer that is not a good one means. The gateway's own words are shown as they are."""
        error = content.get("error") if isinstance(content, dict) else None
        said = error.get("message") if isinstance(error, dict) else None
        if status == HTTPStatus.FORBIDDEN and isinstance(said, str):
            return BadKey(f"{said} TROUPE_ADMIN_KEY is what {self._url} was sent.")
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return BadKey(
                f"{self._url} does not accept this admin key: set TROUPE_ADMIN_KEY to the gateway's (its TROUPE_HOME/keys/admin)."
            )
        if not isinstance(error, dict) or not isinstance(said, str):
            return Refused(f"What answers at {self._url} is not a Troupe gateway with this API (HTTP {status}): check TROUPE_URL.")
        if status == HTTPStatus.NOT_FOUND:
            return NoSuch(said)
        if status == HTTPStatus.BAD_REQUEST and error.get("param") in NAMES:
            return BadUsage(said)
        return Refused(said)

    @contextmanager
    def shape(self) -> Iterator[None]:
        """An answer whose JSON is of another shape than ours."""
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError, BadName) as exc:
            raise Refused(f"{self._url} answers in another shape ({exc!r}): is it another version of Troupe?") from exc

    def _otherwise(self, words: str) -> str:
        return f", {words}" if self._local else ""


def _doubt(error: BaseException) -> str:
    """What is wrong with https there, which only the error's causes tell; nothing where that is not it."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate: {cause.verify_message}"
    return "" if cause is None else "it does not speak https"


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def checked_url(url: str) -> str:
    """`url` without a trailing slash or `/v1`. Raises BadUsage if it is not an http address, or more than one."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that never closes
        usable = False
    if usable and (parts.username is not None or parts.query or parts.fragment):  # a password would go in the key's place, and be shown
        raise BadUsage("TROUPE_URL says more than an address: leave out what is before the @ or behind a ? or #.")
    if not usable:
        raise BadUsage(f"TROUPE_URL is {url[:200]!r}, which is not an address like http://127.0.0.1:8000.")
    return url.rstrip("/").removesuffix("/v1")


def is_local(url: str) -> bool:
    """Whether `url` is this very machine."""
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")
