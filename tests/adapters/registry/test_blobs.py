import errno
import hashlib
import os
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.registry.blobs import CONFIG, WEIGHTS, BlobStore, Stored, digest_of, open_files
from adapters.registry.bucket import PART
from adapters.registry.errors import BadName, Conflict, DamagedAdapter, StoreError, UnknownModel
from adapters.registry.folder import Folder
from tests.adapters.registry.s3 import send

CONFIGURATION = b'{"r": 2}\n'
NOBODY = "sha256:" + "0" * 64


@pytest.fixture
def store(store_url: str) -> BlobStore:
    return BlobStore(store_url)


def publish(store: BlobStore, weights: bytes = b"weights", config: bytes = CONFIGURATION) -> str:
    staged = store.stage(config, iter([weights[:3], weights[3:]]))
    store.commit(staged)
    return staged.digest


def expected_digest(weights: bytes = b"weights", config: bytes = CONFIGURATION) -> str:
    return digest_of(hashlib.sha256(config).hexdigest(), hashlib.sha256(weights).hexdigest())


def damage(url: str, digest: str, name: str = WEIGHTS, content: bytes | None = b"other bytes") -> None:
    """Put other bytes under a digest, or with None take the file away, behind the store's back."""
    path = f"adapters/{digest.removeprefix('sha256:')}/{name}"
    if url.startswith("s3://"):
        send("DELETE" if content is None else "PUT", f"{url.removeprefix('s3://')}/{path}", content)
        return
    Path(url, path).unlink()
    if content is not None:
        Path(url, path).write_bytes(content)


def test_what_was_committed_comes_back_verified(store: BlobStore, tmp_path: Path) -> None:
    """Both files, byte for byte, by the whole digest and by its first 16 digits."""
    digest = publish(store)
    assert digest == expected_digest()
    assert store.find(digest[7:23]) == Stored(digest, len(CONFIGURATION) + len(b"weights"))
    for into, short in ((tmp_path / "a" / "b", digest[7:23]), (tmp_path / "c", digest[7:])):
        assert store.fetch(short, into) == digest
        assert {file.name: file.read_bytes() for file in into.iterdir()} == {CONFIG: CONFIGURATION, WEIGHTS: b"weights"}
    store.check(digest)


def test_weights_larger_than_a_part_arrive_whole(store: BlobStore, tmp_path: Path) -> None:
    """Uploads and downloads in several parts put them back in order."""
    weights = secrets.token_bytes(PART * 2 + 12345)
    staged = store.stage(CONFIGURATION, (weights[at : at + (4 << 20)] for at in range(0, len(weights), 4 << 20)))
    assert staged.size_bytes == len(weights) + len(CONFIGURATION)
    store.commit(staged)
    store.fetch(staged.digest[7:], tmp_path / "copy")
    assert (tmp_path / "copy" / WEIGHTS).read_bytes() == weights


def test_an_upload_is_nowhere_until_it_is_committed(store: BlobStore, tmp_path: Path) -> None:
    """Neither listed nor fetched; and discarded, it is gone."""
    staged = store.stage(CONFIGURATION, [b"weights"])
    assert store.digests() == {}
    with pytest.raises(UnknownModel):
        store.fetch(staged.digest[7:], tmp_path / "copy")
    store.discard(staged)
    assert store.sweep_uploads(datetime.now(UTC) + timedelta(hours=1)) == 0


def test_committing_twice_is_once(store: BlobStore) -> None:
    """The same upload again, and the same bytes from another upload."""
    staged = store.stage(CONFIGURATION, [b"weights"])
    other = store.stage(CONFIGURATION, [b"weights"])
    assert staged.place != other.place
    for upload in (staged, staged, other):
        store.commit(upload)
    assert list(store.digests()) == [staged.digest]
    store.check(staged.digest)


def test_committing_what_is_there_makes_it_new(store: BlobStore, store_url: str) -> None:
    """Who removes what is old and unheld must not take bytes that are being published again."""
    digest = publish(store)
    if (place := Path(store_url, "adapters", digest[7:])).is_dir():
        for path in [place, *place.iterdir()]:
            os.utime(path, (0, 0))
    before = store.digests()[digest]
    publish(store)
    assert store.digests()[digest] >= before
    assert store.digests()[digest] > datetime.now(UTC) - timedelta(minutes=1)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
@pytest.mark.parametrize("content", [b"other bytes", b"", None])
def test_damaged_bytes_are_reported_never_served_and_healed(
    store: BlobStore, store_url: str, tmp_path: Path, name: str, content: bytes | None
) -> None:
    """Changed, empty or missing: nothing is left where they were to be copied, and publishing the same bytes mends it."""
    digest = publish(store)
    damage(store_url, digest, name, content)
    with pytest.raises(DamagedAdapter, match=digest):
        store.check(digest)
    with pytest.raises((DamagedAdapter, UnknownModel)):
        store.fetch(digest[7:23], tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    assert publish(store) == digest
    store.check(digest)


def test_a_lost_upload_of_damaged_bytes_is_not_taken_for_a_commit(store: BlobStore, store_url: str) -> None:
    """Committing an upload that is gone succeeds only if its bytes are where they belong."""
    staged = store.stage(CONFIGURATION, [b"weights"])
    store.discard(staged)
    with pytest.raises(DamagedAdapter):
        store.commit(staged)
    publish(store)
    store.commit(staged)
    damage(store_url, staged.digest)
    with pytest.raises(DamagedAdapter):
        store.commit(staged)


def test_removing_is_for_good_and_may_be_said_twice(store: BlobStore, tmp_path: Path) -> None:
    """The other adapters stay."""
    gone, stays = publish(store, b"one"), publish(store, b"two")
    store.remove(gone)
    store.remove(gone)
    assert list(store.digests()) == [stays]
    with pytest.raises(DamagedAdapter):
        store.check(gone)
    with pytest.raises(UnknownModel):
        store.fetch(gone[7:], tmp_path / "copy")
    store.check(stays)


def test_only_stale_leftovers_are_swept(store: BlobStore, store_url: str) -> None:
    """Uploads that nobody finished, and adapters without their configuration; nothing that is newer than asked, nothing that is whole."""
    whole = publish(store, b"whole")
    half = publish(store, b"half")
    damage(store_url, half, CONFIG, None)
    store.stage(CONFIGURATION, [b"left"])
    assert store.sweep_uploads(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert store.sweep_uploads(datetime.now(UTC) + timedelta(hours=1)) == 2
    assert store.sweep_uploads(datetime.now(UTC) + timedelta(hours=1)) == 0
    assert list(store.digests()) == [whole]
    store.check(whole)


def test_the_parts_of_an_upload_that_never_ended_are_swept(s3_url: str) -> None:
    """Its process was killed: no object shows them, and somebody pays for them."""
    bucket, _, prefix = s3_url.removeprefix("s3://").partition("/")
    send("POST", f"{bucket}/{prefix}/uploads/{'0' * 32}/{WEIGHTS}?uploads")
    send("POST", f"{bucket}/elsewhere?uploads")
    store = BlobStore(s3_url)
    assert store.sweep_uploads(datetime.now(UTC)) == 1
    assert store.sweep_uploads(datetime.now(UTC)) == 0


@pytest.mark.parametrize("short", ["", "0" * 15, "0" * 17, "G" * 16, "../" + "0" * 13, "0" * 16 + "\n", "0" * 63 + "/"])
def test_what_is_no_start_of_a_digest_builds_no_path(store: BlobStore, tmp_path: Path, short: str) -> None:
    """Refused by its shape."""
    with pytest.raises(BadName):
        store.fetch(short, tmp_path / "copy")
    with pytest.raises(BadName):
        store.check("sha256:" + short)
    with pytest.raises(BadName):
        store.remove("sha256:" + short)


def test_the_same_first_digits_never_name_two_adapters(store: BlobStore, store_url: str, tmp_path: Path) -> None:
    """The engine's name has only 16 of them: other bytes with the same ones are refused, and served from nowhere if they are there."""
    staged = store.stage(CONFIGURATION, [b"weights"])
    twin = staged.digest[7:23] + "0" * 48
    open_files(store_url).write(f"adapters/{twin}/{CONFIG}", [b"{}"])
    with pytest.raises(Conflict, match=twin[:16]):
        store.commit(staged)
    open_files(store_url).write(f"adapters/{staged.digest[7:]}/{CONFIG}", [b"{}"])
    with pytest.raises(DamagedAdapter):
        store.fetch(twin[:16], tmp_path / "copy")


def test_a_source_that_fails_leaves_nothing(store: BlobStore) -> None:
    """Its own error comes out, and no upload stays behind."""

    def broken() -> Iterator[bytes]:
        yield b"x" * (PART + 1)
        raise ValueError("half an upload")

    with pytest.raises(ValueError, match="half an upload"):
        store.stage(CONFIGURATION, broken())
    assert store.sweep_uploads(datetime.now(UTC) + timedelta(hours=1)) == 0
    assert store.digests() == {}


def test_many_at_once_do_not_disturb_each_other(store: BlobStore, tmp_path: Path) -> None:
    """The same bytes from several threads, while others read them."""
    digest = publish(store)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            if number % 2:
                publish(store)
            else:
                store.fetch(digest[7:], tmp_path / str(number))
        except BaseException as exc:  # noqa: BLE001  handed to the test below
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list(store.digests()) == [digest]


class FullDisk(Folder):
    """Takes so many bytes, then has no room."""

    room = 5

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        super().write(path, self._until_full(path, chunks))

    def _until_full(self, path: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
        room = self.room if path.endswith(WEIGHTS) else 1 << 20
        for chunk in chunks:
            if (room := room - len(chunk)) < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            yield chunk


class Forgetful(Folder):
    """Keeps other bytes than it was given."""

    def read(self, path: str) -> Iterator[bytes]:
        yield b"something else"


def test_a_full_disk_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    """One sentence, and no half upload."""
    store = BlobStore("", FullDisk(tmp_path / "store"))
    with pytest.raises(StoreError, match="disk is full"):
        store.stage(CONFIGURATION, [b"weights"])
    assert list((tmp_path / "store" / "uploads").iterdir()) == []


def test_bytes_that_come_back_changed_are_not_committed(tmp_path: Path) -> None:
    """What was written is read before anybody may use it."""
    with pytest.raises(StoreError, match="other bytes"):
        BlobStore("", Forgetful(tmp_path / "store")).stage(CONFIGURATION, [b"weights"])


def test_nothing_in_a_folder_is_read_through_a_link_or_a_pipe(folder_url: str, tmp_path: Path) -> None:
    """Neither an adapter's directory nor one of its files; and publishing again replaces what was put there."""
    store, digest = BlobStore(folder_url), expected_digest()
    place, outside = Path(folder_url, "adapters", digest[7:]), tmp_path / "outside"
    publish(store)
    place.rename(outside)
    place.symlink_to(outside)
    with pytest.raises(DamagedAdapter):
        store.check(digest)
    with pytest.raises(UnknownModel):
        store.fetch(digest[7:], tmp_path / "copy")
    publish(store)
    store.check(digest)
    for put in (lambda path: path.symlink_to(outside / WEIGHTS), os.mkfifo, os.mkdir):
        (place / WEIGHTS).unlink()
        put(place / WEIGHTS)
        with pytest.raises(DamagedAdapter):
            store.check(digest)
        publish(store)
        store.check(digest)
    assert {file.name for file in outside.iterdir()} == {CONFIG, WEIGHTS}


def test_what_a_folder_holds_is_read_only(folder_url: str) -> None:
    """A slip of the hand does not change a published adapter."""
    digest = publish(BlobStore(folder_url))
    for name in (CONFIG, WEIGHTS):
        assert Path(folder_url, "adapters", digest[7:], name).stat().st_mode & 0o777 == 0o444


def test_a_store_that_is_gone_is_not_a_damaged_adapter(folder_url: str, s3: Mapping[str, str]) -> None:
    """A disk that is not mounted or a bucket of another name must not condemn every adapter."""
    for store in (BlobStore(folder_url), BlobStore("s3://no-such-bucket/prefix")):
        with pytest.raises(StoreError):
            store.check(NOBODY)


def test_a_service_that_says_no_is_quoted_without_its_secrets(s3_url: str, s3: Mapping[str, str]) -> None:
    """The sentence names the store; neither key nor address is in it."""
    with pytest.raises(StoreError) as refused:
        BlobStore("s3://no-such-bucket/prefix").stage(CONFIGURATION, [b"weights"])
    assert "s3://no-such-bucket/prefix" in str(refused.value)
    for secret in ("testing-key-id", "testing-secret", s3["AWS_ENDPOINT_URL"]):
        assert secret not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:password@host/x",
        "s3://",
        "s3://key:password@bucket/x",
        "s3://bucket/../x",
        "s3://bucket/x?versionId=1",
        "file://host/x",
    ],
)
def test_what_is_no_store_is_refused_at_once(url: str) -> None:
    """By its address alone, and without repeating a password."""
    with pytest.raises(StoreError, match="TROUPE_STORE_URL") as refused:
        BlobStore(url)
    assert "password" not in str(refused.value)


def test_folders_may_be_written_as_paths_or_as_addresses(tmp_path: Path) -> None:
    """Both name one place."""
    digest = publish(BlobStore(str(tmp_path / "a store")))
    BlobStore((tmp_path / "a store").as_uri()).check(digest)
