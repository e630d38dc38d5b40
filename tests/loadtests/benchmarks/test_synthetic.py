"""The benchmark's made-up base and adapters, held against the registry's own checks."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from adapters.registry.base import read_base
from adapters.registry.validation import validate
from loadtests.benchmarks.synthetic import Size, write_adapter, write_base

SMALL = Size(layers=2, hidden=64, intermediate=192, heads=1, kv_heads=1)


@pytest.fixture
def tokenizer_of(tmp_path: Path) -> Path:
    """What is taken from another base."""
    (folder := tmp_path / "donor").mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": ["Qwen3ForCausalLM"], "vocab_size": 16}))
    Tokenizer(WordLevel({"a": 0}, unk_token="a")).save(str(folder / "tokenizer.json"))
    for name in ("tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        (folder / name).write_text("{}")
    return folder


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
def test_an_adapter_of_random_numbers_is_valid_for_its_base(tokenizer_of: Path, tmp_path: Path, dtype: str) -> None:
    """Every linear layer has its pair, every number is finite."""
    base = read_base(write_base(tmp_path / "base", SMALL, tokenizer_of), "bitsandbytes")
    valid = validate(write_adapter(tmp_path / "adapter", SMALL, rank=4, dtype=dtype), base, max_rank=4)
    assert valid.rank == 4
    assert len(valid.tensors) == 2 * SMALL.layers * len(SMALL.linears())


def test_no_two_adapters_are_the_same(tmp_path: Path) -> None:
    """Or the second would be the first one's version, and loaded already."""
    one, other = (write_adapter(tmp_path / name, SMALL, rank=1) / "adapter_model.safetensors" for name in ("one", "other"))
    assert one.read_bytes() != other.read_bytes()
