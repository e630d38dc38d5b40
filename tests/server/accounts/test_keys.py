"""The table of keys: one suite, on SQLite and on a real PostgreSQL server."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text as sql

from adapters.registry.database import Database
from server.accounts import BadGrant, Created, KeyEnded, KeyStore, PepperError, Scope, UnknownKey, forget_pepper, make_key, open_accounts
from server.accounts.kept import keep, read_kept
from tests.server.accounts.stage import START, StoppedClock, opened

BY = "the tests"
HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
async def store(tmp_path: Path, database_url: str, clock: StoppedClock) -> AsyncIterator[KeyStore]:
    async with opened(tmp_path, database_url, clock=clock) as store:
        yield store


async def everything(home: Path, database_url: str) -> str:
    """All that the table holds, as one text."""
    database: Database = await open_accounts(home, database_url=database_url)
    async with database.reading() as connection:
        rows = (await connection.execute(sql("SELECT * FROM keys"))).all()
    await database.close()
    return repr(rows)


async def test_a_key_is_stored_without_its_secret(store: KeyStore, tmp_path: Path, database_url: str) -> None:
    """What was asked for comes back; the text is in nothing that is kept or shown."""
    created = await store.create("bot", ["chat", "publish"], ["zizou", "greybeards"], by=BY, expires_at=START + HOUR)
    key = await store.get(created.key.id)
    assert key == created.key
    assert key.scopes == {Scope.CHAT, Scope.PUBLISH}
    assert key.communities == frozenset({"zizou", "greybeards"})
    assert (key.name, key.created_by, key.created_at, key.expires_at) == ("bot", BY, START, START + HOUR)
    assert await store.list() == (key,)
    secret = created.text.rpartition("_")[2]
    for shown in (repr(created), repr(key), str(key.to_json()), await everything(tmp_path, database_url)):
        assert key.id in shown
        assert secret not in shown


async def test_a_key_as_json(store: KeyStore) -> None:
    """Times in ISO 8601, `null` for all communities."""
    key = (await store.create("ops", ["admin"], by=BY)).key
    assert key.to_json() == {
        "id": key.id, "name": "ops", "scopes": ["admin"], "communities": None, "created_by": BY, "revoked_by": None, "replaced_by": None,
        "created_at": "2026-11-21T12:00:00.000000+00:00", "expires_at": None, "revoked_at": None, "last_used_at": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": "a" * 101}, {"name": "a\nb"}, {"name": "a\0"}, {"by": ""}, {"scopes": ["admin", "chat"]},
     {"communities": ["BASE"]}, {"expires_at": START}, {"expires_at": datetime(2030, 1, 1)}],
)  # fmt: skip
async def test_keys_that_are_not_made(store: KeyStore, wrong: dict[str, object]) -> None:
    """Nothing is left of the attempt."""
    asked: dict[str, object] = {"name": "bot", "scopes": ["chat"], "communities": None, "by": BY, "expires_at": None}
    with pytest.raises(BadGrant):
        await store.create(**{**asked, **wrong})  # type: ignore[arg-type]
    assert await store.list() == ()


async def test_rotation_with_overlap(store: KeyStore, clock: StoppedClock) -> None:
    """Both open until the overlap is over; the new one has the name, the rights and the end of the old one."""
    old = (await store.create("bot", ["chat"], ["zizou"], by=BY, expires_at=START + 100 * HOUR)).key
    new = await store.rotate(old.id, by="somebody", overlap=2 * HOUR)
    replaced = await store.get(old.id)
    assert new.replaced == replaced
    assert (replaced.replaced_by, replaced.expires_at) == (new.key.id, START + 2 * HOUR)
    assert (new.key.name, new.key.scopes, new.key.communities, new.key.expires_at) == ("bot", old.scopes, old.communities, old.expires_at)
    assert (new.key.created_by, new.key.replaced_by) == ("somebody", None)
    for passed, opens in ((0, True), (1.99, True), (2, False)):
        assert replaced.opens(START + passed * HOUR) is opens
        assert (await store.get(new.key.id)).opens(START + passed * HOUR)
    with pytest.raises(KeyEnded):
        await store.rotate(old.id, by=BY)
    clock.pass_by(101 * HOUR)
    with pytest.raises(KeyEnded):
        await store.rotate(new.key.id, by=BY)


async def test_an_overlap_lengthens_no_life(store: KeyStore) -> None:
    """A key that ends sooner than the overlap ends as it would have."""
    old = (await store.create("bot", ["chat"], by=BY, expires_at=START + HOUR)).key
    await store.rotate(old.id, by=BY, overlap=5 * HOUR)
    assert (await store.get(old.id)).expires_at == START + HOUR
    for overlap in (-HOUR, timedelta(days=366)):
        with pytest.raises(BadGrant):
            await store.rotate(old.id, by=BY, overlap=overlap)


async def test_a_key_is_rotated_once(store: KeyStore) -> None:
    """Of many who try at once one has the new key."""
    old = (await store.create("bot", ["chat"], by=BY)).key
    results = await asyncio.gather(*(store.rotate(old.id, by=BY) for _ in range(8)), return_exceptions=True)
    assert [type(result) for result in results].count(Created) == 1
    assert [type(result) for result in results].count(KeyEnded) == 7
    assert len(await store.list()) == 2


async def test_a_revoked_key_stays_so(store: KeyStore, clock: StoppedClock) -> None:
    """Who was first, and when, is kept; whatever the clock says it opens nothing; it cannot be rotated."""
    key = (await store.create("bot", ["chat"], by=BY)).key
    clock.pass_by(HOUR)
    revoked = await store.revoke(key.id, by="first")
    clock.pass_by(HOUR)
    assert await store.revoke(key.id, by="second") == revoked == await store.get(key.id)
    assert (revoked.revoked_at, revoked.revoked_by) == (START + HOUR, "first")
    assert not revoked.opens(START)
    with pytest.raises(KeyEnded):
        await store.rotate(key.id, by=BY)


@pytest.mark.parametrize("key_id", ["", "aaaaaaaa", "x' OR '1'='1", "a\0aaaaaaaa", "a" * 1_000_000, "\ud800aaaaaaaa", "AAAAAAAA"])
async def test_unknown_keys(store: KeyStore, key_id: str) -> None:
    """Whatever stands for an id."""
    for asked in (store.get(key_id), store.revoke(key_id, by=BY), store.rotate(key_id, by=BY)):
        with pytest.raises(UnknownKey) as caught:
            await asked
        assert len(str(caught.value)) < 100


async def test_changes_are_only_what_is_new(store: KeyStore) -> None:
    """Also a change of an old row; a use is none; a table that somebody put back is read as a whole."""
    first, second = [(await store.create(name, ["chat"], by=BY)).key for name in ("one", "two")]
    before = await store.changes()
    assert before.is_whole
    assert {hashed.key for hashed in before.keys} == {first, second}
    await store.note_used({first.id: START})
    assert (await store.changes(before.revision)).keys == ()
    await store.revoke(first.id, by=BY)
    after = await store.changes(before.revision)
    assert [hashed.key.id for hashed in after.keys] == [first.id]
    assert not after.is_whole
    assert (await store.changes(after.revision)).revision == after.revision > before.revision
    assert (await store.changes(after.revision + 1)).is_whole


async def test_the_last_use_only_comes_later(store: KeyStore) -> None:
    """Of two gateways the one that saw it last counts; unknown keys are passed over."""
    key = (await store.create("bot", ["chat"], by=BY)).key
    await store.note_used({key.id: START + HOUR, "set-chat": START})
    await store.note_used({key.id: START})
    await store.note_used({})
    assert (await store.get(key.id)).last_used_at == START + HOUR
    assert (await store.rotate(key.id, by=BY)).key.last_used_at is None


async def test_a_key_from_before_goes_on(store: KeyStore) -> None:
    """It is taken once; one that was revoked since is not taken again."""
    made = make_key()
    key = await store.adopt(made.text, "chat", ["chat"], by=BY)
    assert key is not None
    assert key.id == made.id
    await store.revoke(made.id, by=BY)
    assert await store.adopt(made.text, "chat", ["chat"], by=BY) is None
    assert not (await store.get(made.id)).opens(START)
    with pytest.raises(BadGrant, match="cannot be a key"):
        await store.adopt("password", "chat", ["chat"], by=BY)


async def test_another_pepper_is_told_from_wrong_keys(tmp_path: Path, database_url: str) -> None:
    """A gateway with it does not start, and says what to do."""
    async with opened(tmp_path, database_url):
        with pytest.raises(PepperError, match="TROUPE_KEY_PEPPER"):
            async with opened(tmp_path, database_url, pepper="b" * 32):
                pass
        with pytest.raises(PepperError, match="openssl"):
            async with opened(tmp_path, database_url, pepper="short"):
                pass


async def test_a_pepper_is_kept_in_a_file(tmp_path: Path, database_url: str) -> None:
    """Made once, for its owner's eyes only. Without it nothing starts, until it is back or all keys are given up."""
    file = tmp_path / "keys" / "pepper"
    async with opened(tmp_path, database_url, pepper="") as store:
        created = await store.create("bot", ["chat"], by=BY)
        hashed = store.hash(created.text)
    pepper = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    file.unlink()
    with pytest.raises(PepperError, match="gone"):
        async with opened(tmp_path, database_url, pepper=""):
            pass
    keep(file, pepper.strip())
    async with opened(tmp_path, database_url, pepper="") as store:
        assert store.hash(created.text) == hashed
    file.unlink()
    database: Database = await open_accounts(tmp_path, database_url=database_url)
    await forget_pepper(database, by=BY, now=StoppedClock().now)
    await database.close()
    async with opened(tmp_path, database_url, pepper="") as store:
        assert not (await store.get(created.key.id)).opens(START)
        assert file.read_text() != pepper


async def test_what_is_kept_is_never_half_or_twice(tmp_path: Path) -> None:
    """Who comes second has what the first one kept; an empty file, left by a full disk, is none."""
    path = tmp_path / "keys" / "pepper"
    kept = await asyncio.gather(*(asyncio.to_thread(keep, path, f"secret {at}") for at in range(8)))
    assert len(set(kept)) == 1
    assert read_kept(path) == kept[0]
    assert [file.name for file in path.parent.iterdir()] == ["pepper"]
    path.write_text("")
    assert keep(path, "another") == "another"
