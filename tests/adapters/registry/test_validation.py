import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.registry import Base, InvalidAdapter, read_base
from adapters.registry.safetensors_header import MAX_TENSORS
from adapters.registry.validation import validate
from tests.adapters.registry.tiny import adapter_tensors, safetensors_file, write_adapter, write_base, write_safetensors

WEIGHTS = "adapter_model.safetensors"
NAME = "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight"


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return read_base(write_base(tmp_path / "base"), "none")


def test_an_adapter_that_fits_is_accepted(tmp_path: Path, base: Base) -> None:
    """What is stored is a configuration of our own writing, with the allowed fields only."""
    adapter = validate(write_adapter(tmp_path / "a", rank=2, megatron_core="megatron.core", peft_version="9"), base, max_rank=8)
    config = json.loads(adapter.config)
    assert config["r"] == 2
    assert config["target_modules"] == ["q_proj", "up_proj"]
    assert config["base_model_name_or_path"] == base.fingerprint
    assert not {"megatron_core", "peft_version"} & set(config)


REFUSED_CONFIGS: list[tuple[str, dict[str, Any]]] = [
    ("peft_type", {"peft_type": "IA3"}),
    ("r", {"r": 9}),
    ("r", {"r": True}),
    ("r", {"r": "2"}),
    ("lora_alpha", {"lora_alpha": 0}),
    ("bias", {"bias": "all"}),
    ("use_dora", {"use_dora": True}),
    ("modules_to_save", {"modules_to_save": ["lm_head"]}),
    ("rank_pattern", {"rank_pattern": {"q_proj": 4}}),
    ("auto_mapping", {"auto_mapping": {"parent_library": "os"}}),
    ("megatron_config", {"megatron_config": {"x": 1}}),
    ("target_modules", {"target_modules": "all-linear"}),
    ("target_modules", {"target_modules": ["lm_head"]}),
    ("target_modules", {"target_modules": ["q_proj", "up_proj", "down_proj"]}),
]


@pytest.mark.parametrize(("field", "config"), REFUSED_CONFIGS)
def test_a_configuration_that_is_not_served_is_refused_by_field(tmp_path: Path, base: Base, field: str, config: dict[str, Any]) -> None:
    """The error names the field, so its owner knows what to train without."""
    with pytest.raises(InvalidAdapter) as refused:
        validate(write_adapter(tmp_path / "a", **config), base, max_rank=8)
    assert refused.value.field == field


def _pickle(path: Path) -> None:
    (path / "adapter_model.bin").write_bytes(b"\x80\x04.")


def _link(path: Path) -> None:
    (path / WEIGHTS).rename(path.parent / "elsewhere")
    (path / WEIGHTS).symlink_to(path.parent / "elsewhere")


def _fifo(path: Path) -> None:
    (path / WEIGHTS).unlink()
    os.mkfifo(path / WEIGHTS)


def _missing(path: Path) -> None:
    (path / WEIGHTS).unlink()


def _not_json(path: Path) -> None:
    (path / "adapter_config.json").write_text("[" * 100_000)


def _huge_config(path: Path) -> None:
    (path / "adapter_config.json").write_text(" " * (1 << 20))


@pytest.mark.parametrize("damage", [_pickle, _link, _fifo, _missing, _not_json, _huge_config])
def test_a_directory_with_anything_but_two_plain_files_is_refused(tmp_path: Path, base: Base, damage: Callable[[Path], None]) -> None:
    """Pickles, links, pipes and extra files are refused before a byte of them is used."""
    path = write_adapter(tmp_path / "a")
    damage(path)
    with pytest.raises(InvalidAdapter):
        validate(path, base, max_rank=8)


def _entry(dtype: str = "F32", shape: object = (2, 4), span: object = (0, 32)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": span}


HEADERS: list[tuple[str, object, bytes]] = [
    ("not an object", [], b""),
    ("no tensors", {}, b""),
    ("too many tensors", {f"t{i}": _entry() for i in range(MAX_TENSORS + 1)}, b""),
    ("pickle dtype", {NAME: _entry(dtype="I64", span=(0, 64))}, b"\0" * 64),
    ("size overflow", {NAME: _entry(shape=(1 << 39, 1 << 39))}, b"\0" * 32),
    ("negative offset", {NAME: _entry(span=(-32, 0))}, b"\0" * 32),
    ("hole", {NAME: _entry(span=(8, 40))}, b"\0" * 40),
    ("past the end", {NAME: _entry()}, b"\0" * 31),
    ("trailing bytes", {NAME: _entry()}, b"\0" * 33),
    ("no dtype", {NAME: {"shape": [2, 4], "data_offsets": [0, 32]}}, b"\0" * 32),
    ("overlap", {NAME: _entry(), NAME.replace("_A", "_B"): _entry(shape=(8, 2), span=(0, 64))}, b"\0" * 64),
]


@pytest.mark.parametrize(("header", "body"), [case[1:] for case in HEADERS], ids=[case[0] for case in HEADERS])
def test_a_hostile_header_is_refused(tmp_path: Path, base: Base, header: object, body: bytes) -> None:
    """Spans must be contiguous, exact and as large as shape and dtype say."""
    path = write_adapter(tmp_path / "a")
    (path / WEIGHTS).write_bytes(safetensors_file(header, body))
    with pytest.raises(InvalidAdapter) as refused:
        validate(path, base, max_rank=8)
    assert refused.value.field == WEIGHTS


@pytest.mark.parametrize("length", [0, 1, 1 << 21, (1 << 63)])
def test_a_header_length_out_of_bounds_is_refused_unread(tmp_path: Path, base: Base, length: int) -> None:
    """A length is believed only up to a megabyte."""
    path = write_adapter(tmp_path / "a")
    (path / WEIGHTS).write_bytes(length.to_bytes(8, "little") + b"{}")
    with pytest.raises(InvalidAdapter):
        validate(path, base, max_rank=8)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("model.layers.0.mlp", "model.layers.7.mlp"),
        ("model.layers.0.mlp.up_proj", "model.embed_tokens"),
        ("up_proj.lora_A", "up_proj.lora_magnitude"),
        ("mlp.up_proj", "mlp.../../up_proj"),
    ],
)
def test_a_weight_of_something_else_is_refused_by_name(tmp_path: Path, base: Base, old: str, new: str) -> None:
    """Only linear layers that the base has may be adapted."""
    path = write_adapter(tmp_path / "a")
    write_safetensors(path / WEIGHTS, {name.replace(old, new): shape for name, shape in adapter_tensors().items()})
    with pytest.raises(InvalidAdapter):
        validate(path, base, max_rank=8)


def test_an_adapter_of_another_architecture_is_refused(tmp_path: Path, base: Base) -> None:
    """Shapes that do not fit the base say that it was trained for another one."""
    path = write_adapter(tmp_path / "a")
    tensors = {name: tuple(2 * size if size > 2 else size for size in shape) for name, shape in adapter_tensors().items()}
    write_safetensors(path / WEIGHTS, tensors)
    with pytest.raises(InvalidAdapter, match="trained for another"):
        validate(path, base, max_rank=8)


def test_half_a_pair_is_refused(tmp_path: Path, base: Base) -> None:
    """Each lora_A needs its lora_B."""
    path = write_adapter(tmp_path / "a")
    tensors = adapter_tensors()
    tensors.popitem()
    write_safetensors(path / WEIGHTS, tensors)
    with pytest.raises(InvalidAdapter, match="one half"):
        validate(path, base, max_rank=8)
