import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from adapters.demo.pretraining.base import BaseRecipe, train_base
from adapters.demo.pretraining.optimize import Schedule

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
