"""Publish, promote, roll back, retire, clean up and verify: on a folder and in S3, with SQLite and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.registry import (
    BadName,
    Base,
    BlobStore,
    Conflict,
    InvalidAdapter,
    ModelRef,
    Registry,
    State,
    UnknownModel,
    open_registry,
    parse_model,
    read_base,
)
from adapters.registry.blobs import CONFIG, WEIGHTS
from tests.adapters.registry.tiny import write_adapter, write_base


@pytest.fixture
async def registry(tmp_path: Path, store_url: str, database_url: str) -> AsyncIterator[Registry]:
    registry = await open_registry(tmp_path / "home", store_url=store_url, database_url=database_url)
    yield registry
    await registry.close()


@pytest.fixture
async def local_registry(tmp_path: Path) -> AsyncIterator[Registry]:
    """As it is by default, for what has nothing to do with where things are kept."""
    registry = await open_registry(tmp_path / "home")
    yield registry
    await registry.close()


@pytest.fixture
def blobs(store_url: str) -> BlobStore:
    return BlobStore(store_url)


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return read_base(write_base(tmp_path / "base"), "none")


@pytest.fixture
def adapters(tmp_path: Path) -> list[Path]:
    """Three adapters with different weights."""
    return [write_adapter(tmp_path / f"adapter-{at}", fill=fill) for at, fill in enumerate((b"\x3d", b"\x3e", b"\x3f"))]


async def test_an_adapter_s_life(registry: Registry, blobs: BlobStore, base: Base, adapters: list[Path], tmp_path: Path) -> None:
    """Published, promoted, replaced, rolled back, retired, and its bytes gone."""
    published = [await registry.publish("zizou", folder, base=base, max_rank=8, by="Ann") for folder in adapters]
    assert [manifest.version for manifest in published] == [1, 2, 3]
    assert (published[0].base_fingerprint, published[0].dtype, published[0].published_by) == (base.fingerprint, "BF16", "Ann")
    assert set(blobs.digests()) == {manifest.digest for manifest in published}

    await registry.promote("zizou", 1)
    await registry.promote("zizou", 2)
    assert (await registry.snapshot()).resolve(parse_model("zizou")) == published[1]
    assert await registry.before("zizou") == published[0]
    assert await registry.rollback("zizou") == published[0]

    await registry.retire("zizou", 2)
    garbage = await registry.gc()
    assert garbage.removed == (published[1].digest,)
    assert set(blobs.digests()) == {published[0].digest, published[2].digest}
    assert (await registry.verify()).checked == 2
    assert blobs.fetch(published[0].engine_name[-16:], tmp_path / "copy") == published[0].digest


async def test_the_same_adapter_twice_is_one_version(registry: Registry, blobs: BlobStore, base: Base, adapters: list[Path]) -> None:
    """Also by several publishers at once; in another community it is a version of its own, with the same bytes."""
    at_once = [registry.publish("zizou", adapters[0], base=base, max_rank=8) for _ in range(4)]
    assert {manifest.version for manifest in await asyncio.gather(*at_once)} == {1}
    other = await registry.publish("greybeards", adapters[0], base=base, max_rank=8)
    assert (other.version, len(blobs.digests())) == (1, 1)


async def test_publishers_at_once_get_versions_of_their_own(registry: Registry, base: Base, adapters: list[Path]) -> None:
    """Nobody's adapter is lost or overwritten."""
    manifests = await asyncio.gather(*(registry.publish("zizou", folder, base=base, max_rank=8) for folder in adapters))
    assert sorted(manifest.version for manifest in manifests) == [1, 2, 3]
    assert len({manifest.digest for manifest in manifests}) == 3
    assert not (await registry.verify()).damaged


async def test_what_is_refused_leaves_nothing(registry: Registry, blobs: BlobStore, base: Base, adapters: list[Path]) -> None:
    """No version, no bytes, no half upload."""
    good = await registry.publish("greybeards", adapters[1], base=base, max_rank=8)
    with pytest.raises(InvalidAdapter):
        await registry.publish("zizou", adapters[0], base=base, max_rank=1)
    with pytest.raises(BadName):
        await registry.publish("../zizou", adapters[0], base=base, max_rank=8)
    with pytest.raises(BadName):
        await registry.publish("zizou", adapters[0], base=base, max_rank=8, by="a\nb")
    with pytest.raises(InvalidAdapter, match="report_card"):
        await registry.publish("zizou", adapters[0], base=base, max_rank=8, report_card={"fit": float("nan")})
    assert (await registry.snapshot()).communities() == ("greybeards",)
    assert set(blobs.digests()) == {good.digest}
    assert blobs.sweep_uploads(datetime.now(UTC) + timedelta(days=2)) == 0


@pytest.mark.parametrize("alias", ["", "Live", "7", "a" * 33, "a\n", "../x", "base"])
async def test_aliases_that_cannot_be(local_registry: Registry, base: Base, adapters: list[Path], alias: str) -> None:
    """They never reach the database."""
    await local_registry.publish("zizou", adapters[0], base=base, max_rank=8)
    with pytest.raises(BadName):
        await local_registry.promote("zizou", 1, alias=alias)


@pytest.mark.parametrize("version", [0, -1, 2, 1 << 31, 1 << 70])
async def test_versions_that_are_not_there(local_registry: Registry, base: Base, adapters: list[Path], version: int) -> None:
    """However large the number."""
    await local_registry.publish("zizou", adapters[0], base=base, max_rank=8)
    with pytest.raises(UnknownModel):
        await local_registry.promote("zizou", version)


@pytest.mark.parametrize("share", [-1.0, 100.1, float("nan"), float("inf")])
async def test_shares_that_are_none(local_registry: Registry, base: Base, adapters: list[Path], share: float) -> None:
    """A share is a percentage."""
    await local_registry.publish("zizou", adapters[0], base=base, max_rank=8)
    with pytest.raises(BadName, match="percentage"):
        await local_registry.canary("zizou", 1, share=share)


async def test_garbage_is_only_what_nobody_holds(registry: Registry, blobs: BlobStore, base: Base, adapters: list[Path]) -> None:
    """Bytes that one community retired and another one serves stay."""
    for community in ("zizou", "greybeards"):
        await registry.publish(community, adapters[0], base=base, max_rank=8)
    await registry.retire("zizou", 1)
    assert (await registry.gc()).removed == ()
    await registry.retire("greybeards", 1)
    assert len((await registry.gc()).removed) == 1
    assert (await registry.publish("zizou", adapters[0], base=base, max_rank=8)).version == 2


async def test_damage_is_found_and_mended(tmp_path: Path, database_url: str, base: Base, adapters: list[Path]) -> None:
    """A damaged version is quarantined, or only reported while an alias points at it; publishing the same adapter again mends it."""
    store = tmp_path / "store"
    registry = await open_registry(tmp_path, store_url=str(store), database_url=database_url)
    live, spare = [await registry.publish("zizou", folder, base=base, max_rank=8) for folder in adapters[:2]]
    await registry.promote("zizou", 1)
    for manifest in (live, spare):
        weights = store / "adapters" / manifest.digest.removeprefix("sha256:") / WEIGHTS
        weights.chmod(0o600)
        weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    found = await registry.verify()
    assert [damage.manifest.version for damage in found.damaged] == [1, 2]
    snapshot = await registry.snapshot()
    assert snapshot.resolve(parse_model("zizou")) == live
    with pytest.raises(UnknownModel):
        snapshot.resolve(ModelRef("zizou", version=2))
    with pytest.raises(Conflict, match="damaged"):
        await registry.promote("zizou", 2)
    for folder in adapters[:2]:
        assert (await registry.publish("zizou", folder, base=base, max_rank=8)).state is State.PUBLISHED
    assert not (await registry.verify()).damaged
    await registry.close()


async def test_lost_bytes_are_damage_too(tmp_path: Path, database_url: str, base: Base, adapters: list[Path]) -> None:
    """A store that lost a file says so."""
    store = tmp_path / "store"
    registry = await open_registry(tmp_path, store_url=str(store), database_url=database_url)
    manifest = await registry.publish("zizou", adapters[0], base=base, max_rank=8)
    (store / "adapters" / manifest.digest.removeprefix("sha256:") / CONFIG).unlink()
    assert [damage.manifest for damage in (await registry.verify()).damaged] == [manifest]
    await registry.close()


async def test_documents_travel_with_a_version(registry: Registry, base: Base, adapters: list[Path]) -> None:
    """Shown with it, and left out of lists."""
    card = {"fit": {"banger_rate": 0.4}, "note": "drôle"}
    manifest = await registry.publish("zizou", adapters[0], base=base, max_rank=8, training={"steps": 3}, report_card=card)
    assert await registry.show("zizou", 1) == manifest
    assert (manifest.training, manifest.report_card) == ({"steps": 3}, card)
    listed = (await registry.snapshot()).manifests("zizou")[0]
    assert listed == replace(manifest, training=None, report_card=None)


FAILED_CARD = {"passed": False, "gates": [{"name": "ranking", "value": 0.31, "limit": 0.5, "passed": False}]}


async def test_a_version_that_failed_its_gates_does_not_go_live(registry: Registry, base: Base, adapters: list[Path]) -> None:
    """Nor does it become the canary; the sentence says which gate, and how to go on. Another alias, to try it out, may mean it."""
    await registry.publish("zizou", adapters[0], base=base, max_rank=8, report_card=FAILED_CARD)
    for refused in (registry.promote("zizou", 1), registry.promote("zizou", 1, override="  "), registry.canary("zizou", 1, share=10)):
        with pytest.raises(Conflict, match=r"zizou@1 failed its gates \(ranking: 0.31, limit 0.5\).*--override"):
            await refused
    assert (await registry.snapshot()).pointers("zizou") == {}
    await registry.promote("zizou", 1, alias="trial")
    assert (await registry.show("zizou", 1)).override is None


async def test_an_override_is_recorded_with_who_and_when(registry: Registry, base: Base, adapters: list[Path]) -> None:
    """In the manifest, also in lists; from then on the version may be live again without another."""
    await registry.publish("zizou", adapters[0], base=base, max_rank=8, report_card=FAILED_CARD)
    await registry.publish("zizou", adapters[1], base=base, max_rank=8, report_card={"passed": True})
    moved = await registry.promote("zizou", 1, by="Ann", override=" it is funny ")
    (listed, _) = (await registry.snapshot()).manifests("zizou")
    assert moved.override == listed.override == (await registry.show("zizou", 1)).override
    assert listed.override is not None
    assert (listed.override["why"], listed.override["by"], listed.override["at"][:2]) == ("it is funny", "Ann", "20")
    await registry.promote("zizou", 2)
    assert (await registry.rollback("zizou")).version == 1
    await registry.canary("zizou", 1, share=5)


async def test_an_override_that_nothing_needs_is_not_recorded(local_registry: Registry, base: Base, adapters: list[Path]) -> None:
    """A version whose gates passed, and one without a card, are live as they are."""
    for number, card in enumerate(({"passed": True}, None, {"fit": 1.0}), start=1):
        await local_registry.publish("zizou", adapters[number - 1], base=base, max_rank=8, report_card=card)
        assert (await local_registry.promote("zizou", number, override="why not")).override is None


@pytest.mark.parametrize("reason", ["x" * 301, "two\nlines"])
async def test_a_reason_is_one_short_line(local_registry: Registry, base: Base, adapters: list[Path], reason: str) -> None:
    """It is shown in tables."""
    await local_registry.publish("zizou", adapters[0], base=base, max_rank=8, report_card=FAILED_CARD)
    with pytest.raises(BadName, match="300 printable"):
        await local_registry.promote("zizou", 1, override=reason)


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ({"passed": False}, "its report card says that it did not pass"),
        ({"passed": False, "gates": "none"}, "its report card says that it did not pass"),
        ({"passed": False, "gates": [{"passed": False}, 7, {"name": "a\x1b[2J", "passed": False, "value": 0.123456}]}, "limit None"),
        ({"passed": False, "gates": [{"name": str(at), "passed": False} for at in range(9)]}, "and 6 more"),
    ],
)
async def test_a_strange_card_is_still_a_sentence(
    local_registry: Registry, base: Base, adapters: list[Path], card: dict[str, object], said: str
) -> None:
    """Whoever wrote it: printable and short."""
    await local_registry.publish("zizou", adapters[0], base=base, max_rank=8, report_card=card)
    with pytest.raises(Conflict, match=said) as caught:
        await local_registry.promote("zizou", 1)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


async def test_an_adapter_of_another_base_is_refused(local_registry: Registry, base: Base, adapters: list[Path], tmp_path: Path) -> None:
    """Its shapes fit, so only its training manifest can tell. Another precision of the same base is no other base."""
    other = read_base(write_base(tmp_path / "other", fill=b"\x07"), "none")
    with pytest.raises(InvalidAdapter, match="another base than the one served"):
        await local_registry.publish("zizou", adapters[0], base=base, max_rank=8, training={"base": {"fingerprint": other.fingerprint}})
    rounded = replace(base, quantization="bitsandbytes").fingerprint
    for trained in ({"base": {"fingerprint": rounded}}, {"base": {"fingerprint": base.fingerprint}}, {"base": "its name"}):
        assert (await local_registry.publish("zizou", adapters[0], base=base, max_rank=8, training=trained)).version == 1
