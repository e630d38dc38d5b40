"""kill -9 of a gateway while people talk through it: whatever reached the engine has its one row, and nothing stays open."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from adapters.registry import DatabaseError
from adapters.registry.database import Database
from loadtests.fake_engine import CHAT, FakeEngine, FakeSettings
from server.accounts import open_accounts
from tests.postgres import PostgresServer, postgres_server
from tests.server.accounts.ledger.desk import assert_adds_up, fetch
from tests.server.gateway.stage import ADMIN, ADMIN_KEY, CHAT_KEY, write_base
from tests.server.mortal import Mortal, mortal

pytestmark = pytest.mark.timeout(3600)
COMMUNITIES = ("archivists", "greybeards", "zizou")
CALLERS = 16
SECONDS = 0.25
"""Of talk before a kill, on average: some come before anything was settled, some after a note was taken."""
PROMPT = "who wins tonight"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Empty for a file in the gateway's own home."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres").database())


@dataclass(frozen=True)
class Installation:
    """A gateway, the engine that it asks, and a look at its books."""

    gateway: Mortal
    engine: FakeEngine
    database: Database
    is_sqlite: bool


@asynccontextmanager
async def installed(folder: Path, database_url: str = "", **settings: Any) -> AsyncIterator[Installation]:
    async with FakeEngine(FakeSettings(tokens=40, inter_token=0.004, cached=1)) as engine:
        told = {"api_key": SecretStr(CHAT_KEY), "admin_key": SecretStr(ADMIN_KEY), "database_url": SecretStr(database_url), **settings}
        async with mortal(folder, write_base(folder / "base"), engine.url, **told) as gateway:
            database = await open_accounts(gateway.settings.home, database_url=database_url)
            try:
                yield Installation(gateway, engine, database, not database_url)
            finally:
                await database.close()


async def make_key(http: aiohttp.ClientSession, community: str) -> dict[str, str]:
    asked = {"name": community, "scopes": ["chat"], "communities": [community]}
    async with http.post("/admin/v1/keys", json=asked, headers=ADMIN) as response:
        return {"authorization": f"Bearer {(await response.json())['key']}"}


class Crowd:
    """Callers who ask one thing after the other; what they were answered, by request id: whether it came to its end."""

    def __init__(self, http: aiohttp.ClientSession, keys: list[dict[str, str]], draw: random.Random) -> None:
        self._http = http
        self._keys = keys
        self._draw = draw
        self.answered: dict[str, bool] = {}

    async def talk(self, seconds: float, then: Callable[[], Any]) -> None:
        """`then` is awaited in the middle of it."""
        callers = [asyncio.create_task(self._call(number)) for number in range(CALLERS)]
        await asyncio.sleep(seconds)
        await then()
        await asyncio.wait(callers)
        for caller in callers:
            caller.result()

    async def _call(self, number: int) -> None:
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):
            while True:
                await self._ask(number)

    async def _ask(self, number: int) -> None:
        body = {"model": "base", "messages": [{"role": "user", "content": PROMPT}], "max_tokens": self._draw.choice((4, 20, 40))}
        body["stream"] = number % 4 < 3
        async with self._http.post(CHAT, json=body, headers=self._keys[number % len(self._keys)]) as response:
            name = response.headers["x-request-id"]
            self.answered[name] = False
            await response.read()
            self.answered[name] = True


async def closed(database: Database) -> dict[str, dict[str, Any]]:
    """All rows, once none is open any more: a server may need a moment to see that a gateway is gone."""
    async with asyncio.timeout(30):
        while await fetch(database, "SELECT id FROM requests WHERE outcome IS NULL LIMIT 1"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    rows = await fetch(database, "SELECT * FROM requests")
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row for row in rows}


def check(rows: dict[str, dict[str, Any]], engine: FakeEngine, answered: dict[str, bool]) -> None:
    """Each row says what the engine made; what nobody noted before the kill was given away, and nobody pays for what was not made."""
    made: Counter[str] = Counter()
    for received in engine.received:
        made[received.request_id] += received.tokens
    assert set(made) <= set(rows)
    assert {name for name, whole in answered.items() if whole} <= set(made)
    for name, row in rows.items():
        if row["outcome"] == "complete":
            assert (row["completion_tokens"], row["prompt_tokens"], row["cached_tokens"]) == (made[name], len(PROMPT.split()), 1)
        else:
            assert row["outcome"] == "lost"
            assert row["completion_tokens"] == row["noted_tokens"] <= made[name]


async def kill(installation: Installation, kills: int) -> Counter[str]:
    """One after the other, under load; after each, once the next gateway is there, everything is looked at. Requests by their outcome."""
    gateway, engine, database = installation.gateway, installation.engine, installation.database
    draw, seen = random.Random(6), Counter[str]()
    async with aiohttp.ClientSession(gateway.url, connector=aiohttp.TCPConnector(limit=0)) as http:
        keys = [await make_key(http, community) for community in COMMUNITIES]
        for number in range(kills):
            crowd = Crowd(http, keys, draw)
            await crowd.talk(draw.expovariate(1 / SECONDS), gateway.kill)
            await gateway.start()
            rows = await closed(database)
            check(rows, engine, crowd.answered)
            await assert_adds_up(database)
            seen.update(row["outcome"] for row in rows.values())
            if installation.is_sqlite and (number % 20 == 0 or number == kills - 1):
                assert await fetch(database, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
            await forget(database, engine)
    return seen


async def forget(database: Database, engine: FakeEngine) -> None:
    """So that looking at everything stays quick. The gateway may be writing, too."""
    engine.received.clear()
    for table in ("requests", "balances"):
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(DatabaseError):
                    async with database.noting() as connection:
                        await connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608  two names from here
                    break
                await asyncio.sleep(0.1)


async def test_nothing_is_lost_doubled_or_left_open(
    tmp_path: Path, database_url: str, soak: bool, record_property: Callable[[str, object], None]
) -> None:
    """After each kill and start (1,000 of them on SQLite in the soak, 100 on PostgreSQL): one row for each request that the engine saw,
    settled once, and what accounts hold is what their rows say."""
    kills = (100 if soak else 5) if database_url else (1000 if soak else 12)
    async with installed(tmp_path, database_url) as installation:
        seen = await kill(installation, kills)
    record_property("kills of a gateway under load", kills)
    record_property("requests, by how they ended", dict(seen))
    assert seen["complete"] > kills
    assert seen["lost"] > kills
