"""A registry in memory: versions and aliases as the real one keeps them, no bytes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from adapters.registry import CANARY, LIVE, Base, Conflict, Manifest, ModelRef, Pointer, Snapshot, State, UnknownModel
from adapters.registry.gates import needs_override
from adapters.registry.validation import validate
from server.gateway.registry import Damage, Verified


def manifest(base: Base, community: str, version: int = 1, *, fingerprint: str | None = None) -> Manifest:
    return Manifest(
        community=community,
        version=version,
        digest="sha256:" + hashlib.sha256(f"{community}@{version}".encode()).hexdigest(),
        base_fingerprint=fingerprint or base.fingerprint,
        rank=2,
        alpha=4,
        target_modules=("q_proj",),
        dtype="BF16",
        size_bytes=1,
        published_by="",
        published_at="2026-11-20T12:00:00+00:00",
    )


@dataclass(frozen=True)
class NoGarbage:
    removed: tuple[str, ...] = ()
    uploads: int = 0


@dataclass(frozen=True)
class AllWell:
    checked: int
    damaged: tuple[Damage, ...] = ()


@dataclass
class MemoryRegistry:
    """`failure` is raised by every look at it, while it is set."""

    failure: Exception | None = None
    held: Snapshot = field(default_factory=Snapshot)
    looks: int = 0
    past: dict[tuple[str, str], list[Pointer]] = field(default_factory=dict)

    def add(self, entry: Manifest, *aliases: str, share: float = 0.0) -> Manifest:
        """Put a version there, or another state of it, and point aliases at it."""
        ours = {**self.held.versions.get(entry.community, {}), entry.version: entry}
        self._set(versions={**self.held.versions, entry.community: ours})
        for alias in aliases:
            self._point(entry.community, alias, Pointer(entry.version, share if alias == CANARY else 0.0))
        return entry

    async def snapshot(self, after: Snapshot | None = None) -> Snapshot:
        self.looks += 1
        if self.failure is not None:
            raise self.failure
        return self.held

    async def show(self, community: str, version: int) -> Manifest:
        try:
            return self.held.versions[community][version]
        except KeyError as exc:
            raise UnknownModel(f"There is no adapter '{community}@{version}'.") from exc

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
        validate(directory, base, max_rank=max_rank)
        new = manifest(base, community, len(self.held.versions.get(community, {})) + 1)
        return self.add(replace(new, published_by=by, training=training, report_card=report_card))

    async def promote(self, community: str, version: int, *, alias: str = LIVE, by: str = "", override: str = "") -> Manifest:
        return await self._move(community, alias, Pointer(version), by, override)

    async def canary(self, community: str, version: int, *, share: float, by: str = "", override: str = "") -> Manifest:
        return await self._move(community, CANARY, Pointer(version, share), by, override)

    async def clear(self, community: str, alias: str, *, by: str = "") -> None:
        pointers = dict(self.held.pointers(community))
        if alias not in pointers:
            raise UnknownModel(f"There is no adapter '{ModelRef(community, alias)}'.")
        if alias == LIVE:
            raise Conflict("live cannot be taken away.")
        del pointers[alias]
        self._set(aliases={**self.held.aliases, community: pointers})

    async def before(self, community: str, *, alias: str = LIVE) -> Manifest:
        if community not in self.held.versions:
            raise UnknownModel(f"There is no community {community!r}.")
        past = self.past.get((community, alias), [])
        if len(past) < 2:
            raise Conflict(f"{community} has no earlier {alias} version.")
        return await self.show(community, past[-2].version)

    async def rollback(self, community: str, *, alias: str = LIVE, by: str = "") -> Manifest:
        entry = await self.before(community, alias=alias)
        pointer = self.past[community, alias][-2]
        del self.past[community, alias][-2:]
        self._point(community, alias, pointer)
        return entry

    async def retire(self, community: str, version: int, *, by: str = "") -> Manifest:
        entry = await self.show(community, version)
        if any(pointer.version == version for pointer in self.held.pointers(community).values()):
            raise Conflict(f"{entry.ref} is pointed at.")
        return self.add(replace(entry, state=State.RETIRED))

    async def quarantine(self, community: str, version: int, reason: str) -> Manifest:
        return self.add(replace(await self.show(community, version), state=State.QUARANTINED, reason=reason))

    async def gc(self) -> NoGarbage:
        return NoGarbage()

    async def verify(self) -> Verified:
        return AllWell(sum(map(len, self.held.versions.values())))

    async def _move(self, community: str, alias: str, pointer: Pointer, by: str, override: str) -> Manifest:
        entry = await self.show(community, pointer.version)
        if entry.state is not State.PUBLISHED:
            raise Conflict(f"{entry.ref} is {entry.state}.")
        if needs_override(entry, alias, override):
            entry = self.add(replace(entry, override={"why": override, "by": by, "at": "2026-11-20T12:00:00+00:00"}))
        self._point(community, alias, pointer)
        return entry

    def _point(self, community: str, alias: str, pointer: Pointer) -> None:
        self.past.setdefault((community, alias), []).append(pointer)
        ours = {**self.held.pointers(community), alias: pointer}
        self._set(aliases={**self.held.aliases, community: ours})

    def _set(self, **changes: Any) -> None:
        self.held = replace(self.held, revision=self.held.revision + 1, **changes)
