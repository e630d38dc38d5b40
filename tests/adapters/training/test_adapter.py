import json
import math
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from adapters.conversation import Turn
from adapters.curation.dataset import Example
from adapters.training.adapter import LINEAR, AdapterRecipe, round_to_nf4, train_adapter
from adapters.training.base import BaseRecipe, train_base
from adapters.training.optimize import Schedule

CHAT = [{"role": "user", "content": "hello there"}, {"role": "assistant", "content": "hello"}]


def silent(done: int, total: int) -> None:
    assert 0 < done <= total


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("base")
    recipe = BaseRecipe(Schedule(1, 256, 1e-3, muon_rate=0.02), vocabulary=320, hidden=64, layers=1, intermediate=64)
    train_base([CHAT] * 32, out, recipe, silent)
    return out


def test_base_is_an_ordinary_model_directory(base: Path) -> None:
    """It loads by its path alone, in bfloat16, and says where a reply ends."""
    model = AutoModelForCausalLM.from_pretrained(base)
    tokenizer = AutoTokenizer.from_pretrained(base)
    assert model.dtype == torch.bfloat16
    assert tokenizer.eos_token_id in json.loads((base / "generation_config.json").read_text())["eos_token_id"]
    assert tokenizer.apply_chat_template(CHAT[:1], tokenize=False, add_generation_prompt=True).endswith("assistant\n")


def test_adapter_is_two_files_and_learns_its_target(base: Path, tmp_path: Path) -> None:
    """PEFT's two files and no other; rank 8 on all linear layers; the base stays as it was and the target becomes likelier."""
    before = load_file(base / "model.safetensors")
    example = Example((Turn("ann", "hello there"),), "goal", 1.0, 1)
    recipe = AdapterRecipe(Schedule(2, 64, 2e-2), base_name="somewhere")
    loss = train_adapter(base, [example] * 60, tmp_path / "adapter", recipe, silent)
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert sorted(path.name for path in (tmp_path / "adapter").iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert (config["r"], sorted(config["target_modules"])) == (8, sorted(LINEAR))
    assert config["base_model_name_or_path"] == "somewhere"
    assert loss < 0.8 * math.log(320), "about the least that frozen, hardly trained embeddings allow"
    assert all(torch.equal(value, load_file(base / "model.safetensors")[name]) for name, value in before.items())
    PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path / "adapter")


def test_rounding_touches_linear_layers_only_and_is_settled(base: Path) -> None:
    """NF4 moves the linear weights a little, leaves embeddings and norms alone, and leaves at most 16 values to a block of 64."""
    plain, rounded = (AutoModelForCausalLM.from_pretrained(base) for _ in range(2))
    round_to_nf4(rounded)
    for (name, old), new in zip(plain.named_parameters(), rounded.parameters(), strict=True):
        if name.split(".")[-2] in LINEAR:
            assert 0 < (old - new).norm() / old.norm() < 0.2, name
            assert max(len(block.unique()) for block in new.detach().reshape(-1, 64)) <= 16
        else:
            assert torch.equal(old, new), name
