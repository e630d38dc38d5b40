"""Published adapters and the aliases that move: bytes in a store, everything else in an index.

Bytes go first and are named by what they are; an adapter is there once the index says so, in one transaction. A crash at any point
leaves the old state or the new one, and at worst bytes that nobody holds, which `gc` removes.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from adapters.registry.base import Base
from adapters.registry.blobs import BlobStore, Staged
from adapters.registry.errors import BadName, DamagedAdapter, InvalidAdapter, RegistryError, UnknownModel
from adapters.registry.gates import check_reason
from adapters.registry.index import DAMAGED, STALE_UPLOAD, Index, Moved, now
from adapters.registry.lesson import lesson_of
from adapters.registry.manifest import Manifest, State
from adapters.registry.names import ALIAS, BASE, CANARY, LIVE, check_community
from adapters.registry.serving_copy import SERVED_DTYPE, serving_copy
from adapters.registry.snapshot import Pointer, Snapshot
from adapters.registry.validation import ValidAdapter, validate

MAX_DOCUMENT_BYTES = 1 << 20
MAX_AUTHOR_LENGTH = 100


@dataclass(frozen=True)
class Garbage:
    """What `gc` removed: the digests of adapters that no version holds, and how many uploads that were never finished."""

    removed: tuple[str, ...]
    uploads: int


@dataclass(frozen=True)
class Damage:
    manifest: Manifest
    reason: str


@dataclass(frozen=True)
class Verified:
    """How many versions were read and compared with their digests, and which of them are not what was published."""

    checked: int
    damaged: tuple[Damage, ...]


class Registry:
    """All errors are RegistryErrors, one sentence each. `by`: who does it, for the record."""

    def __init__(self, index: Index, blobs: BlobStore) -> None:
        self._index = index
        self._blobs = blobs

    async def close(self) -> None:
        await self._index.close()

    async def snapshot(self, after: Snapshot | None = None) -> Snapshot:
        """Everything but documents; `after` itself if nothing changed since: one cheap question."""
        return await self._index.snapshot(after)

    async def show(self, community: str, version: int) -> Manifest:
        """With training manifest and report card. Raises UnknownModel."""
        return await self._index.show(check_community(community), version)

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
        """Check the adapter in `directory` and store it as the community's next version. No alias moves.

        Bytes that are served already keep their version, and are put back if they were damaged. Raises BadName, InvalidAdapter (nothing
        is stored then), Conflict, StoreError or DatabaseError.
        """
        check_community(community)
        _check_author(by)
        for field, document in (("training", training), ("report_card", report_card)):
            _check_document(field, document)
        _check_trained_on(training or {}, base)
        adapter = await asyncio.to_thread(validate, directory, base, max_rank=max_rank)
        staged = await asyncio.to_thread(self._stage, adapter)
        try:
            draft = Manifest(
                community=community,
                version=0,
                digest=staged.digest,
                base_fingerprint=base.fingerprint,
                rank=adapter.rank,
                alpha=adapter.alpha,
                target_modules=adapter.target_modules,
                dtype=SERVED_DTYPE,
                size_bytes=staged.size_bytes,
                published_by=by,
                published_at=now(),
                training=training,
                report_card=report_card,
                lesson=lesson_of(training),
            )
            return await self._add(draft, staged)
        finally:
            await asyncio.to_thread(self._blobs.discard, staged)

    async def promote(self, community: str, version: int, *, alias: str = LIVE, by: str = "", override: str = "") -> Manifest:
        """Point `alias` at `version`. Raises BadName, UnknownModel, or Conflict for a version that is not to be served.

        One whose report card says that it failed its gates does not become live or canary, unless `override` says why: that is recorded.
        """
        return (await self._move(community, alias, Pointer(version), by, override)).manifest

    async def canary(self, community: str, version: int, *, share: float, by: str = "", override: str = "") -> Manifest:
        """Give `version` `share` percent of what asks for live. Raises BadName, UnknownModel or Conflict, as `promote` does."""
        if not 0 <= share <= 100:
            raise BadName(f"The share {share:g} is not a percentage: use 0 to 100.")
        return (await self._move(community, CANARY, Pointer(version, float(share)), by, override)).manifest

    async def clear(self, community: str, alias: str, *, by: str = "") -> None:
        """Take an alias away. Raises BadName, UnknownModel, or Conflict for live."""
        _check_author(by)
        await self._index.clear(check_community(community), check_alias(alias), by=by)

    async def before(self, community: str, *, alias: str = LIVE) -> Manifest:
        """Where a rollback would lead now. Raises as `rollback` does."""
        return (await self._index.before(check_community(community), check_alias(alias))).manifest

    async def rollback(self, community: str, *, alias: str = LIVE, by: str = "") -> Manifest:
        """Point `alias` where it pointed before. Raises BadName, UnknownModel, or Conflict if there is nothing to go back to."""
        _check_author(by)
        return (await self._index.rollback(check_community(community), check_alias(alias))).manifest

    async def retire(self, community: str, version: int, *, by: str = "") -> Manifest:
        """Serve `version` never again; its bytes go with the next `gc`. Raises UnknownModel, or Conflict while an alias points at it."""
        _check_author(by)
        return await self._index.set_state(check_community(community), version, State.RETIRED)

    async def quarantine(self, community: str, version: int, reason: str) -> Manifest:
        """Stop serving `version`, whatever points at it. Raises UnknownModel."""
        return await self._index.set_state(check_community(community), version, State.QUARANTINED, reason)

    async def gc(self) -> Garbage:
        """Remove bytes that no version holds, and uploads that have been lying for a day."""
        uploads = await asyncio.to_thread(self._blobs.sweep_uploads, datetime.now(UTC) - STALE_UPLOAD)
        await self._index.release_stale()
        removed = []
        for digest in sorted(await asyncio.to_thread(self._blobs.digests)):
            owner = token_hex(16)
            if await self._index.claim_removal(digest, owner):
                await asyncio.to_thread(self._blobs.remove, digest)
                await self._index.release(digest, owner)
                removed.append(digest)
        return Garbage(tuple(removed), uploads)

    async def verify(self) -> Verified:
        """Read all stored bytes. A damaged version is quarantined unless an alias points at it: engines may hold a good copy, and
        publishing the same adapter again puts its bytes back."""
        snapshot, damaged, checked = await self.snapshot(), [], 0
        held: dict[str, list[Manifest]] = {}
        for community in snapshot.communities():
            for manifest in snapshot.manifests(community):
                if manifest.state is not State.RETIRED:
                    held.setdefault(manifest.digest, []).append(manifest)
        for digest, manifests in held.items():
            checked += len(manifests)
            try:
                await asyncio.to_thread(self._blobs.check, digest)
            except DamagedAdapter as exc:
                damaged += [Damage(manifest, str(exc)) for manifest in manifests]
        for damage in damaged:
            pointed = {pointer.version for pointer in snapshot.pointers(damage.manifest.community).values()}
            if damage.manifest.state is State.PUBLISHED and damage.manifest.version not in pointed:
                await self.quarantine(damage.manifest.community, damage.manifest.version, DAMAGED)
        return Verified(checked, tuple(damaged))

    def _stage(self, adapter: ValidAdapter) -> Staged:
        return self._blobs.stage(adapter.config, serving_copy(adapter.weights, adapter.tensors))

    async def _add(self, draft: Manifest, staged: Staged) -> Manifest:
        owner = token_hex(16)
        await self._index.claim_upload(draft.digest, owner)
        try:
            await asyncio.to_thread(self._blobs.commit, staged)
            return await self._index.add(draft, owner)
        except BaseException:  # whatever ended it, nobody has to wait for this claim; raised again
            with contextlib.suppress(RegistryError):  # a claim that stays ends by itself, a day later
                await self._index.release(draft.digest, owner)
            raise

    async def _move(self, community: str, alias: str, pointer: Pointer, by: str, override: str) -> Moved:
        _check_author(by)
        reason = check_reason(override)
        if type(pointer.version) is not int or not 0 < pointer.version < 1 << 31:
            raise UnknownModel(f"{community} has no version {str(pointer.version)[:20]}.")
        return await self._index.move(check_community(community), check_alias(alias), pointer, by=by, override=reason)


def check_alias(alias: str) -> str:
    """Return `alias`, or raise BadName."""
    if not ALIAS.fullmatch(alias) or alias == BASE:
        raise BadName(f"{alias[:80]!r} cannot be an alias: use 1 to 32 lower-case letters, digits and dashes, a letter first.")
    return alias


def _check_author(by: str) -> None:
    if len(by) > MAX_AUTHOR_LENGTH or not by.isprintable():
        raise BadName(f"The name of who does this must be at most {MAX_AUTHOR_LENGTH} printable characters.")


def _check_trained_on(training: Mapping[str, Any], base: Base) -> None:
    """A training manifest that names its base must name this one: on another the adapter would fit in shape and talk nonsense."""
    named = training.get("base")
    fingerprint = named.get("fingerprint") if isinstance(named, Mapping) else None
    if isinstance(fingerprint, str) and not base.is_meant_by(fingerprint):
        raise InvalidAdapter("training", "The adapter was trained on another base than the one served: train it on this one, with --base.")


def _check_document(field: str, document: Mapping[str, Any] | None) -> None:
    if document is None:
        return
    try:
        text = json.dumps(document, allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError) as exc:
        raise InvalidAdapter(field, f"{field} is not plain JSON (a number that is not finite, or too deep): mend it.") from exc
    if not isinstance(document, Mapping) or len(text) > MAX_DOCUMENT_BYTES:
        raise InvalidAdapter(field, f"{field} must be a JSON object of at most {MAX_DOCUMENT_BYTES >> 20} MiB.")
