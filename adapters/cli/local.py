"""The registry on this machine: its database and its store, with no gateway between. Knows no HTTP and no command."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.cli.errors import BadUsage
from adapters.cli.registrar import Damaged, Move, Published, Sent, Upload, Verdict
from adapters.registry.base import Base, read_base
from adapters.registry.errors import UnknownModel
from adapters.registry.manifest import Manifest
from adapters.registry.names import CANARY, check_community
from adapters.registry.open import open_registry
from adapters.registry.registry import Garbage, Registry
from adapters.registry.snapshot import Pointer, Snapshot
from adapters.settings import RegistrySettings


@contextmanager
def local_registrar(settings: RegistrySettings) -> Iterator["LocalRegistrar"]:
    """The registry of `settings`, closed at the end. Raises RegistryError."""
    with asyncio.Runner() as runner:
        registry = runner.run(open_registry(settings.home, store_url=settings.store_url, database_url=settings.database_url))
        try:
            yield LocalRegistrar(registry, runner, settings)
        finally:
            runner.run(registry.close())


class LocalRegistrar:
    """The verbs, each one call of the registry. A registry belongs to one event loop, the one that `runner` holds."""

    tries = False

    def __init__(self, registry: Registry, runner: asyncio.Runner, settings: RegistrySettings) -> None:
        self._registry = registry
        self._run = runner.run
        self._settings = settings

    def snapshot(self, community: str | None = None) -> Snapshot:
        snapshot = self._run(self._registry.snapshot())
        if community is not None and check_community(community) not in snapshot.versions:
            raise UnknownModel(f"There is no community {community!r}: `troupe ls` lists them.")
        return snapshot

    def show(self, community: str, version: int) -> Manifest:
        return self._run(self._registry.show(community, version))

    def publish(self, upload: Upload, sent: Sent) -> Published:
        base, max_rank = served_base(self._settings)
        known = {manifest.version for manifest in self._run(self._registry.snapshot()).manifests(upload.community)}
        manifest = self._run(
            self._registry.publish(
                upload.community,
                upload.directory,
                base=base,
                max_rank=max_rank,
                by=upload.by,
                training=upload.training,
                report_card=upload.report_card,
            )
        )
        return Published(manifest, new=manifest.version not in known)

    def promote(self, community: str, version: int, *, alias: str, override: str = "") -> Move:
        return self._moved(alias, self._run(self._registry.promote(community, version, alias=alias, override=override)))

    def canary(self, community: str, version: int, *, share: float, override: str = "") -> Move:
        return Move(CANARY, share, self._run(self._registry.canary(community, version, share=share, override=override)))

    def clear(self, community: str, alias: str) -> None:
        self._run(self._registry.clear(community, alias))

    def rollback(self, community: str, *, alias: str) -> Move:
        return self._moved(alias, self._run(self._registry.rollback(community, alias=alias)))

    def retire(self, community: str, version: int) -> Manifest:
        return self._run(self._registry.retire(community, version))

    def quarantine(self, community: str, version: int, reason: str) -> Manifest:
        return self._run(self._registry.quarantine(check_community(community), version, reason))

    def gc(self) -> Garbage:
        return self._run(self._registry.gc())

    def verify(self) -> Verdict:
        verified = self._run(self._registry.verify())
        found = ((damage.manifest, damage.reason) for damage in verified.damaged)
        return Verdict(verified.checked, tuple(Damaged(each.community, each.version, each.digest, reason) for each, reason in found))

    def _moved(self, alias: str, manifest: Manifest) -> Move:
        pointer = self._run(self._registry.snapshot()).pointers(manifest.community).get(alias, Pointer(manifest.version))
        return Move(alias, pointer.share, manifest)


def served_base(settings: RegistrySettings) -> tuple[Base, int]:
    """The base that adapters are checked against, and the largest rank that is served. Raises BadUsage or BaseError."""
    if not settings.base:
        raise BadUsage(
            "Without a gateway an adapter is checked here: give the base that it was made for with --base DIR, or set TROUPE_BASE."
        )
    if not (settings.max_rank.isascii() and settings.max_rank.isdigit() and int(settings.max_rank) > 0):
        raise BadUsage(f"{settings.max_rank!r} is not a rank: set TROUPE_ENGINE_MAX_LORA_RANK to a whole number above 0.")
    return read_base(Path(settings.base).expanduser(), settings.quantization), int(settings.max_rank)
