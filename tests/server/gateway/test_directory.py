"""What a model string means, while aliases move and the registry comes and goes."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from adapters.registry import Base, DatabaseError, Snapshot, State
from server.gateway.canary import takes_canary
from server.gateway.directory import Directory
from server.gateway.errors import ModelNotFound, RegistryUnavailable
from tests.server.gateway.memory_registry import MemoryRegistry, manifest
from tests.server.gateway.stage import populate


@pytest.fixture
def registry(base: Base) -> MemoryRegistry:
    registry = MemoryRegistry()
    populate(registry, base)
    return registry


@pytest.fixture
async def directory(registry: MemoryRegistry, base: Base) -> Directory:
    directory = Directory(registry, base_fingerprint=base.fingerprint, started=1)
    await directory.refresh()
    return directory


def unasked() -> str:
    raise AssertionError("no canary takes a share: the key is not needed")


def key(text: str) -> Callable[[], str]:
    return lambda: text


async def test_finding_asks_nobody(directory: Directory, registry: MemoryRegistry) -> None:
    """The registry may be slow or gone: a request looks into memory, and hashes nothing where no canary takes a share."""
    registry.failure = DatabaseError("The database is away.")
    looks = registry.looks
    for model, adapter in (("zizou", "zizou@1"), ("zizou@canary", "zizou@2"), ("zizou@2", "zizou@2"), ("base", "base")):
        assert directory.find(model, unasked, within=None).adapter == adapter
    assert [entry["id"] for entry in directory.models(within=None)] == ["base", "greybeards", "zizou"]
    assert registry.looks == looks


async def test_a_canary_gets_its_share_and_live_the_rest(directory: Directory, registry: MemoryRegistry, base: Base) -> None:
    """By both names of live; who asks for the canary or for a version gets exactly that."""
    registry.add(manifest(base, "zizou", 2), "canary", share=30)
    await directory.refresh()
    for number in range(200):
        expected = "zizou@2" if takes_canary("zizou", 2, 30, str(number)) else "zizou@1"
        assert directory.find("zizou", key(str(number)), within=None).adapter == expected
        assert directory.find("zizou@live", key(str(number)), within=None).adapter == expected
        assert directory.find("zizou@canary", unasked, within=None).adapter == "zizou@2"
        assert directory.find("zizou@1", unasked, within=None).adapter == "zizou@1"
    assert directory.find("greybeards", unasked, within=None).adapter == "greybeards@1"


async def test_a_target_keeps_the_caller_s_model_and_one_tenant(directory: Directory, registry: MemoryRegistry, base: Base) -> None:
    """Whichever version answers, the cache is the community's."""
    registry.add(manifest(base, "zizou", 2), "canary", share=100)
    await directory.refresh()
    target = directory.find("zizou", unasked, within=None)
    assert (target.model, target.adapter, target.tenant) == ("zizou", "zizou@2", "zizou")
    assert target.engine_name == manifest(base, "zizou", 2).engine_name


@pytest.mark.parametrize("state", [State.QUARANTINED, State.RETIRED])
async def test_live_answers_for_a_canary_that_cannot(directory: Directory, registry: MemoryRegistry, base: Base, state: State) -> None:
    """Whether it is in quarantine, retired, of another base or not there at all."""
    for entry in (replace(manifest(base, "zizou", 2), state=state), manifest(base, "zizou", 2, fingerprint="sha256:" + "e" * 64)):
        registry.add(entry, "canary", share=100)
        await directory.refresh()
        assert directory.find("zizou", unasked, within=None).adapter == "zizou@1"
        with pytest.raises(ModelNotFound):
            directory.find("zizou@canary", unasked, within=None)


@pytest.mark.parametrize("model", ["strangers", "strangers@1", "unborn", "zizou@3", "zizou@best", "zizou@0", "nobody", "", "base@1"])
async def test_what_is_not_served_is_not_found_in_the_same_words(directory: Directory, model: str) -> None:
    """Foreign, unborn, unknown or no name at all."""
    with pytest.raises(ModelNotFound) as caught:
        directory.find(model, unasked, within=None)
    assert str(caught.value) == f"The model {model!r} does not exist or you do not have access to it."
    with pytest.raises(ModelNotFound):
        directory.model(model, within=None)


@pytest.mark.parametrize("state", [State.QUARANTINED, State.RETIRED])
async def test_a_live_version_that_is_taken_out_is_gone_at_once(
    directory: Directory, registry: MemoryRegistry, base: Base, state: State
) -> None:
    """By every name, and from the list."""
    registry.add(replace(manifest(base, "zizou"), state=state))
    await directory.refresh()
    for model in ("zizou", "zizou@1", "zizou@live"):
        with pytest.raises(ModelNotFound):
            directory.find(model, unasked, within=None)
    assert [entry["id"] for entry in directory.models(within=None)] == ["base", "greybeards"]


async def test_before_the_first_look_only_the_base_is_there(base: Base) -> None:
    """Nothing is known, which is not the same as nothing being there: 503 and not 404."""
    directory = Directory(MemoryRegistry(), base_fingerprint=base.fingerprint, started=1)
    assert directory.find("base", unasked, within=None).adapter == "base"
    with pytest.raises(RegistryUnavailable):
        directory.find("zizou", unasked, within=None)
    with pytest.raises(RegistryUnavailable):
        directory.models(within=None)


async def test_a_registry_that_is_away_changes_nothing_and_is_said_once(
    directory: Directory, registry: MemoryRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    """Not once for each look; and once more when it is back. Its own words, which may hold paths, are for the log."""
    registry.failure = DatabaseError("The database at /srv/secret/index.db is away.")
    for _ in range(5):
        with pytest.raises(DatabaseError):
            await directory.refresh()
    assert directory.find("zizou", unasked, within=None).adapter == "zizou@1"
    failure = directory.failure
    assert failure is not None
    assert "secret" not in failure
    registry.failure = None
    await directory.refresh()
    assert directory.failure is None
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "/srv/secret/index.db" in said[0]


async def test_following_goes_on_after_every_kind_of_failure(base: Base, registry: MemoryRegistry, directory: Directory) -> None:
    """Also after a bug: one bad look is not the last."""
    following = asyncio.create_task(directory.follow(every=0.001))
    try:
        for failure in (DatabaseError("Away."), OSError("a bug")):
            registry.failure = failure
            async with asyncio.timeout(5):
                while directory.failure is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            registry.failure = None
            entry = registry.add(manifest(base, "greybeards", 2 + int(isinstance(failure, OSError))), "live")
            async with asyncio.timeout(5):
                while directory.find("greybeards", unasked, within=None).adapter != str(entry.ref):  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            assert directory.failure is None
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


class SlowRegistry(MemoryRegistry):
    """Each look takes its picture at once, and hands it over when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.gates: list[asyncio.Event] = []

    async def snapshot(self, after: Snapshot | None = None) -> Snapshot:
        picture, gate = self.held, asyncio.Event()
        self.gates.append(gate)
        await gate.wait()
        return picture


async def test_an_old_look_never_replaces_a_new_one(base: Base) -> None:
    """A look that began before a write and ends after it."""
    registry = SlowRegistry()
    directory = Directory(registry, base_fingerprint=base.fingerprint, started=1)
    registry.add(manifest(base, "zizou"), "live")
    early = asyncio.create_task(directory.refresh())
    await asyncio.sleep(0)
    registry.add(manifest(base, "zizou", 2), "live")
    late = asyncio.create_task(directory.refresh())
    async with asyncio.timeout(5):
        for task, position in ((early, 0), (late, 1)):
            while len(registry.gates) <= position:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            registry.gates[position].set()
            await task
    assert (await late).revision == registry.held.revision
    assert directory.find("zizou", unasked, within=None).adapter == "zizou@2"


async def test_the_list_says_what_a_caller_may_know_of_an_adapter(directory: Directory, registry: MemoryRegistry, base: Base) -> None:
    """Which version answers, since when, how its chats were rendered and how much it learnt; who tries to take its place. No digest."""
    lesson = {"renderer": "turns-1", "examples": 812, "made_at": "2026-11-01T10:00:00+00:00"}
    registry.add(replace(manifest(base, "zizou", 3), lesson=lesson), "live")
    registry.add(manifest(base, "zizou", 2), "canary", share=30)
    await directory.refresh()
    entry = directory.model("zizou", within=frozenset({"zizou"}))
    assert (entry["adapter"], entry["renderer"], entry["published_at"]) == ("zizou@3", "turns-1", "2026-11-20T12:00:00+00:00")
    assert (entry["canary"], entry["learnt"]) == ({"version": 2, "share": 30}, {"examples": 812, "trained_at": lesson["made_at"]})
    other = directory.model("zizou@2", within=None)
    assert (other["adapter"], other["renderer"], other["canary"], other["learnt"]) == ("zizou@2", None, None, None)
    assert directory.model("base", within=None).keys() == {"id", "object", "created", "owned_by"}
    assert "sha256" not in str(directory.models(within=None))
