"""Reading a request's body within its limits of size and time."""

import asyncio
from contextlib import suppress

from server.gateway.errors import BodyTooLarge, RequestTimedOut, UnsupportedEncoding
from server.gateway.reply import Receive, Scope

DRAIN_SECONDS = 1.0
"""How long a refused body may go on. Closed on while still sending, a caller would never see the answer."""


class CallerGone(Exception):
    """The caller closed the connection."""


async def read_body(scope: Scope, receive: Receive, *, limit: int, timeout: float) -> bytes:
    """The whole body, at most `limit` bytes, within `timeout` seconds. Raises GatewayError or CallerGone."""
    headers = dict(scope["headers"])
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding not in (b"", b"identity"):
        await drain(headers, receive)
        raise UnsupportedEncoding("Send the body as it is: compressed bodies are not read here.")
    too_large = BodyTooLarge(f"The body may have at most {limit} bytes.")
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length[:20]) > limit:
        await drain(headers, receive)
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(timeout):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise CallerGone
                body += message.get("body", b"")
                if len(body) > limit:
                    await drain(headers, receive, more=message.get("more_body", False))
                    raise too_large
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError as exc:
        raise RequestTimedOut(f"The body did not arrive within {timeout:g} seconds.") from exc


async def drain(headers: dict[bytes, bytes], receive: Receive, *, more: bool = True) -> None:
    """Drop what is still to come, for a while. Raises CallerGone."""
    if b"expect" in headers:
        return  # to ask for the body is to tell the caller to go ahead
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise CallerGone
                more = message.get("more_body", False)
