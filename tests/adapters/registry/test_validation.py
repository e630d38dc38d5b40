"""What is accepted, and what becomes of it. What is refused: `test_hostile_adapters.py`."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from adapters.registry import Base, InvalidAdapter, read_base
from adapters.registry.lora_config import MAX_BYTES
from adapters.registry.validation import validate
from tests.adapters.registry.fuzz_header import CORPUS
from tests.adapters.registry.tiny import adapter_tensors, header_of, safetensors_file, write_adapter, write_base, write_safetensors

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return read_base(write_base(tmp_path / "base"), "none")


def test_an_adapter_that_fits_is_accepted(tmp_path: Path, base: Base) -> None:
    """It is told what it is, and which tensors its file holds."""
    adapter = validate(write_adapter(tmp_path / "a", rank=2), base, max_rank=8)
    assert (adapter.rank, adapter.alpha, adapter.target_modules) == (2, 4, ("q_proj", "up_proj"))
    assert adapter.weights == tmp_path / "a" / WEIGHTS
    assert {tensor.name: tensor.shape for tensor in adapter.tensors} == adapter_tensors(2)


def test_what_is_stored_of_the_configuration_is_of_our_own_writing(tmp_path: Path, base: Base) -> None:
    """The allowed fields only, and the base by its fingerprint."""
    told: dict[str, Any] = {
        "megatron_core": "megatron.core",
        "peft_version": "9",
        "lora_dropout": 0.5,
        "loftq_config": {"bits": 4},
        "use_rslora": True,
    }
    adapter = validate(write_adapter(tmp_path / "a", base_model_name_or_path="/home/me/base", **told), base, max_rank=8)
    assert json.loads(adapter.config) == {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base.fingerprint,
        "r": 2,
        "lora_alpha": 4,
        "target_modules": ["q_proj", "up_proj"],
        "bias": "none",
        "use_rslora": True,
    }


def test_our_configuration_is_accepted_and_stays_as_it_is(tmp_path: Path, base: Base) -> None:
    """What was fetched can be published again, and is the same version."""
    once = validate(write_adapter(tmp_path / "a"), base, max_rank=8)
    (tmp_path / "a" / CONFIG).write_bytes(once.config)
    assert validate(tmp_path / "a", base, max_rank=8).config == once.config


def test_one_adapter_has_one_configuration(tmp_path: Path, base: Base) -> None:
    """However it was written down: order, fields that say nothing, a float that is whole."""
    a = write_adapter(tmp_path / "a", lora_alpha=4.0, use_dora=False, rank_pattern={}, something_new=None, inference_mode=True)
    b = write_adapter(tmp_path / "b", target_modules=["up_proj", "q_proj"], task_type="CAUSAL_LM", use_rslora=False)
    assert validate(a, base, max_rank=8).config == validate(b, base, max_rank=8).config


def test_what_peft_writes_is_accepted(tmp_path: Path, base: Base) -> None:
    """The configuration was saved by PEFT 0.21.2 with all its fields; the weights are named as it names them."""
    path = write_adapter(tmp_path / "a")
    shutil.copy(CORPUS / "config" / "peft", path / CONFIG)
    adapter = validate(path, base, max_rank=8)
    assert json.loads(adapter.config)["use_rslora"] is True


def test_a_configuration_may_be_as_long_as_is_allowed(tmp_path: Path, base: Base) -> None:
    """To the byte."""
    path = write_adapter(tmp_path / "a")
    (path / CONFIG).write_bytes((path / CONFIG).read_bytes().ljust(MAX_BYTES))
    assert validate(path, base, max_rank=8).rank == 2


@pytest.mark.parametrize("name", [None, "", "acme/base", "/anywhere/base"])
def test_a_base_that_is_a_name_or_a_path_says_nothing(tmp_path: Path, base: Base, name: str | None) -> None:
    """Only a fingerprint tells which base an adapter was made for."""
    assert validate(write_adapter(tmp_path / "a", base_model_name_or_path=name), base, max_rank=8).rank == 2


@pytest.mark.parametrize("start", [True, False, "gaussian", "orthogonal"])
def test_a_start_that_leaves_the_base_alone_is_accepted(tmp_path: Path, base: Base, start: Any) -> None:
    """How an adapter began does not matter once it is trained, if the base stayed as it was."""
    assert validate(write_adapter(tmp_path / "a", init_lora_weights=start), base, max_rank=8).rank == 2


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_every_dtype_that_adapters_are_trained_in_is_accepted(tmp_path: Path, base: Base, dtype: str) -> None:
    """It is rounded to what the engine computes with when it is stored."""
    path = write_adapter(tmp_path / "a")
    header, size = header_of(adapter_tensors(), dtype)
    (path / WEIGHTS).write_bytes(safetensors_file(header, b"\x01" * size))
    assert {tensor.dtype for tensor in validate(path, base, max_rank=8).tensors} == {dtype}


@pytest.mark.parametrize("rank", [1, 8])
def test_every_rank_up_to_the_largest_that_is_served_is_accepted(tmp_path: Path, base: Base, rank: int) -> None:
    """The largest one included."""
    assert validate(write_adapter(tmp_path / "a", rank=rank), base, max_rank=8).rank == rank


def test_one_module_that_changes_something_is_enough(tmp_path: Path, base: Base) -> None:
    """A layer that learned nothing beside one that did is no reason to refuse."""
    path = write_adapter(tmp_path / "a")
    header, size = header_of(adapter_tensors())
    zeros = header["base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"]["data_offsets"][1]
    (path / WEIGHTS).write_bytes(safetensors_file(header, bytes(zeros) + b"\x01" * (size - zeros)))
    assert validate(path, base, max_rank=8).rank == 2


def test_a_hard_link_is_a_plain_file(tmp_path: Path, base: Base) -> None:
    """It cannot point anywhere: what it names is its own content."""
    path = write_adapter(tmp_path / "a")
    os.link(path / WEIGHTS, tmp_path / "another name")
    assert validate(path, base, max_rank=8).rank == 2


def test_the_folder_itself_may_be_a_link(tmp_path: Path, base: Base) -> None:
    """Who publishes chose it; only what is inside is a stranger's."""
    (tmp_path / "link").symlink_to(write_adapter(tmp_path / "a"))
    assert validate(tmp_path / "link", base, max_rank=8).rank == 2


def test_a_packed_base_takes_only_what_its_configuration_says(tmp_path: Path) -> None:
    """A checkpoint that packs its weights has other shapes in its files; adapters are held against the real ones."""
    path = write_base(tmp_path / "base", intermediate_size=8, quantization_config={"quant_method": "awq"})
    write_safetensors(
        path / "model.safetensors", {"model.layers.0.self_attn.q_proj.qweight": (4, 1), "model.layers.0.mlp.up_proj.qweight": (4, 1)}
    )
    base = read_base(path, "awq")
    assert validate(write_adapter(tmp_path / "a"), base, max_rank=8).rank == 2
    wrong = write_adapter(tmp_path / "b")
    write_safetensors(wrong / WEIGHTS, adapter_tensors(linears={"self_attn.q_proj": (4, 1), "mlp.up_proj": (4, 1)}))
    with pytest.raises(InvalidAdapter, match="another base"):
        validate(wrong, base, max_rank=8)


@pytest.mark.parametrize(
    ("fill", "alpha", "fits"), [(b"\x00\x00\x80\x3f", 4, True), (b"\x00\x00\x80\x4b", 4, False), (b"\x00\x00\x80\x42", 4096, False)]
)
def test_numbers_that_would_overflow_are_refused(tmp_path: Path, base: Base, fill: bytes, alpha: int, fits: bool) -> None:
    """One that is huge, or a product of a pair that is; NaN would stay in the engine's memory. The ones that fit are 1.0."""
    adapter = write_adapter(tmp_path / "a", lora_alpha=alpha)
    header, size = header_of(adapter_tensors(2))
    (adapter / WEIGHTS).write_bytes(safetensors_file(header, fill * (size // 4)))
    if fits:
        assert validate(adapter, base, max_rank=8).alpha == alpha
        return
    with pytest.raises(InvalidAdapter, match="too large") as refused:
        validate(adapter, base, max_rank=8)
    assert refused.value.field.startswith("model.layers.0.")
