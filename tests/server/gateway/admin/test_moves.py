"""Writes one after another: how many at once, and what is known after each."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters.registry import Base, DatabaseError, Manifest, Snapshot
from server.fleet.fake import ScriptedEngine
from server.fleet.fleet import Fleet
from server.fleet.lifecycle import Policy
from server.gateway.admin.moves import PUBLISHES_AT_ONCE, Documents, Moves
from server.gateway.admin.trial import Trial
from server.gateway.admission.gate import Gate
from server.gateway.directory import Directory
from server.gateway.loader import Loader
from server.gateway.metrics import Metrics
from server.gateway.upstream import Upstream
from tests.server.gateway.memory_registry import MemoryRegistry, manifest
from tests.server.gateway.stage import BOUNDS, MAX_RANK


class SlowRegistry(MemoryRegistry):
    """A publish takes until the test lets it go on; every look after `blind_after` versions fails."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[str] = []
        self.gate = asyncio.Event()
        self.blind_after = 1000

    async def publish(
        self,
        community: str,
        directory: Path,
        *,
        base: Base,
        max_rank: int,
        by: str = "",
        training: Mapping[str, Any] | None = None,
        report_card: Mapping[str, Any] | None = None,
    ) -> Manifest:
        self.begun.append(by)
        await self.gate.wait()
        return self.add(manifest(base, community, len(self.held.versions.get(community, {})) + 1))

    async def snapshot(self, after: Snapshot | None = None) -> Snapshot:
        if len(self.held.versions.get("zizou", {})) > self.blind_after:
            raise DatabaseError("The database is away.")
        return await super().snapshot(after)


@pytest.fixture
def registry() -> SlowRegistry:
    return SlowRegistry()


@pytest.fixture
def directory(registry: SlowRegistry, base: Base) -> Directory:
    return Directory(registry, base_fingerprint=base.fingerprint, started=1)


@pytest.fixture
def moves(registry: SlowRegistry, directory: Directory, base: Base) -> Moves:
    fleet = Fleet(ScriptedEngine(), Policy())
    upstream = Upstream(connect_timeout=1, stall_timeout=1, answer_timeout=1)
    gate = Gate(BOUNDS)
    metrics = Metrics(fleet, directory, gate)
    loader = Loader(fleet, upstream, metrics)
    return Moves(registry, directory, Trial(gate, fleet, upstream, deadline=1), loader, metrics, base=base, max_rank=MAX_RANK)


async def test_publishes_wait_for_each_other_in_order(moves: Moves, registry: SlowRegistry, tmp_path: Path) -> None:
    """Only so many at once; the others begin in the order in which they came."""
    tasks = [asyncio.create_task(moves.publish("zizou", tmp_path, Documents(by=str(number)))) for number in range(6)]
    for _ in range(50):
        await asyncio.sleep(0)
    assert registry.begun == ["0", "1"]
    assert len(registry.begun) == PUBLISHES_AT_ONCE
    registry.gate.set()
    async with asyncio.timeout(5):
        published = await asyncio.gather(*tasks)
    assert registry.begun == [str(number) for number in range(6)]
    assert sorted(entry.version for entry, _ in published) == [1, 2, 3, 4, 5, 6]
    assert all(is_new for _, is_new in published)


async def test_a_publish_that_fails_makes_room_for_the_next(moves: Moves, registry: SlowRegistry, tmp_path: Path) -> None:
    """Also one whose caller went away while it waited."""
    tasks = [asyncio.create_task(moves.publish("zizou", tmp_path, Documents())) for _ in range(4)]
    for _ in range(50):
        await asyncio.sleep(0)
    for task in tasks[:3]:
        task.cancel()
    registry.gate.set()
    async with asyncio.timeout(5):
        done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(each, asyncio.CancelledError) for each in done] == [True, True, True, False]


async def test_what_is_written_stays_said_when_it_cannot_be_read_back(
    moves: Moves, registry: SlowRegistry, directory: Directory, tmp_path: Path
) -> None:
    """The write succeeded: its caller is told so, and the directory catches up when it can."""
    registry.gate.set()
    registry.blind_after = 0
    entry, is_new = await moves.publish("zizou", tmp_path, Documents())
    assert (entry.version, is_new) == (1, True)
    assert directory.failure is not None
    registry.blind_after = 1000
    assert (await directory.refresh()).versions["zizou"] == {1: entry}
