"""Canaries that are decided by reactions, on a gateway: people react over the API, time passes, and aliases move."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest_asyncio

from adapters.registry import Base
from adapters.registry.open import open_registry
from loadtests.fake_engine import Voice
from server.feedback.answer import DAY_MS
from server.gateway.settings import GatewaySettings
from tests.server.gateway.admin.test_admin import ROOT, publish
from tests.server.gateway.stage import ADMIN, Stage, open_stage

ZIZOU = f"{ROOT}/communities/zizou"
MINIMUM = 40


@dataclass
class Clock:
    ns: int

    def __call__(self) -> int:
        return self.ns

    @property
    def ms(self) -> int:
        return self.ns // 1_000_000

    def pass_days(self, days: float) -> None:
        self.ns += round(days * DAY_MS) * 1_000_000


@dataclass
class Office:
    stage: Stage
    clock: Clock
    said: int = 0

    async def canary(self) -> None:
        answer = await self.stage.http.put(f"{ZIZOU}/aliases/canary", json={"version": 2, "share": 50}, headers=ADMIN)
        assert answer.status_code == 200, answer.text

    async def policy(self, **terms: Any) -> None:
        answer = await self.stage.http.put(f"{ZIZOU}/canary", json={"minimum": MINIMUM, "by": "Ann", **terms}, headers=ADMIN)
        assert answer.status_code == 200, answer.text

    async def react(self, live: int, canary: int, count: int = 80) -> None:
        """`count` answers of each version in turns, of which so many percent are liked by three people."""
        sent = datetime.fromtimestamp(self.clock.ms / 1000, UTC).isoformat()
        for _ in range(count // 40):
            items = []
            for number in range(40):
                for adapter, percent in (("zizou@1", live), ("zizou@2", canary)):
                    people = 3 if number * 37 % 100 < percent else 0
                    self.said += 1
                    said = {"message_id": f"{self.said:06}", "adapter": adapter, "context_hash": "0" * 64, "sent_at": sent}
                    items.append({**said, "reactions": {"🔥": people} if people else {}, "people": people})
            assert (await self.stage.http.post("/v1/feedback", json={"items": items})).status_code == 200

    async def aliases(self) -> dict[str, int]:
        snapshot = await self.stage.registry.snapshot()
        return {alias: pointer.version for alias, pointer in snapshot.pointers("zizou").items()}

    async def until(self, outcome: str) -> dict[str, Any]:
        """Until the last comparison has ended so; it."""
        async with asyncio.timeout(20):
            while not (trials := (await self.shown())["trials"]) or trials[0]["outcome"] != outcome:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        last: dict[str, Any] = trials[0]
        return last

    async def compares(self) -> None:
        """Until the gateway has seen that there is something to compare."""
        async with asyncio.timeout(20):
            while (await self.shown())["standing"] is None:  # noqa: ASYNC110 (only the gateway knows)
                await asyncio.sleep(0.01)

    async def shown(self) -> dict[str, Any]:
        content: dict[str, Any] = (await self.stage.http.get(f"{ZIZOU}/canary", headers=ADMIN)).json()
        return content


@pytest_asyncio.fixture
async def office(tmp_path: Path, base: Base, settings: GatewaySettings) -> AsyncIterator[Office]:
    """On a real registry: two versions of zizou, the first one live."""
    clock = Clock(time.time_ns())
    registry = await open_registry(tmp_path / "home")
    try:
        async with open_stage(tmp_path, base, settings, registry, clock_ns=clock, decide_every=0.02) as stage:
            for fill in (b"\x01", b"\x02"):
                await publish(stage, tmp_path / fill.hex(), fill=fill)
            await stage.http.put(f"{ZIZOU}/aliases/live", json={"version": 1, "by": "Ann"}, headers=ADMIN)
            yield Office(stage, clock)
    finally:
        await registry.close()


def history(folder: Path) -> list[tuple[str, int | None, str]]:
    """What the registry says of who moved what."""
    (path,) = (folder / "home").rglob("*.db")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return database.execute("SELECT alias, version, moved_by FROM moves ORDER BY id").fetchall()


async def test_one_that_people_like_better_becomes_live(office: Office, tmp_path: Path) -> None:
    """When its answers have had their day; the alias's history says who did it, and why."""
    await office.policy()
    await office.canary()
    await office.compares()
    await office.react(10, 60)
    before = await office.shown()
    assert (before["standing"]["live"], before["standing"]["canary"]) == ({"counted": 0, "bangers": 0}, {"counted": 0, "bangers": 0})
    assert await office.aliases() == {"live": 1, "canary": 2}
    office.clock.pass_days(1.1)
    ended = await office.until("promoted")
    assert (ended["canary"], ended["live"]) == (2, 1)
    assert ended["why"].startswith("better: ")
    async with asyncio.timeout(5):
        while "canary" in await office.aliases():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert await office.aliases() == {"live": 2}
    assert history(tmp_path)[-2:] == [("live", 2, f"canary policy, {ended['why']}"), ("canary", None, f"canary policy, {ended['why']}")]
    assert office.stage.fake.loaded  # it was tried on the engine


async def test_one_that_people_like_less_goes(office: Office) -> None:
    await office.policy()
    await office.canary()
    await office.compares()
    await office.react(60, 10)
    office.clock.pass_days(1.1)
    assert (await office.until("taken away"))["why"].startswith("worse: ")
    assert await office.aliases() == {"live": 1}


async def test_one_that_is_neither_goes_when_time_is_up(office: Office) -> None:
    await office.policy(days=3)
    await office.canary()
    await office.compares()
    await office.react(30, 30)
    office.clock.pass_days(2.9)
    assert (await office.shown())["standing"]["canary"]["counted"] == 80
    assert await office.aliases() == {"live": 1, "canary": 2}
    office.clock.pass_days(0.2)
    assert (await office.until("given up"))["why"].startswith("undecided in 3 days")
    assert await office.aliases() == {"live": 1}


async def test_nothing_moves_where_people_decide(office: Office) -> None:
    """Which is so until somebody sets a policy, and again when it is taken away; what was before the comparison does not count in it."""
    await office.canary()
    await office.react(10, 60)
    office.clock.pass_days(1.1)
    assert (await office.shown())["trials"] == []
    await office.policy()
    await office.compares()
    assert (await office.shown())["standing"]["canary"] == {"counted": 0, "bangers": 0}
    await office.stage.http.delete(f"{ZIZOU}/canary", headers=ADMIN)
    await office.until("moved")
    assert await office.aliases() == {"live": 1, "canary": 2}


async def test_a_comparison_ends_when_somebody_moves_an_alias(office: Office, tmp_path: Path) -> None:
    """Another canary begins another one, without the answers of the first."""
    await office.policy()
    await office.canary()
    await office.compares()
    await office.stage.http.delete(f"{ZIZOU}/aliases/canary", headers=ADMIN)
    await office.until("moved")
    await office.canary()
    await office.compares()
    assert [trial["outcome"] for trial in (await office.shown())["trials"]] == [None, "moved"]


async def test_one_that_fails_its_trial_is_not_promoted(office: Office) -> None:
    """However much people like it: the engine's trial is the same for all who move an alias."""
    await office.policy()
    await office.canary()
    await office.compares()
    await office.react(10, 60)
    second = (await office.stage.registry.show("zizou", 2)).engine_name
    office.stage.fault(voices={second: Voice(())})
    office.clock.pass_days(1.1)
    assert "failed its trial" in (await office.until("refused"))["why"]
    assert (await office.aliases())["live"] == 1
