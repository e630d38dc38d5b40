"""The list of versions and where the aliases point, in SQL. Knows nothing of bytes.

Every method is one transaction. Readers take a `Snapshot`; writers take turns (see `database.writing`).
"""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.registry.database import Database
from adapters.registry.errors import Conflict, UnknownModel
from adapters.registry.gates import needs_override
from adapters.registry.manifest import Manifest, State
from adapters.registry.names import LIVE, ModelRef
from adapters.registry.schema import adapters, claims, moves, registry
from adapters.registry.snapshot import Pointer, Snapshot

DAMAGED = "Its stored bytes are damaged."
"""The one reason for quarantine that publishing the same bytes again ends."""

STALE_UPLOAD, STALE_REMOVAL = timedelta(days=1), timedelta(minutes=10)
"""How long after its claim a publish or a removal counts as dead."""

_DOCUMENTS = ("training", "report_card")
_PACKED = (*_DOCUMENTS, "override", "lesson")
"""JSON in a column of text, or NULL."""
_LISTED = [column for column in adapters.c if column.name not in _DOCUMENTS]


@dataclass(frozen=True)
class Moved:
    """Where an alias points after a move."""

    alias: str
    pointer: Pointer
    manifest: Manifest


class Index:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def close(self) -> None:
        await self._database.close()

    async def snapshot(self, after: Snapshot | None = None) -> Snapshot:
        """The index as it is; `after` itself if it has not changed since. Raises DatabaseError."""
        async with self._database.reading() as connection:
            while True:
                revision = await _revision(connection)
                if after is not None and after.revision == revision:
                    return after
                versions: dict[str, dict[int, Manifest]] = {}
                rows = await connection.execute(select(*_LISTED).order_by(adapters.c.community, adapters.c.version))
                for row in rows:
                    versions.setdefault(row.community, {})[row.version] = _manifest(row)
                pointers = await _pointers(connection)
                if revision == await _revision(connection):  # else somebody wrote between the questions
                    return Snapshot(revision, versions, pointers)

    async def show(self, community: str, version: int) -> Manifest:
        """With training manifest and report card. Raises UnknownModel or DatabaseError."""
        async with self._database.reading() as connection:
            return await _one(connection, community, version)

    async def claim_upload(self, digest: str, owner: str) -> None:
        """Keep `digest` from being removed until it is added or released. Raises Conflict while a removal is going on."""
        async with self._database.writing() as connection:
            stale = _before(STALE_REMOVAL)
            busy = select(claims).where(claims.c.digest == digest, claims.c.purpose == "removal", claims.c.claimed_at > stale)
            if (await connection.execute(busy)).first():
                raise Conflict("These very bytes are just being removed: publish them again in a minute.")
            await _claim(connection, digest, owner, "upload")

    async def claim_removal(self, digest: str, owner: str) -> bool:
        """Whether `digest` may be removed: no version that is not retired has it, and nobody is publishing it."""
        async with self._database.writing() as connection:
            held = select(adapters.c.version).where(adapters.c.digest == digest, adapters.c.state != State.RETIRED)
            stale = _before(STALE_UPLOAD)
            busy = select(claims).where(claims.c.digest == digest, claims.c.purpose == "upload", claims.c.claimed_at > stale)
            if (await connection.execute(held)).first() or (await connection.execute(busy)).first():
                return False
            await _claim(connection, digest, owner, "removal")
            return True

    async def release(self, digest: str, owner: str) -> None:
        async with self._database.writing() as connection:
            await connection.execute(delete(claims).where(claims.c.digest == digest, claims.c.owner == owner))

    async def release_stale(self) -> None:
        """Forget the claims of processes that died."""
        async with self._database.writing() as connection:
            for purpose, age in (("upload", STALE_UPLOAD), ("removal", STALE_REMOVAL)):
                await connection.execute(delete(claims).where(claims.c.purpose == purpose, claims.c.claimed_at <= _before(age)))

    async def add(self, draft: Manifest, owner: str) -> Manifest:
        """Add `draft` as its community's next version, or find the version that has these bytes; ends `owner`'s claim.

        The draft's own version number counts for nothing. Raises Conflict.
        """
        async with self._database.writing() as connection:
            await connection.execute(delete(claims).where(claims.c.digest == draft.digest, claims.c.owner == owner))
            ours = adapters.c.community == draft.community
            known = select(adapters).where(ours, adapters.c.digest == draft.digest, adapters.c.state != State.RETIRED)
            if row := (await connection.execute(known)).first():
                return await self._known(connection, _manifest(row))
            await _refuse_twin(connection, draft)
            last = (await connection.execute(select(func.max(adapters.c.version)).where(ours))).scalar()
            manifest = replace(draft, version=(last or 0) + 1)
            await connection.execute(insert(adapters).values(_row(manifest)))
            return manifest

    async def _known(self, connection: AsyncConnection, manifest: Manifest) -> Manifest:
        if manifest.state is State.QUARANTINED and manifest.reason == DAMAGED:
            manifest = replace(manifest, state=State.PUBLISHED, reason=None)
            await _set_state(connection, manifest)
        if manifest.state is State.QUARANTINED:
            raise Conflict(f"These bytes are {manifest.ref}, which is quarantined ({manifest.reason}): train a better adapter.")
        return manifest

    async def move(self, community: str, alias: str, pointer: Pointer, *, by: str, override: str = "") -> Moved:
        """Point `alias` somewhere. Nothing is noted if it points there already. Raises UnknownModel or Conflict.

        `override`: why it may be though it failed its gates; recorded where that is so.
        """
        async with self._database.writing() as connection:
            manifest = await _one(connection, community, pointer.version)
            if manifest.state is not State.PUBLISHED:
                raise Conflict(f"{manifest.ref} is {manifest.state}{_because(manifest)}: choose another version.")
            if needs_override(manifest, alias, override):
                manifest = replace(manifest, override={"why": override, "by": by, "at": now()})
                await _set_override(connection, manifest)
            if (await _pointers(connection, community)).get(community, {}).get(alias) != pointer:
                await _note(connection, community, alias, pointer.version, pointer.share, by)
            return Moved(alias, pointer, manifest)

    async def clear(self, community: str, alias: str, *, by: str) -> None:
        """Take an alias away. Raises UnknownModel, or Conflict for `live`, which only moves."""
        async with self._database.writing() as connection:
            if alias not in (await _pointers(connection, community)).get(community, {}):
                raise UnknownModel(f"There is no adapter '{community}@{alias}'.")
            if alias == LIVE:
                raise Conflict("live cannot be taken away: promote another version, or retire the community's versions.")
            await _note(connection, community, alias, None, 0.0, by)

    async def before(self, community: str, alias: str) -> Moved:
        """Where a rollback of `alias` would lead now. Raises UnknownModel or Conflict."""
        async with self._database.reading() as connection:
            return (await _previous(connection, community, alias))[0]

    async def rollback(self, community: str, alias: str) -> Moved:
        """Undo the last moves of `alias`, back to another version that is still published. Raises UnknownModel or Conflict."""
        async with self._database.writing() as connection:
            moved, kept = await _previous(connection, community, alias)
            later = (moves.c.community == community, moves.c.alias == alias, moves.c.id > kept)
            await connection.execute(update(moves).where(*later).values(undone=True))
            return moved

    async def set_state(self, community: str, version: int, state: State, reason: str | None = None) -> Manifest:
        """Retire or quarantine. A retired version stays so. Raises UnknownModel, or Conflict if an alias points at one to retire."""
        async with self._database.writing() as connection:
            manifest = await _one(connection, community, version)
            if manifest.state is State.RETIRED:
                return manifest
            pointed = [name for name, at in (await _pointers(connection, community)).get(community, {}).items() if at.version == version]
            if state is State.RETIRED and pointed:
                raise Conflict(f"{manifest.ref} is {' and '.join(sorted(pointed))}: move that first, then retire it.")
            manifest = replace(manifest, state=state, reason=reason)
            await _set_state(connection, manifest)
            return manifest


async def _revision(connection: AsyncConnection) -> int:
    return int((await connection.execute(select(registry.c.revision))).scalar_one())


async def _one(connection: AsyncConnection, community: str, version: int) -> Manifest:
    row = (await connection.execute(select(adapters).where(adapters.c.community == community, adapters.c.version == version))).first()
    if row is None:
        raise UnknownModel(f"There is no adapter {str(ModelRef(community, version=version))!r}.")
    return _manifest(row)


async def _pointers(connection: AsyncConnection, community: str | None = None) -> dict[str, dict[str, Pointer]]:
    last = select(func.max(moves.c.id)).where(~moves.c.undone).group_by(moves.c.community, moves.c.alias)
    if community is not None:
        last = last.where(moves.c.community == community)
    found: dict[str, dict[str, Pointer]] = {}
    for row in await connection.execute(select(moves).where(moves.c.id.in_(last)).order_by(moves.c.community, moves.c.alias)):
        if row.version is not None:
            found.setdefault(row.community, {})[row.alias] = Pointer(row.version, row.share)
    return found


async def _previous(connection: AsyncConnection, community: str, alias: str) -> tuple[Moved, int]:
    """Where `alias` pointed before it pointed where it does, and the id of that move."""
    mine = (moves.c.community == community, moves.c.alias == alias, ~moves.c.undone)
    history = (await connection.execute(select(moves).where(*mine).order_by(moves.c.id.desc()))).all()
    if not history and not (await connection.execute(select(adapters.c.version).where(adapters.c.community == community))).first():
        raise UnknownModel(f"There is no community {community!r}.")
    for row in history[1:]:
        if row.version is not None and row.version != history[0].version:
            manifest = await _one(connection, community, row.version)
            if manifest.state is State.PUBLISHED:
                return Moved(alias, Pointer(row.version, row.share), manifest), row.id
    raise Conflict(f"{community} has no earlier {alias} version to go back to: promote the one you want.")


async def _refuse_twin(connection: AsyncConnection, draft: Manifest) -> None:
    """An engine name holds 16 digits of the digest. Other bytes with the same ones do not occur, unless somebody makes them."""
    start = draft.digest[: len("sha256:") + 16]
    twin = select(adapters.c.version).where(
        adapters.c.community == draft.community, adapters.c.digest.startswith(start, autoescape=True), adapters.c.digest != draft.digest
    )
    if (await connection.execute(twin)).first():
        raise Conflict("Another version of this community has the same first digits of its digest: change the adapter and publish again.")


async def _claim(connection: AsyncConnection, digest: str, owner: str, purpose: str) -> None:
    await connection.execute(insert(claims).values(digest=digest, owner=owner, purpose=purpose, claimed_at=now()))


async def _note(connection: AsyncConnection, community: str, alias: str, version: int | None, share: float, by: str) -> None:
    values = {"community": community, "alias": alias, "version": version, "share": share, "moved_by": by}
    await connection.execute(insert(moves).values(**values, moved_at=now(), undone=False))


async def _set_state(connection: AsyncConnection, manifest: Manifest) -> None:
    where = (adapters.c.community == manifest.community, adapters.c.version == manifest.version)
    await connection.execute(update(adapters).where(*where).values(state=manifest.state, reason=manifest.reason))


async def _set_override(connection: AsyncConnection, manifest: Manifest) -> None:
    where = (adapters.c.community == manifest.community, adapters.c.version == manifest.version)
    await connection.execute(update(adapters).where(*where).values(override=json.dumps(manifest.override)))


def _because(manifest: Manifest) -> str:
    return f" ({manifest.reason})" if manifest.reason else ""


def _manifest(row: Row[Any]) -> Manifest:
    held = dict(row._mapping)
    documents = {name: json.loads(held[name]) for name in _PACKED if held.get(name) is not None}
    plain = {name: value for name, value in held.items() if name not in _PACKED}
    return Manifest.from_json({**plain, **documents, "target_modules": json.loads(held["target_modules"])})


def _row(manifest: Manifest) -> dict[str, Any]:
    content = manifest.to_json()
    packed = {name: json.dumps(content[name]) for name in ("target_modules", *_PACKED) if content[name] is not None}
    return {**content, **packed}


def now() -> str:
    """UTC in ISO 8601, to the microsecond: such texts sort as the times do."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _before(age: timedelta) -> str:
    return (datetime.now(UTC) - age).isoformat(timespec="microseconds")
