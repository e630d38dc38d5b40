import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from adapters.conversation import Turn
from adapters.evaluation.errors import EvaluationError, NoAdapter, OutOfMemory, WrongBase
from adapters.evaluation.models import LoadedModel, Sampling, load_model, translated
from adapters.training.model import round_to_nf4
from tests.adapters.evaluation.conftest import Tiny

TURNS = (Turn("ann", "what about the cat?"),)


@pytest.fixture(scope="module")
def loaded(tiny: Tiny) -> LoadedModel:
    return load_model(tiny.base, tiny.good)


def test_likelihoods_are_those_of_one_plain_pass(loaded: LoadedModel) -> None:
    """Whether it is asked about one text or several of other lengths at once, and with the prompt read once for all of them."""
    prompt = loaded.renderer.prompt(TURNS)
    targets = [loaded.renderer.reply(text) for text in ("it sleeps on the warm roof", "no", "nobody runs faster in town at all")]
    plain = [float(loaded.log_probabilities(prompt, target)[range(len(target)), target].sum()) for target in targets]
    assert loaded.log_likelihoods(prompt, targets) == pytest.approx(plain, abs=1e-4)
    assert loaded.log_likelihood(prompt, targets[0]) == pytest.approx(plain[0], abs=1e-4)


def test_a_prompt_of_one_token_has_likelihoods_too(loaded: LoadedModel) -> None:
    """There is nothing to read beforehand then."""
    target = loaded.renderer.reply("no")
    plain = float(loaded.log_probabilities([5], target)[range(len(target)), target].sum())
    assert loaded.log_likelihood([5], target) == pytest.approx(plain, abs=1e-4)


def test_without_its_adapter_it_is_the_base_in_nf4(tiny: Tiny, loaded: LoadedModel) -> None:
    """The same numbers as a base that was loaded and rounded alone; with the adapter, those of PEFT on such a base."""
    prompt, target = loaded.renderer.prompt(TURNS), loaded.renderer.reply("it sleeps on the warm roof")
    plain = AutoModelForCausalLM.from_pretrained(tiny.base, dtype=torch.bfloat16)
    round_to_nf4(plain)
    with loaded.without_adapter():
        base = loaded.log_likelihood(prompt, target)
    tuned = loaded.log_likelihood(prompt, target)
    expected = load_model(tiny.base)
    assert base == pytest.approx(expected.log_likelihood(prompt, target), abs=1e-5)
    by_hand = LoadedModel(plain.float(), AutoTokenizer.from_pretrained(tiny.base), has_adapter=False)
    assert base == pytest.approx(by_hand.log_likelihood(prompt, target), abs=1e-5)
    peft = LoadedModel(PeftModel.from_pretrained(plain, tiny.good), loaded.tokenizer, has_adapter=True)
    assert tuned == pytest.approx(peft.log_likelihood(prompt, target), abs=0.1), "but for the rounding of the adapter to bfloat16"
    assert tuned > base + 0.5


def test_a_base_is_rounded_only_where_it_is_served_rounded(tiny: Tiny) -> None:
    """With quantization "none" it is the base as it was saved, and says so."""
    rounded, plain = load_model(tiny.base), load_model(tiny.base, quantization="none")
    prompt, target = plain.renderer.prompt(TURNS), plain.renderer.reply("no")
    assert rounded.log_likelihood(prompt, target) != plain.log_likelihood(prompt, target)
    assert "NF4" in rounded.precision
    assert "NF4" not in plain.precision


def test_replies_are_the_same_for_the_same_seed(loaded: LoadedModel) -> None:
    """For another they are not; prompts of other lengths beside it do not matter to how it ends: no reply holds the end of its turn."""
    prompts = [loaded.renderer.prompt(TURNS), loaded.renderer.prompt((*TURNS, Turn("bob", "tell me of the dog")))]
    first, again, other = (loaded.generate(prompts * 4, Sampling(max_tokens=12, temperature=1.0, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == 8
    assert all(len(reply) <= 12 and not loaded.ends & set(reply) for reply in first)


def test_what_else_draws_numbers_is_not_disturbed(loaded: LoadedModel) -> None:
    """The process's own generator goes on as if nothing had been generated."""
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    loaded.generate([loaded.renderer.prompt(TURNS)], Sampling(max_tokens=4))
    assert torch.equal(torch.rand(2), expected)


def test_a_small_model_leaves_the_other_cores_alone(loaded: LoadedModel) -> None:
    """One thread inside, as many as before afterwards."""
    before = torch.get_num_threads()
    with loaded.unhurried():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def wrong(tiny: Tiny, folder: Path, what: str) -> Path:
    """A copy of the good adapter with something wrong."""
    adapter = folder / "adapter"
    shutil.copytree(tiny.good, adapter)
    config = json.loads((adapter / "adapter_config.json").read_text())
    if what == "another base":
        config["base_model_name_or_path"] = "sha256:" + "0" * 64
    elif what == "another rank":
        config["r"] = 4
    elif what == "code":
        (adapter / "pytorch_model.bin").write_bytes(b"x")
    elif what == "no weights":
        (adapter / "adapter_model.safetensors").unlink()
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    return adapter


@pytest.mark.parametrize(
    ("what", "error", "said"),
    [
        ("another base", WrongBase, "another base"),
        ("another rank", NoAdapter, "rank"),
        ("code", NoAdapter, "pytorch_model.bin"),
        ("no weights", NoAdapter, "adapter_model.safetensors"),
    ],
)
def test_an_adapter_that_could_not_be_served_is_not_loaded(
    tiny: Tiny, tmp_path: Path, what: str, error: type[EvaluationError], said: str
) -> None:
    """The registry's checks come first; one sentence names the adapter and what is wrong with it."""
    with pytest.raises(error, match=said) as caught:
        load_model(tiny.base, wrong(tiny, tmp_path, what))
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_holds_no_base_is_one_sentence(tiny: Tiny, tmp_path: Path) -> None:
    """Nor is an adapter a base."""
    for folder in (tmp_path, tiny.good, tmp_path / "nothing"):
        with pytest.raises(WrongBase, match="base"):
            load_model(folder)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: x")]
)
def test_running_out_of_memory_is_one_sentence(error: Exception) -> None:
    """In whatever words torch says it."""
    with pytest.raises(OutOfMemory, match="memory ran out"), translated():
        raise error


def test_other_errors_keep_their_name() -> None:
    """A mistake of ours is not reported as a machine that is too small."""
    with pytest.raises(RuntimeError, match="shapes"), translated():
        raise RuntimeError("shapes do not match")
