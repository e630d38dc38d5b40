"""Kills operations of the registry at every write, rename and the like, and looks at what is left.

A program of its own, run with `crash_points.c` preloaded: it loads everything once, and forks a child for each point, which costs
milliseconds. Prints one line of JSON. `python -m tests.adapters.registry.crash --help`.
"""

import argparse
import asyncio
import ctypes
import json
import os
import pickle
import shutil
import signal
import tempfile
import traceback
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from s3fs import S3FileSystem

from adapters.registry import Base, BlobStore, Registry, State, read_base
from adapters.registry.open import open_registry
from tests.adapters.registry.tiny import write_adapter, write_base

COMMUNITY = "zizou"


@dataclass(frozen=True)
class Place:
    """One installation: its home, and where its bytes are."""

    home: Path
    store: str


@dataclass(frozen=True)
class Material:
    """What operations work with."""

    base: Base
    adapters: tuple[Path, ...]


Operation = Callable[[Registry, Material], Awaitable[Any]]


async def _publish(registry: Registry, material: Material) -> None:
    await registry.publish(COMMUNITY, material.adapters[3], base=material.base, max_rank=8, report_card={"fit": 1.0})


async def _promote(registry: Registry, material: Material) -> None:
    await registry.promote(COMMUNITY, 1)


async def _override(registry: Registry, material: Material) -> None:
    await registry.promote(COMMUNITY, 4, override="it is funny")


async def _canary(registry: Registry, material: Material) -> None:
    await registry.canary(COMMUNITY, 1, share=10)


async def _rollback(registry: Registry, material: Material) -> None:
    if (await registry.snapshot()).pointers(COMMUNITY)["live"].version == 2:  # carried on after a crash, it may have happened
        await registry.rollback(COMMUNITY)


async def _retire(registry: Registry, material: Material) -> None:
    await registry.retire(COMMUNITY, 1)


async def _gc(registry: Registry, material: Material) -> None:
    await registry.gc()


OPERATIONS: dict[str, Operation] = {
    "publish": _publish, "promote": _promote, "override": _override, "canary": _canary, "rollback": _rollback, "retire": _retire, "gc": _gc,
}  # fmt: skip


async def set_up(place: Place, material: Material) -> None:
    """Two versions that were live, a retired one whose bytes are garbage, and one that failed its gates."""
    registry = await open_registry(place.home, store_url=place.store)
    for directory in material.adapters[:3]:
        await registry.publish(COMMUNITY, directory, base=material.base, max_rank=8)
    await registry.promote(COMMUNITY, 1)
    await registry.promote(COMMUNITY, 2)
    await registry.retire(COMMUNITY, 3)
    await registry.publish(COMMUNITY, material.adapters[4], base=material.base, max_rank=8, report_card={"passed": False})
    await registry.close()


async def observe(place: Place) -> dict[str, Any]:
    """What anybody can see. Raises if a version that is not retired has not all its bytes."""
    registry = await open_registry(place.home, store_url=place.store)
    snapshot, blobs = await registry.snapshot(), BlobStore(place.store)
    manifests = snapshot.manifests(COMMUNITY)
    for manifest in manifests:
        if manifest.state is not State.RETIRED:
            blobs.check(manifest.digest)
    await registry.close()
    return {
        "versions": [(manifest.version, manifest.digest, manifest.state) for manifest in manifests],
        "overridden": [manifest.version for manifest in manifests if manifest.override],
        "aliases": {alias: (at.version, at.share) for alias, at in snapshot.pointers(COMMUNITY).items()},
    }


async def run(place: Place, material: Material, operation: Operation) -> None:
    registry = await open_registry(place.home, store_url=place.store)
    await operation(registry, material)
    await registry.close()


async def carry_on(place: Place, material: Material, operation: Operation) -> None:
    """Do it again, and clean up: what crashed is in nobody's way. Raises AssertionError if bytes stay that nobody holds."""
    await run(place, material, operation)
    registry = await open_registry(place.home, store_url=place.store)
    await registry.gc()
    held = {manifest.digest for manifest in (await registry.snapshot()).manifests(COMMUNITY) if manifest.state is not State.RETIRED}
    await registry.close()
    assert set(BlobStore(place.store).digests()) == held


def in_child(work: Callable[[], Any]) -> Any:
    """The result of `work`, done in a fork; None if it was killed. Raises RuntimeError with its traceback if it failed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            result, code = (True, work()), 0
        except BaseException:  # noqa: BLE001  whatever it was, the parent has to hear of it
            result = (False, traceback.format_exc())
        finally:
            with os.fdopen(writer, "wb") as pipe:
                pickle.dump(result, pipe)
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return None
    succeeded, result = pickle.loads(said)  # noqa: S301  written by our own child
    if not succeeded:
        raise RuntimeError(result)
    return result


class Harness:
    """Runs one operation with a crash at each of its points, each from a fresh copy of the same beginning."""

    def __init__(self, folder: Path, store: str, material: Material) -> None:
        """`store`: empty for a folder below each home, else a URL below which each copy gets a prefix."""
        self._folder = folder
        self._store = store
        self._material = material
        self._copies = 0
        self._preloaded = ctypes.CDLL(None)
        self._beginning = self._place()
        in_child(lambda: asyncio.run(set_up(self._beginning, material)))

    def crash(self, name: str, *, first: int, step: int) -> dict[str, int]:
        """Points in all, points tried, and in how many of them the operation had not happened."""
        operation = OPERATIONS[name]
        done = self._copy()
        points = in_child(partial(self._armed, done, operation, 0, False))
        old, new = (in_child(partial(_observe_now, at)) for at in (self._beginning, done))
        tried = undone = 0
        for point, torn in product(range(first, points + 1, step), (False, True)):
            place = self._copy()
            if in_child(partial(self._armed, place, operation, point, torn)) is not None:
                continue  # threads take turns differently: it was over before
            seen, after = in_child(partial(self._look, place, operation))
            where = f"{name}, killed {'in' if torn else 'before'} call {point}"
            if seen not in (old, new):
                raise AssertionError(f"{where}: {seen} is neither {old} nor {new}")
            if after != new:
                raise AssertionError(f"{where}, then done again: {after} is not {new}")
            tried, undone = tried + 1, undone + (seen == old)
            self._remove(place)
        return {"points": points, "tried": tried, "undone": undone}

    def _look(self, place: Place, operation: Operation) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is there after the crash, and after the operation was done again."""
        seen = asyncio.run(observe(place))
        asyncio.run(carry_on(place, self._material, operation))
        return seen, asyncio.run(observe(place))

    def _armed(self, place: Place, operation: Operation, point: int, torn: bool) -> int:
        """The number of points that there were. `point` 0: never killed."""

        async def armed(registry: Registry, material: Material) -> None:
            self._preloaded.crash_arm(ctypes.c_long(point), int(torn))
            await operation(registry, material)

        asyncio.run(run(place, self._material, armed))
        seen: int = self._preloaded.crash_seen()
        return seen

    def _place(self) -> Place:
        self._copies += 1
        home = self._folder / f"home-{self._copies}"
        return Place(home, f"{self._store}/{self._copies}" if self._store else str(home / "store"))

    def _copy(self) -> Place:
        place = self._place()
        shutil.copytree(self._beginning.home, place.home)
        if self._store:
            in_child(lambda: _copy_bucket(self._beginning.store, place.store))
        return place

    def _remove(self, place: Place) -> None:
        shutil.rmtree(place.home)
        if self._store:
            in_child(lambda: _remove_bucket(place.store))


def _observe_now(place: Place) -> dict[str, Any]:
    return asyncio.run(observe(place))


def _copy_bucket(source: str, target: str) -> None:
    files, root, goal = S3FileSystem(), source.removeprefix("s3://"), target.removeprefix("s3://")
    for path in files.find(root):
        files.cp_file(path, goal + path.removeprefix(root))


def _remove_bucket(url: str) -> None:
    S3FileSystem().rm(url.removeprefix("s3://"), recursive=True)


def material_in(folder: Path) -> Material:
    base = read_base(write_base(folder / "base"), "none")
    # The first byte of each weight differs, so the five are five adapters.
    fills = (b"\x3d", b"\x3e", b"\x3f", b"\x3c", b"\x3b")
    return Material(base, tuple(write_adapter(folder / f"adapter-{at}", fill=fill) for at, fill in enumerate(fills)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", default="", help="s3://BUCKET/PREFIX; a folder without it.")
    parser.add_argument("--operations", nargs="+", default=list(OPERATIONS), choices=list(OPERATIONS))
    parser.add_argument("--first", type=int, default=1, help="The first point to crash at.")
    parser.add_argument("--step", type=int, default=1, help="Crash at every STEP-th point.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="troupe-crash-") as folder:
        harness = Harness(Path(folder), arguments.store, material_in(Path(folder)))
        print(json.dumps(dict(_crashes(harness, arguments))))


def _crashes(harness: Harness, arguments: argparse.Namespace) -> Iterator[tuple[str, dict[str, int]]]:
    for name in arguments.operations:
        yield name, harness.crash(name, first=arguments.first, step=arguments.step)


if __name__ == "__main__":
    main()
