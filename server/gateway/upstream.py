"""The HTTP client to engines. Turns what can go wrong on that way into this package's errors, once.

Knows an endpoint and bytes; nothing of prompts, of callers or of why an engine is there.
"""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from server.fleet.engine import Endpoint
from server.gateway.errors import (
    AdapterUnavailable,
    AnswerNotFinite,
    ContextLengthExceeded,
    EngineFailed,
    EngineLost,
    EngineTimedOut,
    GatewayError,
    InvalidRequest,
)

log = logging.getLogger("troupe.gateway")

KEEP_ALIVE = 3.0
"""Seconds. Below vLLM's own 5: the side that closes an idle connection must be the one that would use it again."""
MAX_ERROR_BYTES = 64 << 10

_NOT_FINITE = b"not JSON compliant"
"""How vLLM says that a logprob is NaN: it computed the answer and cannot write it."""
_DEAD = b"EngineCore encountered an issue. See stack trace"
"""What vLLM's server says while it goes down because its core is gone."""
_ADAPTER_ERRORS = (b"does not exist", b"could not be loaded")


class Upstream:
    """Connections to engines, pooled by socket. To be used in one event loop, until `close`."""

    def __init__(self, *, connect_timeout: float, stall_timeout: float, answer_timeout: float) -> None:
        self._streaming = aiohttp.ClientTimeout(total=None, connect=connect_timeout, sock_read=stall_timeout)
        self._whole = aiohttp.ClientTimeout(total=answer_timeout, connect=connect_timeout)
        self._sessions: dict[Path | None, aiohttp.ClientSession] = {}
        self.in_flight = 0
        """Requests that are with an engine now."""

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    @asynccontextmanager
    async def post(
        self, endpoint: Endpoint, path: str, body: bytes, *, stream: bool, request_id: str, quotes: bool = False
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response of status 200. Left before its end, its connection is closed, which makes the engine stop.

        `quotes`: the log may hold the engine's own sentence for a refusal, in which parts of the prompt may stand.
        Raises GatewayError, also for whatever goes wrong while the caller of this reads.
        """
        headers = {"content-type": "application/json", "x-request-id": request_id}
        if endpoint.api_key:
            headers["authorization"] = f"Bearer {endpoint.api_key}"
        self.in_flight += 1
        try:
            async with self._session(endpoint).post(
                endpoint.base_url.rstrip("/") + path,
                data=body,
                headers=headers,
                timeout=self._streaming if stream else self._whole,
                allow_redirects=False,
            ) as response:
                if response.status != 200:
                    raise await _refusal(response, request_id, quotes=quotes)
                yield response
        except aiohttp.ConnectionTimeoutError as exc:  # a TimeoutError, too
            log.warning("engine takes no connection", extra={"fields": {"request": request_id}})
            raise EngineLost("The engine does not listen. Try again in a moment.") from exc
        except TimeoutError as exc:
            log.warning("engine timed out", extra={"fields": {"request": request_id}})
            raise EngineTimedOut("The engine took too long.") from exc
        except (aiohttp.ClientError, OSError) as exc:
            log.warning("engine lost: %r", exc, extra={"fields": {"request": request_id}})
            raise EngineLost("The engine went away. Try again in a moment.") from exc
        finally:
            self.in_flight -= 1

    def _session(self, endpoint: Endpoint) -> aiohttp.ClientSession:
        session = self._sessions.get(endpoint.socket)
        if session is None:
            connector = (
                aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE)
                if endpoint.socket is None
                else aiohttp.UnixConnector(str(endpoint.socket), limit=0, keepalive_timeout=KEEP_ALIVE)
            )
            session = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("user-agent", "accept-encoding"),
                headers={"accept-encoding": "identity"},
            )
            self._sessions[endpoint.socket] = session
        return session


async def _refusal(response: aiohttp.ClientResponse, request_id: str, *, quotes: bool) -> GatewayError:
    text = await response.content.read(MAX_ERROR_BYTES)
    told = engine_words(text, quotes=quotes)
    log.warning("engine refused", extra={"fields": {"request": request_id, "engine_status": response.status, **told}})
    return translate(response.status, text)


def engine_words(text: bytes, *, quotes: bool = False) -> dict[str, object]:
    """What the log says of an error of vLLM's: its kind and where it lies; its sentence, which may quote the prompt, only with `quotes`."""
    if quotes:
        return {"engine_said": text[:2000].decode(errors="replace")}
    try:
        error = json.loads(text.removeprefix(b"data: "))["error"]
        return {f"engine_{name}": str(error[name])[:64] for name in ("type", "param", "code") if error.get(name) is not None}
    except (ValueError, LookupError, TypeError, AttributeError):
        return {"engine_bytes": len(text)}


def is_dead(text: bytes) -> bool:
    """Whether this is the last word of an engine that is going down."""
    return _DEAD in text


def translate(status: int, text: bytes) -> GatewayError:
    """What a refusal of vLLM means for a caller who passed all checks of ours."""
    if status in (400, 404) and any(words in text for words in _ADAPTER_ERRORS):
        return AdapterUnavailable("This model's adapter could not be loaded. Try again in a moment.")
    if _NOT_FINITE in text:
        return AnswerNotFinite("What the engine computed with this model are no numbers.")
    if status == 400 and b"context length" in text:
        return ContextLengthExceeded("The prompt and max_tokens together exceed the model's context.")
    if status == 400:
        return InvalidRequest("The engine refused these parameters.")
    if status == 503 or is_dead(text):
        return EngineLost("The engine is not able to answer. Try again in a moment.")
    return EngineFailed("The engine failed to answer.")
