"""Versions and aliases in SQL: one suite, run on SQLite and on a real PostgreSQL server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from adapters.registry import Conflict, DatabaseError, Manifest, ModelRef, Pointer, Snapshot, State, UnknownModel, parse_model
from adapters.registry import migrations as migrations_package
from adapters.registry.database import Database, read_url
from adapters.registry.index import DAMAGED, Index
from adapters.registry.schema import HEAD, SCHEMA, metadata

BY = "the tests"


@pytest.fixture
async def index(database_url: str) -> AsyncIterator[Index]:
    database = Database(database_url, SCHEMA)
    await database.migrate()
    index = Index(database)
    yield index
    await index.close()


def draft(community: str = "zizou", *, number: int = 1) -> Manifest:
    return Manifest(
        community=community, version=0, digest="sha256:" + sha256(str(number).encode()).hexdigest(),
        base_fingerprint="sha256:" + "0" * 64, rank=8, alpha=16, target_modules=("q_proj",), dtype="BF16", size_bytes=1000,
        published_by=BY, published_at="2026-01-01T00:00:00.000000+00:00", training={"steps": 3}, report_card={"fit": 1.5},
    )  # fmt: skip


async def publish(index: Index, *numbers: int, community: str = "zizou") -> None:
    for number in numbers:
        await index.add(draft(community, number=number), "owner")


async def live(index: Index, community: str = "zizou") -> int | None:
    pointer = (await index.snapshot()).pointers(community).get("live")
    return pointer.version if pointer else None


async def promote(index: Index, version: int, community: str = "zizou") -> None:
    await index.move(community, "live", Pointer(version), by=BY)


async def test_versions_count_from_one_in_each_community(index: Index) -> None:
    """Other communities' versions and bytes do not matter."""
    await publish(index, 1, 2)
    await publish(index, 1, community="greybeards")
    snapshot = await index.snapshot()
    assert [manifest.version for manifest in snapshot.manifests("zizou")] == [1, 2]
    assert [manifest.version for manifest in snapshot.manifests("greybeards")] == [1]
    assert snapshot.communities() == ("greybeards", "zizou")


async def test_what_is_shown_is_what_was_added(index: Index) -> None:
    """Also the documents, which lists leave out."""
    await publish(index, 1)
    assert await index.show("zizou", 1) == replace(draft(), version=1)
    assert (await index.snapshot()).manifests("zizou")[0] == replace(draft(), version=1, training=None, report_card=None)


async def test_the_same_bytes_keep_their_version(index: Index) -> None:
    """Publishing again adds nothing, until the version is retired: that one never comes back."""
    await publish(index, 1, 1)
    assert len((await index.snapshot()).manifests("zizou")) == 1
    await index.set_state("zizou", 1, State.RETIRED)
    assert (await index.add(draft(), "owner")).version == 2


async def test_an_unchanged_index_is_not_read_again(index: Index) -> None:
    """The same object comes back until something has changed."""
    await publish(index, 1)
    before = await index.snapshot()
    assert await index.snapshot(before) is before
    await promote(index, 1)
    after = await index.snapshot(before)
    assert after.revision > before.revision
    assert after.resolve(parse_model("zizou")).version == 1


async def test_an_alias_moves_and_rolls_back(index: Index) -> None:
    """Back through every version that was live, and no further."""
    await publish(index, 1, 2, 3)
    for version in (1, 2, 1, 3):
        await promote(index, version)
    seen = []
    with suppress(Conflict):
        while True:
            seen.append((await index.rollback("zizou", "live")).manifest.version)
    assert seen == [1, 2, 1]
    assert await live(index) == 1


async def test_a_move_to_where_it_is_changes_nothing(index: Index) -> None:
    """Else a retried promotion would make the next rollback go nowhere."""
    await publish(index, 1, 2)
    for version in (1, 2, 2, 2):
        await promote(index, version)
    assert (await index.before("zizou", "live")).manifest.version == 1
    assert (await index.rollback("zizou", "live")).manifest.version == 1


async def test_a_rollback_skips_what_is_not_served_any_more(index: Index) -> None:
    """A retired or quarantined version does not come back to life."""
    await publish(index, 1, 2, 3, 4)
    for version in (1, 2, 3, 4):
        await promote(index, version)
    await index.set_state("zizou", 2, State.RETIRED)
    await index.set_state("zizou", 3, State.QUARANTINED, "It answers nothing.")
    assert (await index.rollback("zizou", "live")).manifest.version == 1


async def test_moves_that_cannot_be(index: Index) -> None:
    """Missing and foreign versions are unknown; what is not published, and a rollback to nothing, conflict."""
    await publish(index, 1, 2)
    await publish(index, 3, 4, 5, community="greybeards")
    with pytest.raises(UnknownModel, match="zizou@3"):
        await promote(index, 3)
    with pytest.raises(UnknownModel):
        await promote(index, 1, "nobody")
    with pytest.raises(UnknownModel):
        await index.rollback("nobody", "live")
    with pytest.raises(Conflict, match="no earlier live"):
        await index.rollback("zizou", "live")
    await promote(index, 1)
    with pytest.raises(Conflict, match="no earlier live"):
        await index.rollback("zizou", "live")
    with pytest.raises(Conflict, match="is live"):
        await index.set_state("zizou", 1, State.RETIRED)
    await index.set_state("zizou", 2, State.RETIRED)
    with pytest.raises(Conflict, match="retired"):
        await promote(index, 2)
    assert await live(index) == 1


async def test_a_canary_has_a_share_and_can_be_taken_away(index: Index) -> None:
    """live cannot."""
    await publish(index, 1, 2)
    await promote(index, 1)
    await index.move("zizou", "canary", Pointer(2, 12.5), by=BY)
    assert (await index.snapshot()).canary("zizou") == Pointer(2, 12.5)
    await index.clear("zizou", "canary", by=BY)
    assert dict((await index.snapshot()).pointers("zizou")) == {"live": Pointer(1)}
    with pytest.raises(UnknownModel):
        await index.clear("zizou", "canary", by=BY)
    with pytest.raises(Conflict):
        await index.clear("zizou", "live", by=BY)


async def test_quarantine_ends_only_with_whole_bytes(index: Index) -> None:
    """Publishing the bytes again mends damage; an adapter that failed stays out."""
    await publish(index, 1, 2)
    await index.set_state("zizou", 1, State.QUARANTINED, DAMAGED)
    await index.set_state("zizou", 2, State.QUARANTINED, "It says NaN.")
    with pytest.raises(UnknownModel):
        (await index.snapshot()).resolve(ModelRef("zizou", version=1))
    assert (await index.add(draft(number=1), "owner")).state is State.PUBLISHED
    with pytest.raises(Conflict, match="NaN"):
        await index.add(draft(number=2), "owner")


async def test_bytes_are_removed_only_when_nobody_holds_or_brings_them(index: Index) -> None:
    """A version, or a publish that is going on, keeps them; a removal that is going on holds a publish off."""
    digest = draft().digest
    await index.claim_upload(digest, "publisher")
    assert not await index.claim_removal(digest, "collector")
    await index.add(draft(), "publisher")
    assert not await index.claim_removal(digest, "collector")
    await index.set_state("zizou", 1, State.RETIRED)
    assert await index.claim_removal(digest, "collector")
    with pytest.raises(Conflict, match="being removed"):
        await index.claim_upload(digest, "publisher")
    await index.release(digest, "collector")
    await index.claim_upload(digest, "publisher")


async def test_an_engine_name_is_never_another_version_s(index: Index) -> None:
    """Two digests with the same first 16 digits do not occur by chance, so they are refused."""
    await publish(index, 1)
    twin = replace(draft(), digest=draft().digest[:-1] + "_")
    with pytest.raises(Conflict, match="first digits"):
        await index.add(twin, "owner")
    await index.add(replace(twin, community="greybeards"), "owner")


async def test_many_writers_at_once_lose_nothing(index: Index, database_url: str) -> None:
    """Twenty publishers through two connections pools get twenty different versions, and the same bytes one."""
    other = Index(Database(database_url, SCHEMA))
    writers = [(index, other)[number % 2].add(draft(number=number), str(number)) for number in range(1, 21)]
    again = [other.add(draft(number=7), "again") for _ in range(5)]
    manifests = await asyncio.gather(*writers, *again)
    await other.close()
    assert sorted(manifest.version for manifest in manifests[:20]) == list(range(1, 21))
    assert {manifest.version for manifest in manifests[20:]} == {manifests[6].version}


async def test_readers_see_whole_states_while_others_write(index: Index, database_url: str) -> None:
    """Every snapshot's pointer leads to a version that is in it."""
    writer = Index(Database(database_url, SCHEMA))

    async def write() -> None:
        for number in range(1, 31):
            await publish(writer, number)
            await promote(writer, number)

    writing = asyncio.create_task(write())
    seen = Snapshot()
    while not writing.done():
        seen = await index.snapshot(seen)
        for pointer in seen.pointers("zizou").values():
            assert seen.resolve(ModelRef("zizou", version=pointer.version))
    await writing
    await writer.close()
    assert await live(index) == 30


async def test_the_history_is_a_stack(index: Index) -> None:
    """Random moves, retirements and rollbacks, against a list in memory."""
    random = Random(5)
    await publish(index, *range(1, 7))
    stack: list[int] = []
    retired: set[int] = set()
    for _ in range(120):
        version = random.randint(1, 6)
        if random.random() < 0.45:
            earlier = reversed(range(len(stack) - 1))
            kept = next((at for at in earlier if stack[at] != stack[-1] and stack[at] not in retired), None)
            if kept is None:
                with pytest.raises(Conflict):
                    await index.rollback("zizou", "live")
            else:
                stack = stack[: kept + 1]
                assert (await index.rollback("zizou", "live")).manifest.version == stack[-1]
        elif random.random() < 0.1 and version not in stack[-1:]:
            await index.set_state("zizou", version, State.RETIRED)
            retired.add(version)
        elif version not in retired:
            await promote(index, version)
            stack += [version] if stack[-1:] != [version] else []
        assert await live(index) == (stack[-1] if stack else None)


async def test_migrations_make_what_the_schema_says(database_url: str) -> None:
    """From nothing, by several processes at once, and only once."""
    databases = [Database(database_url, SCHEMA) for _ in range(4)]
    await asyncio.gather(*(database.migrate() for database in databases))
    async with databases[0].reading() as connection:
        differences = await connection.run_sync(lambda sync: compare_metadata(MigrationContext.configure(sync), metadata))
    assert differences == []
    folder = next(iter(migrations_package.__path__))
    assert ScriptDirectory(folder).get_current_head() == HEAD
    for database in databases:
        await database.close()


async def test_a_fresh_installation_is_opened_by_many_at_once(tmp_path: Path) -> None:
    """SQLite does not wait where the kind of journal is changed, so the processes have to."""
    for at in range(30):
        databases = [Database(f"sqlite:///{tmp_path / str(at) / 'index.db'}", SCHEMA) for _ in range(4)]
        await asyncio.gather(*(database.migrate() for database in databases))
        for database in databases:
            await database.close()


async def test_a_newer_schema_is_left_alone(index: Index, database_url: str) -> None:
    """An older Troupe does not touch what it does not know."""
    database = Database(database_url, SCHEMA)
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match="newer Troupe"):
        await database.migrate()
    await database.close()


async def test_sqlite_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    """WAL and synchronous=FULL on every connection."""
    database = Database(f"sqlite:///{tmp_path / 'index.db'}", SCHEMA)
    await database.migrate()
    async with database.reading() as connection:
        assert (await connection.execute(text("PRAGMA journal_mode"))).scalar() == "wal"
        assert (await connection.execute(text("PRAGMA synchronous"))).scalar() == 2
    await database.close()


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgres://a:b@h/d", "postgresql+asyncpg"),
        ("postgresql://a:b@h/d?sslmode=require", "postgresql+asyncpg"),
        ("sqlite:////tmp/x.db", "sqlite+aiosqlite"),
    ],
)
def test_urls_as_people_write_them(url: str, driver: str) -> None:
    """libpq's sslmode becomes asyncpg's ssl."""
    parsed = read_url(url)
    assert parsed.drivername == driver
    assert parsed.query.get("ssl") == ("require" if "sslmode" in url else None)


@pytest.mark.parametrize("url", ["nonsense", "mysql://a:secret@h/d", "sqlite://", "postgresql://a:secret@h:port/d"])
def test_urls_that_cannot_be_used(url: str) -> None:
    """The sentence names the setting and not the password."""
    with pytest.raises(DatabaseError, match="TROUPE_DATABASE_URL") as caught:
        read_url(url)
    assert "secret" not in str(caught.value)


async def test_an_unreachable_server_is_one_sentence() -> None:
    """Without the password."""
    with pytest.raises(DatabaseError) as caught:
        await Database("postgresql://someone:secret@127.0.0.1:1/troupe", SCHEMA).migrate()
    assert "secret" not in str(caught.value)


async def test_what_an_earlier_troupe_wrote_is_kept(index: Index, database_url: str) -> None:
    """Here one from before there were overrides and lessons: its versions and aliases are all there after the next start."""
    await publish(index, 1)
    await promote(index, 1)
    before = await index.snapshot()
    database = Database(database_url, SCHEMA)
    async with database.writing() as connection:
        for column in ("override", "lesson"):
            await connection.execute(text(f"ALTER TABLE adapters DROP COLUMN {column}"))
        await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    await database.migrate()
    after = await Index(database).snapshot()
    assert (after.versions, after.aliases) == (before.versions, before.aliases)
    await database.close()


async def test_lessons_of_what_was_published_before_are_known_after_the_next_start(index: Index, database_url: str) -> None:
    """They stand in its training manifest."""
    await index.add(replace(draft("zizou", number=1), training={"renderer": "turns-1", "dataset": {"train": 7}}), "owner")
    database = Database(database_url, SCHEMA)
    async with database.writing() as connection:
        await connection.execute(text("ALTER TABLE adapters DROP COLUMN lesson"))
        await connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))
    await database.migrate()
    [manifest] = (await Index(database).snapshot()).manifests("zizou")
    assert manifest.lesson == {"renderer": "turns-1", "examples": 7}
    await database.close()
