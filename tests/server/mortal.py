"""A gateway in a process of its own, to be killed: `troupe up` as it is, on an engine that runs elsewhere.

Most of a start is importing. A fork server does that once, so that a thousand gateways can be killed in minutes: each is a process of its
own all the same, with its own connections, files and locks. Linux only.
"""

import asyncio
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import aiosqlite  # noqa: F401  these four are what a gateway imports only as it starts
import alembic.command
import alembic.config  # noqa: F401
import pydantic.v1  # noqa: F401
import uvloop

from server.engine.settings import EngineSettings
from server.fleet.leftovers import sweep
from server.gateway.settings import GatewaySettings
from server.up import serve

HOST = "127.0.0.1"
START_SECONDS = 60.0
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["__main__", __name__])


@dataclass
class Mortal:
    """One gateway after the other at one address, all with one home."""

    settings: GatewaySettings
    log: Path
    """What all of them wrote."""
    process: Any = None

    @property
    def url(self) -> str:
        return f"http://{self.settings.host}:{self.settings.port}"

    def fork(self) -> None:
        self.process = _forks.Process(target=_live, args=(self.settings.model_dump(), self.log))
        self.process.start()

    async def start(self) -> None:
        """Until it is ready for requests."""
        self.fork()
        until = asyncio.get_running_loop().time() + START_SECONDS
        async with aiohttp.ClientSession() as http:
            while not await _is_ready(http, self.url):
                assert self.process.is_alive(), self.log.read_text()[-4000:]
                assert asyncio.get_running_loop().time() < until, self.log.read_text()[-4000:]
                await asyncio.sleep(0.01)

    async def kill(self) -> None:
        """By SIGKILL; nothing of it is left when this returns."""
        await self.end(signal.SIGKILL)

    async def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code: below zero, the signal."""
        os.kill(self.process.pid, by)
        await asyncio.to_thread(self.process.join, START_SECONDS)
        return int(self.process.exitcode)


@asynccontextmanager
async def mortal(folder: Path, base: Path, engine_url: str, **settings: Any) -> AsyncIterator[Mortal]:
    """One that runs, in `folder`, on a free port. `settings`: of GatewaySettings."""
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
    told = GatewaySettings(home=folder / "home", host=HOST, port=port, base=str(base), engine_url=engine_url, **settings)
    gateway = Mortal(told, folder / "gateway.log")
    await gateway.start()
    try:
        yield gateway
    finally:
        if gateway.process.is_alive():
            await gateway.kill()
        sweep(told.home)


async def _is_ready(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(f"{url}/health/ready") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


def _live(settings: Mapping[str, Any], log: Path) -> None:
    with log.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdin.close()
    gateway, engine = GatewaySettings(**settings), EngineSettings(quantization="none", max_num_seqs=256)
    uvloop.run(serve(gateway, engine, base=gateway.base, demo=False, say=print))
