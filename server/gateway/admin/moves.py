"""What the admin API changes: versions come, aliases move, and the directory knows at once.

Before an alias moves, its new version answers a trial on the engine; nothing moves for one that fails. Knows nothing of HTTP.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.registry import CANARY, Base, Manifest, Pointer, RegistryError, Snapshot, State, UnknownModel
from adapters.registry import Conflict as RegistryConflict
from adapters.registry.gates import check_reason, needs_override
from server.gateway.admin.trial import Trial
from server.gateway.admin.verdict import HARMFUL, REASONS, Outcome
from server.gateway.directory import Directory
from server.gateway.errors import EngineNotReady, EngineUnavailable, RegistryUnavailable, TrialFailed
from server.gateway.loader import Loader
from server.gateway.metrics import Metrics
from server.gateway.registry import Registry

log = logging.getLogger("troupe.gateway")

PUBLISHES_AT_ONCE = 2
"""Each reads and hashes hundreds of megabytes: more of them would only slow each other down, and everybody's streams."""


@dataclass(frozen=True)
class Moved:
    """Where an alias points now."""

    alias: str
    pointer: Pointer
    manifest: Manifest


@dataclass(frozen=True)
class Documents:
    """What may travel with an adapter."""

    training: Mapping[str, Any] | None = None
    report_card: Mapping[str, Any] | None = None
    by: str = ""


class Moves:
    """Raises RegistryErrors and GatewayErrors."""

    def __init__(
        self, registry: Registry, directory: Directory, trial: Trial, loader: Loader, metrics: Metrics, *, base: Base, max_rank: int
    ) -> None:
        self._registry = registry
        self._directory = directory
        self._trial = trial
        self._loader = loader
        self._metrics = metrics
        self._base = base
        self._max_rank = max_rank
        self._publishing = asyncio.Semaphore(PUBLISHES_AT_ONCE)
        self._moving: dict[str, asyncio.Lock] = {}
        """Community → its lock; only communities that exist get one."""

    async def publish(self, community: str, folder: Path, documents: Documents) -> tuple[Manifest, bool]:
        """The version of the adapter in `folder`, and whether it is a new one."""
        async with self._publishing:
            known = (await self._directory.refresh()).versions.get(community, {})
            manifest = await self._registry.publish(
                community,
                folder,
                base=self._base,
                max_rank=self._max_rank,
                by=documents.by,
                training=documents.training,
                report_card=documents.report_card,
            )
        await self._written()
        return manifest, manifest.version not in known

    async def point(self, community: str, alias: str, version: int, share: float | None, *, by: str, override: str = "") -> Moved:
        """Let `alias` mean `version`, after its trial. `share`, in percent, belongs to `canary` and to nothing else.

        `override`: why it may be though it failed its gates.

        An alias that means it already, or a canary that only changes its share, needs no trial.
        """
        snapshot = await self._directory.refresh()
        async with self._turn(snapshot, community, version):
            snapshot = await self._directory.refresh()
            manifest = _version(snapshot, community, version)
            pointer = snapshot.pointers(community).get(alias)
            if pointer is None or pointer.version != version:
                self._check_servable(manifest)
                needs_override(await self._registry.show(community, version), alias, check_reason(override))  # before an engine is busy
                await self._try(manifest)
            if alias == CANARY:
                manifest = await self._registry.canary(community, version, share=share or 0.0, by=by, override=override)
            else:
                manifest = await self._registry.promote(community, version, alias=alias, by=by, override=override)
        await self._written()
        return Moved(alias, Pointer(version, share or 0.0), manifest)

    async def rollback(self, community: str, alias: str, *, by: str) -> Moved:
        """Let `alias` mean what it meant before. While no engine is awake, without a trial: a way back must not wait for one."""
        before = await self._registry.before(community, alias=alias)
        async with self._turn(await self._directory.refresh(), community, before.version):
            before = await self._registry.before(community, alias=alias)
            self._check_servable(before)
            try:
                await self._try(before, wake=False)
            except (EngineNotReady, EngineUnavailable):
                log.warning("%s %s goes back to %s without a trial: no engine is awake", community, alias, before.ref)
            manifest = await self._registry.rollback(community, alias=alias, by=by)
        snapshot = await self._written()
        pointer = snapshot.pointers(community).get(alias) if snapshot else None
        return Moved(alias, pointer or Pointer(manifest.version), manifest)

    async def clear(self, community: str, alias: str, *, by: str) -> None:
        await self._registry.clear(community, alias, by=by)
        await self._written()

    async def retire(self, community: str, version: int, *, by: str) -> Manifest:
        manifest = await self._registry.retire(community, version, by=by)
        await self._written()
        return manifest

    async def quarantine(self, community: str, version: int, reason: str) -> Manifest:
        """Stop serving it, whatever points at it."""
        manifest = await self._registry.quarantine(community, version, reason)
        await self._written()
        return manifest

    def _turn(self, snapshot: Snapshot, community: str, version: int) -> asyncio.Lock:
        """A community's moves follow each other. Raises UnknownModel."""
        _version(snapshot, community, version)
        return self._moving.setdefault(community, asyncio.Lock())

    def _check_servable(self, manifest: Manifest) -> None:
        if manifest.state is not State.PUBLISHED:
            raise RegistryConflict(f"{manifest.ref} is {manifest.state}: choose another version.")
        if not self._directory.is_served(manifest):
            raise RegistryConflict(f"{manifest.ref} was made for another base than the one served here: train it again on this one.")

    async def _try(self, manifest: Manifest, *, wake: bool = True) -> None:
        """Raises TrialFailed, or what `Trial.run` does."""
        outcome = await self._trial.run(manifest, wake=wake)
        self._metrics.note_trial(outcome)
        log.info("trial of %s: %s", manifest.ref, outcome)
        if outcome is Outcome.PASSED:
            self._loader.note(manifest)
            return
        if outcome is Outcome.ENGINE_AWAY:
            raise EngineUnavailable("The engine went away during the trial, and nothing moved. Try again in a moment.")
        if outcome in HARMFUL and not self._is_pointed_at(manifest):
            await self._registry.quarantine(manifest.community, manifest.version, f"On the engine, {REASONS[outcome]}.")
            await self._written()
        raise TrialFailed(f"{manifest.ref} failed its trial, and nothing moved: {REASONS[outcome]}.")

    def _is_pointed_at(self, manifest: Manifest) -> bool:
        """Quarantine would silence what an alias names now: that is for an operator to decide."""
        snapshot = self._directory.snapshot
        pointers = snapshot.pointers(manifest.community) if snapshot else {}
        return any(pointer.version == manifest.version for pointer in pointers.values())

    async def _written(self) -> Snapshot | None:
        """The write is done and stays done: if it cannot be read back now, the next look will."""
        try:
            return await self._directory.refresh()
        except (RegistryError, RegistryUnavailable):
            return None


def _version(snapshot: Snapshot, community: str, version: int) -> Manifest:
    manifest = snapshot.versions.get(community, {}).get(version)
    if manifest is None:
        raise UnknownModel(f"There is no adapter '{community}@{version}'.")
    return manifest
