from pathlib import Path

import pytest

from adapters.registry import (
    Base,
    DamagedAdapter,
    InvalidAdapter,
    ModelRef,
    Registry,
    RegistryError,
    UnknownModel,
    parse_model,
    read_base,
    verified_path,
)
from tests.adapters.registry.tiny import write_adapter, write_base


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return read_base(write_base(tmp_path / "base"), "none")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")


def test_versions_count_up_and_aliases_move(tmp_path: Path, base: Base, registry: Registry) -> None:
    """Publishing moves nothing; promoting moves one pointer, and back again."""
    first = registry.publish("zizou", write_adapter(tmp_path / "a", fill=b"\x01"), base=base, max_rank=8)
    second = registry.publish("zizou", write_adapter(tmp_path / "b", fill=b"\x02"), base=base, max_rank=8)
    assert (first.version, second.version) == (1, 2)
    with pytest.raises(UnknownModel):
        registry.resolve(parse_model("zizou"))
    registry.promote("zizou", 2)
    assert registry.resolve(parse_model("zizou")) == second
    registry.promote("zizou", 1)
    assert registry.resolve(parse_model("zizou")) == first
    assert registry.resolve(parse_model("zizou@2")) == second


def test_the_same_bytes_keep_their_version(tmp_path: Path, base: Base, registry: Registry) -> None:
    """Publishing twice is the same as once: content decides."""
    first = registry.publish("zizou", write_adapter(tmp_path / "a"), base=base, max_rank=8)
    again = registry.publish("zizou", tmp_path / "a", base=base, max_rank=8)
    assert first == again
    assert len(registry.manifests("zizou")) == 1


def test_another_reader_sees_a_change_at_once(tmp_path: Path, base: Base, registry: Registry) -> None:
    """The gateway reads what a command in another process wrote, without a restart."""
    reader = Registry(registry.root)
    assert reader.communities() == ()
    registry.publish("zizou", write_adapter(tmp_path / "a"), base=base, max_rank=8)
    assert reader.communities() == ("zizou",)
    registry.promote("zizou", 1, alias="canary")
    assert reader.resolve(ModelRef("zizou", alias="canary")).version == 1


def test_a_refused_adapter_leaves_nothing_behind(tmp_path: Path, base: Base, registry: Registry) -> None:
    """Neither a version nor a file of it."""
    with pytest.raises(InvalidAdapter):
        registry.publish("zizou", write_adapter(tmp_path / "a", rank=4), base=base, max_rank=2)
    assert registry.communities() == ()
    assert not list(registry.root.rglob("adapter_model*"))


@pytest.mark.parametrize("model", ["nobody", "zizou@9", "zizou@canary"])
def test_what_is_not_there_is_unknown(tmp_path: Path, base: Base, registry: Registry, model: str) -> None:
    """A community, a version or an alias that does not exist is one kind of error."""
    registry.publish("zizou", write_adapter(tmp_path / "a"), base=base, max_rank=8)
    with pytest.raises(UnknownModel):
        registry.resolve(parse_model(model))


def test_stored_bytes_are_verified_before_they_are_served(tmp_path: Path, base: Base, registry: Registry) -> None:
    """One flipped byte is a DamagedAdapter; publishing the same adapter again heals it."""
    manifest = registry.publish("zizou", write_adapter(tmp_path / "a"), base=base, max_rank=8)
    stored = verified_path(registry.adapters, manifest.engine_name)
    assert stored is not None
    weights = stored / "adapter_model.safetensors"
    weights.chmod(0o644)
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    with pytest.raises(DamagedAdapter):
        verified_path(registry.adapters, manifest.engine_name)
    registry.publish("zizou", tmp_path / "a", base=base, max_rank=8)
    assert verified_path(registry.adapters, manifest.engine_name) == stored


@pytest.mark.parametrize(
    "name", ["../a", "/etc", "zizou", "", "zizou-0123456789abcdeF", "zizou-0123456789abcdef/..", "a\0-0123456789abcdef"]
)
def test_a_string_that_is_no_engine_name_finds_nothing(registry: Registry, name: str) -> None:
    """Refused by its shape, before the file system is touched."""
    assert verified_path(registry.adapters, name) is None


def test_a_link_is_not_followed(tmp_path: Path, base: Base, registry: Registry) -> None:
    """A folder that is only linked into the store is not served."""
    manifest = registry.publish("zizou", write_adapter(tmp_path / "a"), base=base, max_rank=8)
    place = registry.adapters / manifest.engine_name
    place.rename(tmp_path / "moved")
    place.symlink_to(tmp_path / "moved")
    assert verified_path(registry.adapters, manifest.engine_name) is None


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"communities": {"zizou": {}}}', '{"communities": {"zizou": {"versions": [{}], "aliases": {}}}}']
)
def test_a_damaged_index_is_told_by_its_path(registry: Registry, content: str) -> None:
    """One sentence for the operator, whatever reads it."""
    registry.root.mkdir()
    (registry.root / "index.json").write_text(content)
    with pytest.raises(RegistryError, match=r"index\.json"):
        registry.communities()
