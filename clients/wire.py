"""Requests and responses on their way: bodies, headers, and what httpx's failures mean. The one place where its errors become ours."""

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx

from clients.deltas import BREAK_HINT
from clients.errors import BadRequest, BadSettings, NoServer, NotTroupe, NotTrusted, ServerFault, StreamBroken, TimedOut, TroupeError


def open_http(**given: Any) -> httpx.AsyncClient:
    """httpx's client, made of what its own constructor takes. Raises BadSettings for an address, a proxy of the environment or a file of
    certificates that no connection can be made with."""
    try:
        _ = httpx.URL(given.get("base_url", "")).host  # decoded only when it is read
    except (httpx.InvalidURL, UnicodeError) as exc:
        raise BadSettings(f"No machine can be at {given['base_url']}. Check TROUPE_URL.") from exc
    try:
        return httpx.AsyncClient(**given)
    except (httpx.InvalidURL, ImportError, ValueError, OSError) as exc:
        what = "Check ALL_PROXY, HTTPS_PROXY, HTTP_PROXY and SSL_CERT_FILE."
        raise BadSettings(f"The environment's proxy or certificates cannot be used ({exc}). {what}") from exc


@dataclass
class Stage:
    """How far an exchange has come."""

    begun: bool = False
    """Whether an answer had begun, which decides what a failure means."""


@asynccontextmanager
async def translated(url: str, silence: float) -> AsyncIterator[Stage]:
    """Around an exchange with `url`: raises TroupeError for httpx's errors. `silence` is the longest wait for a byte in seconds."""
    stage = Stage()
    try:
        yield stage
    except httpx.TimeoutException as exc:
        if isinstance(exc, httpx.ConnectTimeout):
            raise NoServer(url) from exc
        if stage.begun:
            raise StreamBroken(f"The gateway went silent for {silence:g} s. {BREAK_HINT}") from exc
        raise TimedOut(f"The gateway did not answer within {silence:g} s. Try again later.") from exc
    except httpx.ConnectError as exc:
        raise _unconnected(url, exc) from exc
    except httpx.RequestError as exc:
        if stage.begun:
            raise StreamBroken(f"The connection broke in the middle. {BREAK_HINT}") from exc
        or_https = ", or does it speak https" if url.startswith("http:") else ""
        raise ServerFault(f"{url} closed the connection without an answer. Is the gateway stopping{or_https}?") from exc


def _unconnected(url: str, error: httpx.ConnectError) -> TroupeError:
    """Why there is no connection: nobody is there, or whoever is cannot be talked to safely, which only the error's causes tell."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return NotTrusted(url, cause.verify_message)
    return NoServer(url) if cause is None else NotTroupe(url, "it does not speak https")


def encode(body: Mapping[str, object]) -> bytes:
    """JSON without the parameters that are None. Raises BadRequest for what JSON cannot say (NaN, half a character)."""
    try:
        said = {name: value for name, value in body.items() if value is not None}
        return json.dumps(said, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as exc:
        raise BadRequest("The text holds bytes that are no UTF-8.", param="messages") from exc
    except (ValueError, TypeError) as exc:
        raise BadRequest(f"The request cannot be written as JSON: {exc}.") from exc


def body_of(content: bytes | None) -> dict[str, Any]:
    """What httpx is told of a request's body."""
    return {} if content is None else {"content": content, "headers": {"content-type": "application/json"}}


def json_of(response: httpx.Response) -> object:
    """The body; None if it is no JSON, or none that anybody means."""
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def clock_of(response: httpx.Response) -> datetime | None:
    """What time it is there, to a second; None if it does not say."""
    try:
        return parsedate_to_datetime(response.headers["date"])
    except (KeyError, ValueError):
        return None


def seconds_in(header: str | None) -> float | None:
    """None where there is no such header, or no number in it."""
    try:
        return None if header is None else float(header)
    except ValueError:
        return None


def is_local(url: str) -> bool:
    """Whether it is this very machine, before which no proxy may stand."""
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")


def needs_no_lookup(url: str) -> bool:
    """Whether the address is a number, or this machine's."""
    host = urlsplit(url).hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost"
    return True
