"""The keys that an installation makes for itself: on SQLite and on a real PostgreSQL server, where several gateways start at once."""

import asyncio
from pathlib import Path

import pytest

from server.accounts import KeyFileError, KeyRing, Own, Scope, ensure_key, make_key
from tests.server.accounts.stage import START, opened

BY = "the tests"


def file(home: Path, own: Own) -> Path:
    return home / "keys" / own.value


def write(home: Path, own: Own, text: str) -> str:
    file(home, own).parent.mkdir(parents=True, exist_ok=True)
    file(home, own).write_text(text + "\n")
    return text


@pytest.mark.parametrize("own", Own)
async def test_the_first_start_makes_a_key(tmp_path: Path, database_url: str, own: Own) -> None:
    """It is shown once, kept for its owner's eyes, and the same at the next start."""
    async with opened(tmp_path, database_url) as store:
        kept = await ensure_key(store, tmp_path, own)
        assert kept.is_new
        assert file(tmp_path, own).read_text().strip() == kept.text
        assert file(tmp_path, own).stat().st_mode & 0o777 == 0o600
        ring = KeyRing(store)
        await ring.refresh()
        assert ring.find(kept.text).scopes == own.scopes
        assert ring.find(kept.text).communities is None
        again = await ensure_key(store, tmp_path, own)
        assert (again.text, again.is_new) == (kept.text, False)
        assert len(await store.list()) == 1
        assert kept.text not in repr(kept)


def test_an_installations_admin_key_never_chats() -> None:
    """It publishes, as it always could."""
    assert Own.ADMIN.scopes == {Scope.ADMIN, Scope.PUBLISH}


async def test_keys_from_before_there_was_a_table_go_on(tmp_path: Path, database_url: str) -> None:
    """Their files are read at the first start, with the dashes and underscores that secrets had then."""
    old = {own: write(tmp_path, own, f"tr_0123abcd_{'aB3-_' * 6}{number}x") for number, own in enumerate(Own)}
    old[Own.EVALUATE] = write(tmp_path, Own.EVALUATE, f"tr_0123abce_{'aB3-_' * 6}xy")
    old[Own.ADMIN] = write(tmp_path, Own.ADMIN, f"tr_0123abcf_{'aB3-_' * 6}xy")
    async with opened(tmp_path, database_url) as store:
        assert [(await ensure_key(store, tmp_path, own)).text for own in Own] == list(old.values())
        ring = KeyRing(store)
        await ring.refresh()
        assert [ring.find(old[own]).scopes for own in Own] == [own.scopes for own in Own]


async def test_a_file_brings_no_revoked_key_back(tmp_path: Path, database_url: str) -> None:
    """One to chat is gone for good; one to administer is made anew, or nobody could ever make keys again."""
    async with opened(tmp_path, database_url) as store:
        kept = {own: await ensure_key(store, tmp_path, own) for own in Own}
        for key in await store.list():
            await store.revoke(key.id, by=BY)
        for own in (Own.CHAT, Own.EVALUATE):
            again = await ensure_key(store, tmp_path, own)
            assert (again.text, again.is_new) == ("", False)
        admin = await ensure_key(store, tmp_path, Own.ADMIN)
        assert admin.is_new
        assert admin.text != kept[Own.ADMIN].text
        assert file(tmp_path, Own.ADMIN).read_text().strip() == admin.text
        assert [key.opens(START) for key in await store.list()].count(True) == 1


async def test_an_operator_with_a_key_needs_no_other(tmp_path: Path, database_url: str) -> None:
    """Once somebody can administer everything the installation's own may be revoked; one for some communities is not enough."""
    async with opened(tmp_path, database_url) as store:
        await store.create("of zizou", ["admin"], ["zizou"], by=BY)
        first = await ensure_key(store, tmp_path, Own.ADMIN)
        assert first.is_new
        await store.create("operator", ["admin"], by=BY)
        for key in await store.list():
            if key.name == "admin":
                await store.revoke(key.id, by=BY)
        again = await ensure_key(store, tmp_path, Own.ADMIN)
        assert (again.text, again.is_new) == ("", False)


async def test_gateways_that_start_at_once_make_one_key(tmp_path: Path, database_url: str) -> None:
    """On one home all have it; on homes of their own one has it, and the others keep nothing that opens."""
    async with opened(tmp_path, database_url) as store:
        shared = await asyncio.gather(*(ensure_key(store, tmp_path, Own.CHAT) for _ in range(6)))
        assert len({kept.text for kept in shared}) == 1
        assert [kept.is_new for kept in shared].count(True) == 1
        apart = await asyncio.gather(*(ensure_key(store, tmp_path / str(number), Own.ADMIN) for number in range(6)))
        assert [kept.is_new for kept in apart].count(True) == 1
        assert {kept.text for kept in apart if not kept.is_new} == {""}
        assert [file(tmp_path / str(number), Own.ADMIN).exists() for number in range(6)].count(True) == 1
        assert len(await store.list()) == 2


async def test_a_crash_between_file_and_row_loses_no_key(tmp_path: Path, database_url: str) -> None:
    """The file is written first: the next start takes its key, and shows it, as nobody has seen it yet."""
    text = write(tmp_path, Own.ADMIN, make_key().text)
    async with opened(tmp_path, database_url) as store:
        kept = await ensure_key(store, tmp_path, Own.ADMIN)
        assert (kept.text, kept.is_new) == (text, True)


async def test_a_file_that_is_no_key_is_refused(tmp_path: Path, database_url: str) -> None:
    """With a sentence that names the file and holds nothing of what is in it."""
    async with opened(tmp_path, database_url) as store:
        for content in ("my own password", "a" * 5000):
            write(tmp_path, Own.CHAT, content)
            with pytest.raises(KeyFileError, match="keys/chat") as caught:
                await ensure_key(store, tmp_path, Own.CHAT)
            assert content not in str(caught.value)
        file(tmp_path, Own.ADMIN).mkdir()
        with pytest.raises(KeyFileError, match="permissions"):
            await ensure_key(store, tmp_path, Own.ADMIN)
