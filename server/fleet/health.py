"""One question to an engine: does it answer `/health`?

True says that its HTTP server lives, not that it makes tokens: that is what `watchdog.py` looks at.
"""

import contextlib
from collections.abc import AsyncIterator

import aiohttp

from server.fleet.engine import Endpoint


@contextlib.asynccontextmanager
async def session_for(endpoint: Endpoint, *, timeout: float | None) -> AsyncIterator[aiohttp.ClientSession]:
    """A session that reaches the engine with its key. Connections are not kept: the next question may meet another engine."""
    connector = (
        aiohttp.TCPConnector(force_close=True)
        if endpoint.socket is None
        else aiohttp.UnixConnector(path=str(endpoint.socket), force_close=True)
    )
    headers = {"authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=aiohttp.ClientTimeout(total=timeout)) as session:
        yield session


async def trouble(endpoint: Endpoint, *, timeout: float = 2.0) -> str | None:
    """What is wrong with its answer, in a few words; None if it is healthy."""
    try:
        async with (
            session_for(endpoint, timeout=timeout) as session,
            session.get(endpoint.base_url.rstrip("/") + "/health", allow_redirects=False) as answer,
        ):
            return None if answer.status == 200 else f"it answers {answer.status}"
    except (aiohttp.ClientError, TimeoutError, OSError) as exc:
        return f"it does not answer ({type(exc).__name__})"


async def healthy(endpoint: Endpoint) -> bool:
    return await trouble(endpoint) is None
