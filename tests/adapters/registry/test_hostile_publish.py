"""The whole catalogue of hostile adapters, published: nothing of it gets in, and what is served stays as it was."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.registry import Base, BlobStore, InvalidAdapter, StoreError, open_registry, read_base
from tests.adapters.registry.hostile import MAX_RANK, good_adapter
from tests.adapters.registry.hostile_all import hostile_adapters
from tests.adapters.registry.tiny import write_adapter, write_base


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return read_base(write_base(tmp_path / "base"), "none")


def files_of(folder: Path) -> set[tuple[str, int]]:
    return {(str(path.relative_to(folder)), path.lstat().st_size) for path in folder.rglob("*") if path.is_file()}


async def test_nothing_hostile_gets_in(tmp_path: Path, base: Base, store_url: str) -> None:
    """No version, no bytes, nothing half uploaded, nothing beside the store; the good adapter's version is the only one."""
    home = tmp_path / "home"
    registry = await open_registry(home, store_url=store_url)
    (good := tmp_path / "good").mkdir()
    good_adapter(base.path).write(good)
    manifest = await registry.publish("zizou", good, base=base, max_rank=MAX_RANK)
    hostiles = [(each.field, each.make(tmp_path / "hostile" / f"{at}")) for at, each in enumerate(hostile_adapters(base.path).values())]
    before = files_of(tmp_path)
    for field, folder in hostiles:
        with pytest.raises(InvalidAdapter) as refused:
            await registry.publish("zizou", folder, base=base, max_rank=MAX_RANK)
        assert refused.value.field == field
    assert files_of(tmp_path) == before
    assert (await registry.snapshot()).manifests("zizou") == (manifest,)
    assert set(BlobStore(store_url).digests()) == {manifest.digest}
    assert not (await registry.verify()).damaged
    await registry.close()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB. Needs a user who may mount."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system that is full")
async def test_a_disk_that_is_full(tmp_path: Path, tiny_disk: Path) -> None:
    """One sentence, and nothing half there; with room again the same adapter is published."""
    base = read_base(write_base(tmp_path / "wide"), "none")
    adapter = write_adapter(tmp_path / "adapter")
    registry = await open_registry(tmp_path / "home", store_url=str(tiny_disk / "store"))
    filler = tiny_disk / "filler"
    filler.write_bytes(b"\0" * (128 << 10))
    with pytest.raises(StoreError, match=r"space|room"):
        await registry.publish("zizou", adapter, base=base, max_rank=MAX_RANK)
    assert (await registry.snapshot()).communities() == ()
    await asyncio.to_thread(filler.unlink)
    assert (await registry.publish("zizou", adapter, base=base, max_rank=MAX_RANK)).version == 1
    assert not (await registry.verify()).damaged
    await registry.close()
