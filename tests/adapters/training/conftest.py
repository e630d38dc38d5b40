"""A base of two small layers that nobody has trained, and what there is to learn from."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM
from transformers.utils import logging

from adapters.demo.pretraining.tokenizer import END_OF_TEXT, train_tokenizer
from adapters.training.recipe import TrainingRecipe
from tests.adapters.training.lessons import SAID


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base's directory. Its numbers are random and large enough that tokens differ."""
    out = tmp_path_factory.mktemp("base")
    logging.disable_progress_bar()
    torch.manual_seed(1)
    tokenizer = train_tokenizer(SAID * 3, 320, 256)
    config = Qwen3Config(
        vocab_size=320,
        hidden_size=64,
        num_hidden_layers=2,
        intermediate_size=128,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        initializer_range=0.1,
    )
    model = Qwen3ForCausalLM(config)
    ends = [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(END_OF_TEXT)]
    model.generation_config = GenerationConfig(eos_token_id=ends, pad_token_id=tokenizer.pad_token_id)
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


@pytest.fixture(scope="session")
def recipe() -> TrainingRecipe:
    """Ten or so steps, each of a few short rows."""
    return TrainingRecipe(
        rank=4,
        alpha=8,
        dropout=0.1,
        learning_rate=1e-2,
        epochs=1,
        tokens=192,
        context_tokens=128,
        checkpointing=False,
        eval_every=2,
        held_out_examples=8,
        canaries=2,
    )


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums come out the same however many cores there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
