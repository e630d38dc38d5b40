import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.registry.blobs import CONFIG, WEIGHTS
from adapters.registry.errors import BadName, DamagedAdapter, StoreError, UnknownModel
from server.engine.cache import AdapterCache, Held, Patience, next_to_go
from tests.server.engine.shelf import CONFIGURATION, Shelf

SIZE = 100
AT_ONCE = Patience(idle=0, room=0, poll=0.001)


class Clock:
    """Says what it is told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Stage:
    """A cache with room for `room` adapters, the shelf behind it, and what vLLM was made to forget."""

    def __init__(self, folder: Path, *, room: int = 2, patience: Patience = AT_ONCE) -> None:
        self.folder, self.shelf, self.clock = folder, Shelf(), Clock()
        self.forgotten: list[str] = []
        self.files_when_forgotten: list[bool] = []
        self.room, self.patience = room, patience
        self.names = [self.shelf.put("zizou", bytes([number]) * (SIZE - len(CONFIGURATION))) for number in range(6)]
        self.cache = self._open()

    def restart(self) -> AdapterCache:
        """As the next engine of this folder."""
        self.cache.close()
        return self._open()

    def _open(self) -> AdapterCache:
        self.cache = AdapterCache(self.shelf, self.folder, self.room * SIZE, forget=self._forget, patience=self.patience, clock=self.clock)
        return self.cache

    def _forget(self, name: str) -> None:
        self.forgotten.append(name)
        self.files_when_forgotten.append(any(path.name == name for path in self.folder.rglob("*")))

    def held(self) -> set[str]:
        return {path.name for path in self.folder.glob("*/*")}

    async def ask(self, name: str) -> Path:
        """One request, from its first byte to its last."""
        with self.cache.using(name):
            self.clock.now += 1
            return await self.cache.fetch(name)


def bytes_in(folder: Path) -> int:
    """Of all files below `folder`; others may delete them meanwhile."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.path.getsize(os.path.join(where, name))
    return total


@pytest.fixture
def set_stage(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    with ExitStack() as stages:

        def make(**told: Any) -> Stage:
            stage = Stage(tmp_path / "cache", **told)
            stages.callback(lambda: stage.cache.close())
            return stage

        yield make


@pytest.fixture
def stage(set_stage: Callable[..., Stage]) -> Stage:
    return set_stage()


async def test_an_adapter_is_fetched_once_and_then_held(stage: Stage) -> None:
    """The second time it is read from the disk, and verified there."""
    path = await stage.ask(stage.names[0])
    assert await stage.ask(stage.names[0]) == path
    assert {file.name for file in path.iterdir()} == {CONFIG, WEIGHTS}
    assert len(stage.shelf.fetched) == 1


async def test_the_least_recently_used_goes_first(stage: Stage) -> None:
    """Never more than fits, and what was used last stays."""
    a, b, c, d, *_ = stage.names
    for name in (a, b, a, c):
        await stage.ask(name)
    assert stage.held() == {a, c}
    await stage.ask(d)
    assert stage.held() == {c, d}
    assert stage.forgotten == [b, a]


async def test_vllm_forgets_a_name_before_its_files_go(stage: Stage) -> None:
    """It may read them at any moment until then."""
    for name in stage.names:
        await stage.ask(name)
    assert stage.files_when_forgotten == [True] * 4


async def test_what_was_evicted_comes_back(stage: Stage) -> None:
    """Its next request fetches it again."""
    for name in [*stage.names, stage.names[0]]:
        path = await stage.ask(name)
    assert path.is_dir()
    assert stage.held() == {stage.names[0], stage.names[-1]}


async def test_nothing_in_use_is_evicted(stage: Stage) -> None:
    """If all that is there is in use, the new one is refused with the setting that helps, and the old ones stay."""
    a, b, c, *_ = stage.names
    await stage.ask(a)
    await stage.ask(b)
    with stage.cache.using(a), stage.cache.using(b):
        with pytest.raises(StoreError, match="TROUPE_ENGINE_CACHE_GIB"):
            await stage.ask(c)
        assert stage.held() == {a, b}
        assert stage.forgotten == []
    await stage.ask(c)
    assert c in stage.held()


async def test_two_requests_for_one_name_both_count(stage: Stage) -> None:
    """The end of the first does not free the files that the second uses."""
    a, b, c, d, *_ = stage.names
    await stage.ask(a)
    with ExitStack() as second:
        with stage.cache.using(a):
            second.enter_context(stage.cache.using(a))
        for name in (b, c, d):
            await stage.ask(name)
        assert a in stage.held()
    assert not stage.cache.in_use(a)


async def test_a_name_rests_before_its_files_go(set_stage: Callable[..., Stage]) -> None:
    """An aborted request can live for one more step: a new adapter waits until the idle time has passed."""
    stage = set_stage(room=1, patience=Patience(idle=50, room=1000, poll=0.001))
    a, b, *_ = stage.names
    await stage.ask(a)
    waiting = asyncio.create_task(stage.ask(b))
    await asyncio.wait({waiting}, timeout=0.05)
    assert not waiting.done()
    assert stage.held() == {a}
    stage.clock.now += 50
    await waiting
    assert stage.held() == {b}


async def test_a_request_that_ends_makes_room_for_one_that_waits(set_stage: Callable[..., Stage]) -> None:
    """Waiting is bounded, and it is worth it."""
    stage = set_stage(room=1, patience=Patience(idle=0, room=1000, poll=0.001))
    a, b, *_ = stage.names
    with stage.cache.using(a):
        await stage.cache.fetch(a)
        waiting = asyncio.create_task(stage.ask(b))
        await asyncio.wait({waiting}, timeout=0.05)
        assert not waiting.done()
    await waiting
    assert stage.held() == {b}


async def test_an_adapter_larger_than_the_cache_is_refused(stage: Stage) -> None:
    """At once, and nothing is thrown out for it."""
    await stage.ask(stage.names[0])
    large = stage.shelf.put("zizou", b"x" * (2 * SIZE + 1))
    with pytest.raises(StoreError, match="TROUPE_ENGINE_CACHE_GIB"):
        await stage.ask(large)
    assert stage.held() == {stage.names[0]}


async def test_several_who_want_one_adapter_share_a_download(stage: Stage) -> None:
    """However many ask at once."""
    paths = await asyncio.gather(*(stage.ask(stage.names[0]) for _ in range(20)))
    assert len(set(paths)) == 1
    assert len(stage.shelf.fetched) == 1


async def test_who_leaves_during_a_download_does_not_stop_it(stage: Stage) -> None:
    """Nothing half is left, and the next one finds it there."""
    stage.shelf.open.clear()
    leaving = asyncio.create_task(stage.ask(stage.names[0]))
    await asyncio.to_thread(stage.shelf.asked.wait, 60)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    staying = asyncio.create_task(stage.ask(stage.names[0]))
    stage.shelf.open.set()
    assert (await staying).is_dir()
    assert len(stage.shelf.fetched) == 1


async def test_downloads_count_before_they_are_there(stage: Stage) -> None:
    """Six at once through room for two: the folder never holds more, and all get their turn."""
    stage.patience = Patience(idle=0, room=1000, poll=0.001)
    stage.restart()
    seen: list[int] = []
    stage.shelf.delivered = lambda: seen.append(bytes_in(stage.folder))
    await asyncio.gather(*(stage.ask(name) for name in stage.names))
    assert len(seen) == len(stage.names)
    assert SIZE <= min(seen) <= max(seen) <= 2 * SIZE
    assert len(stage.held()) == 2


@pytest.mark.parametrize("failure", [DamagedAdapter("damaged"), StoreError("disk full"), UnknownModel("gone")])
async def test_a_failed_download_leaves_nothing_and_may_be_tried_again(stage: Stage, failure: Exception) -> None:
    """No half adapter, no room taken for good."""
    assert isinstance(failure, DamagedAdapter | StoreError | UnknownModel)
    for _ in range(5):
        stage.shelf.failure = failure
        with pytest.raises(type(failure)):
            await stage.ask(stage.names[0])
        assert stage.held() == set()
    stage.shelf.failure = None
    for name in stage.names[:2]:
        await stage.ask(name)
    assert stage.held() == set(stage.names[:2])


async def test_a_name_that_the_store_does_not_hold_changes_nothing(stage: Stage) -> None:
    """However many are tried, neither the folder nor what is remembered grows."""
    await stage.ask(stage.names[0])
    for number in range(50):
        with pytest.raises(UnknownModel):
            await stage.ask(f"zizou-{number:016x}")
    assert stage.held() == {stage.names[0]}
    assert not any(stage.cache.in_use(f"zizou-{number:016x}") for number in range(50))


@pytest.mark.parametrize("name", ["", "zizou", "../zizou-0123456789abcdef", "zizou-0123456789abcdeF", "zizou-0123456789abcdef\n"])
async def test_what_is_no_engine_name_asks_no_store(stage: Stage, name: str) -> None:
    """And builds no path."""
    with pytest.raises(BadName):
        await stage.cache.fetch(name)
    assert stage.shelf.fetched == []
    assert not stage.folder.exists()


async def test_the_next_engine_finds_what_the_last_one_fetched(set_stage: Callable[..., Stage]) -> None:
    """Verified anew: what was changed meanwhile is fetched again, what is no adapter's is deleted, and the bound holds for all of it."""
    stage = set_stage(room=3)
    a, b, c, d, *_ = stage.names
    paths = [await stage.ask(name) for name in (a, b, c)]
    (paths[1] / WEIGHTS).write_bytes(b"x" * (SIZE - len(CONFIGURATION)))
    (paths[0].parent / ".half").mkdir()
    (paths[0].parent / ".half" / WEIGHTS).write_bytes(b"half")
    (paths[0].parent / "link").symlink_to(outside := stage.folder.parent)
    stage.restart()
    stage.shelf.fetched.clear()
    assert await stage.ask(a) == paths[0]
    assert stage.shelf.fetched == []
    assert (await stage.ask(b) / WEIGHTS).read_bytes() == stage.shelf.weights[_digest(stage, b)]
    assert len(stage.shelf.fetched) == 1
    assert stage.held() == {a, b, c}
    await stage.ask(d)
    assert stage.held() == {a, b, d}
    assert next(outside.iterdir())


@pytest.mark.parametrize("extra", ["more.py", WEIGHTS + ".2"])
async def test_a_file_more_is_damage_too(stage: Stage, extra: str) -> None:
    """What is handed to vLLM is two files and no others."""
    path = await stage.ask(stage.names[0])
    (path / extra).write_bytes(b"x")
    assert not (await stage.ask(stage.names[0]) / extra).exists()


async def test_two_engines_of_one_home_do_not_share_a_folder(stage: Stage) -> None:
    """What one evicts, the other may be using; and a folder that nobody has any more is emptied."""
    other = AdapterCache(stage.shelf, stage.folder, 2 * SIZE, forget=lambda name: None, patience=AT_ONCE, clock=stage.clock)
    ours = await stage.ask(stage.names[0])
    with other.using(stage.names[0]):
        theirs = await other.fetch(stage.names[0])
    assert ours != theirs
    other.close()
    stage.restart()
    assert await stage.ask(stage.names[0]) == ours
    assert not theirs.exists()


async def test_a_folder_that_cannot_be_used_names_its_setting(stage: Stage) -> None:
    """One sentence, no traceback."""
    stage.folder.write_text("a file")
    with pytest.raises(StoreError, match="TROUPE_ENGINE_CACHE"):
        await stage.ask(stage.names[0])


@given(
    held=st.dictionaries(st.text("abc", min_size=1, max_size=2), st.builds(Held, st.just(1), st.integers(0, 9).map(float))),
    busy=st.sets(st.text("abc", min_size=1, max_size=2)),
    now=st.integers(0, 12).map(float),
    idle=st.integers(0, 3).map(float),
)
def test_who_goes_next(held: dict[str, Held], busy: set[str], now: float, idle: float) -> None:
    """The one unused for longest, never one that is busy or was a moment ago; nobody only if nobody may."""
    allowed = {name: entry.used for name, entry in held.items() if name not in busy and now - entry.used >= idle}
    chosen = next_to_go(held, busy, now, idle)
    assert (chosen is None) == (not allowed)
    if chosen is not None:
        assert allowed[chosen] == min(allowed.values())


def _digest(stage: Stage, name: str) -> str:
    return next(digest for digest in stage.shelf.weights if digest.startswith(name.rpartition("-")[2]))
