"""A base, and maybe an adapter on it, to be asked how likely texts are and to write some. Loads both as they are served.

The linear layers of the base are in NF4: on CUDA bitsandbytes' own layers, on a CPU rounded to NF4 and back and multiplied in float32.
The adapter is rounded to bfloat16. Base and adapter are the same weights in one process: `without_adapter` only leaves the LoRA out.
Knows nothing of examples and of scores.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, GenerationConfig

from adapters.evaluation.errors import NoAdapter, OutOfMemory, WrongBase
from adapters.registry.base import Base
from adapters.registry.errors import InvalidAdapter
from adapters.registry.validation import ValidAdapter, validate
from adapters.training.bases import Hub, fetch_base
from adapters.training.errors import TrainingError
from adapters.training.model import round_to_nf4
from adapters.training.recipe import TrainingRecipe
from adapters.training.rendering import Renderer

MAX_RANK = 512
AS_SERVED = "bitsandbytes"
_GENERATED_AT_ONCE = 32
_NUMBERS_AT_ONCE = 1 << 27
"""Of logits: half a gigabyte in float32."""
_SMALL = 100_000_000
"""Parameters."""
_FULL = "The memory ran out while evaluating: free some of it, lower --context-tokens, or use a larger machine."


@dataclass(frozen=True)
class Sampling:
    """How replies are drawn. The defaults are what a gateway's clients usually get."""

    max_tokens: int = 64
    temperature: float = 0.7
    top_p: float = 0.9
    seed: int = 0


class LoadedModel:
    """A model in memory, its tokenizer, and how its chats are rendered. Token ids go in and out. Not for several threads."""

    def __init__(self, model: Any, tokenizer: Any, *, has_adapter: bool, name: str = "", nf4: bool = True) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.has_adapter = has_adapter
        self._model = model.eval()
        self.device: torch.device = next(model.parameters()).device
        self.context_length: int = int(model.config.max_position_embeddings)
        computed = "bfloat16" if self.device.type == "cuda" else "float32"
        self.precision = f"the base in {'NF4' if nf4 else 'bfloat16'} as it is served, computed in {computed}"
        """For a method's sentence."""
        self._vocabulary = int(model.config.vocab_size)
        self.ends = frozenset(_ends(model, tokenizer))
        try:
            self.renderer = Renderer(tokenizer, sorted(self.ends))
        except TrainingError as exc:
            raise WrongBase(str(exc)) from exc

    @contextmanager
    def without_adapter(self) -> Iterator[None]:
        """Inside, this is the base alone. Nothing changes where there is no adapter."""
        if not self.has_adapter:
            yield
            return
        with self._model.disable_adapter():
            yield

    def log_likelihood(self, prompt: Sequence[int], target: Sequence[int]) -> float:
        """In nats, of all of `target` after `prompt`, neither of them empty."""
        return self.log_likelihoods(prompt, [target])[0]

    @torch.inference_mode()
    def log_likelihoods(self, prompt: Sequence[int], targets: Sequence[Sequence[int]]) -> list[float]:
        """In nats, of each target after the same `prompt`, which is read only once. Nothing of it may be empty."""
        at_once = max(1, _NUMBERS_AT_ONCE // (max(map(len, targets)) * self._vocabulary))
        starts = range(0, len(targets), at_once)
        return [found for start in starts for found in self._log_likelihoods(prompt, targets[start : start + at_once])]

    def _log_likelihoods(self, prompt: Sequence[int], targets: Sequence[Sequence[int]]) -> list[float]:
        rows = [[prompt[-1], *target[:-1]] for target in targets]
        width = max(map(len, rows))
        # Padded on the right, where nothing looks at: what is padding is after everything that counts.
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=self.device)
        wanted = torch.tensor([[*target, *[0] * (width - len(target))] for target in targets], device=self.device)
        cache = None
        if len(prompt) > 1:
            before = torch.tensor([prompt[:-1]], device=self.device)
            cache = self._model(input_ids=before, use_cache=True, logits_to_keep=1).past_key_values
            cache.batch_repeat_interleave(len(rows))
        positions = torch.arange(len(prompt) - 1, len(prompt) - 1 + width, device=self.device).expand(len(rows), width)
        logits = self._model(input_ids=ids, past_key_values=cache, position_ids=positions, use_cache=cache is not None).logits
        found = torch.log_softmax(logits.float(), -1).gather(-1, wanted[..., None])[..., 0].double()
        return [float(row[: len(target)].sum()) for row, target in zip(found, targets, strict=True)]

    @torch.inference_mode()
    def log_probabilities(self, prompt: Sequence[int], target: Sequence[int]) -> torch.Tensor:
        """Float64 [tokens of `target`, vocabulary]: what the model expected at each token of the target."""
        ids = torch.tensor([[*prompt, *target[:-1]]], device=self.device)
        logits = self._model(input_ids=ids, use_cache=False, logits_to_keep=len(target)).logits[0]
        return torch.log_softmax(logits.double(), -1)

    @torch.inference_mode()
    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[list[int]]:
        """A reply to each prompt, without the end of its turn. The same prompts and sampling give the same replies on one machine."""
        replies: list[list[int]] = []
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(sampling.seed)
            for start in range(0, len(prompts), _GENERATED_AT_ONCE):
                replies += self._generate(prompts[start : start + _GENERATED_AT_ONCE], sampling)
        return replies

    def _generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[list[int]]:
        width = max(map(len, prompts))
        end = min(self.ends)
        ids = torch.tensor([[end] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=self.device)
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=self.device)
        config = GenerationConfig(
            max_new_tokens=sampling.max_tokens,
            do_sample=True,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=0,
            eos_token_id=sorted(self.ends),
            pad_token_id=end,
        )
        written = self._model.generate(input_ids=ids, attention_mask=mask, generation_config=config)[:, width:].tolist()
        return [_until(self.ends, reply) for reply in written]

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """Inside, a small model on a CPU has one thread: its steps are too short to be shared, and several threads that wait for each
        other take ten times as long where somebody else uses a core."""
        threads = torch.get_num_threads()
        small = self.device.type == "cpu" and sum(each.numel() for each in self._model.parameters()) < _SMALL
        torch.set_num_threads(1 if small else threads)
        try:
            yield
        finally:
            torch.set_num_threads(threads)

    def text(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))


def load_model(base: str | Path, adapter: Path | None = None, *, quantization: str = AS_SERVED, name: str = "") -> LoadedModel:
    """The base in a directory or on the hub, and the adapter in a directory on it, if given. Raises WrongBase, NoAdapter or OutOfMemory.

    `quantization` is what the base is served in: "bitsandbytes" (NF4), or "none"; a checkpoint that is quantized stays as it is.
    """
    found = find_base(base, quantization)
    if adapter is not None:
        check_adapter(found, adapter)
    return load_found(found, adapter, name=name)


def find_base(base: str | Path, quantization: str) -> Base:
    """Fetched from the hub if it is not a directory. Raises WrongBase."""
    try:
        return fetch_base(base, TrainingRecipe(method="qlora" if quantization == AS_SERVED else "lora"), Hub())
    except TrainingError as exc:
        raise WrongBase(str(exc).replace("set TROUPE_BASE to", "give")) from exc


def check_adapter(base: Base, adapter: Path) -> ValidAdapter:
    """Nothing of an adapter reaches a library before it has passed the registry's checks. Raises WrongBase or NoAdapter."""
    try:
        return validate(adapter, base, max_rank=MAX_RANK)
    except InvalidAdapter as exc:
        said = str(exc)
        kind = WrongBase if "another base" in said or "of this base" in said else NoAdapter
        raise kind(f"The adapter in {adapter} cannot be evaluated: {said[0].lower()}{said[1:]}") from exc


def load_found(base: Base, adapter: Path | None, *, name: str = "") -> LoadedModel:
    """What was found and checked. Raises WrongBase or OutOfMemory."""
    with translated():
        model, tokenizer = _load(base, adapter)
    return LoadedModel(
        model, tokenizer, has_adapter=adapter is not None, name=name or str(adapter or base.path), nf4=base.quantization == AS_SERVED
    )


@contextmanager
def translated() -> Iterator[None]:
    """Out of memory, in whatever words torch says it, as one sentence. Raises OutOfMemory."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as exc:
        raise OutOfMemory(_FULL) from exc
    except RuntimeError as exc:
        if "can't allocate memory" in str(exc):  # how torch says it on a CPU
            raise OutOfMemory(_FULL) from exc
        raise


def _load(base: Base, adapter: Path | None) -> tuple[Any, Any]:
    cuda, nf4 = torch.cuda.is_available(), base.quantization == AS_SERVED
    # In bfloat16 first, as the engine has them: what is rounded to NF4 must be the same numbers.
    options: dict[str, Any] = {"dtype": torch.bfloat16, "device_map": {"": "cuda"}} if cuda else {"dtype": torch.bfloat16}
    if cuda and nf4:
        kind = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": torch.bfloat16}
        options["quantization_config"] = BitsAndBytesConfig(load_in_4bit=True, **kind)
    try:
        tokenizer = AutoTokenizer.from_pretrained(base.path)
        model = AutoModelForCausalLM.from_pretrained(base.path, **options)
    except (OSError, ValueError, KeyError, SafetensorError) as exc:
        raise WrongBase(
            f"The base {base.path} cannot be loaded ({_first_line(exc)}): give a model's directory or its name on the hub."
        ) from exc
    if not cuda:
        if nf4 and getattr(model.config, "quantization_config", None) is None:
            round_to_nf4(model)
        model = model.float()
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter)
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.data = parameter.data.bfloat16().to(parameter.dtype)
    return model, tokenizer


def _ends(model: Any, tokenizer: Any) -> list[int]:
    """Every token at which the engine stops."""
    config = getattr(model, "generation_config", None)
    found = getattr(config, "eos_token_id", None)
    ends = found if isinstance(found, list) else [found]
    return [int(each) for each in (*ends, tokenizer.eos_token_id) if each is not None]


def _until(ends: frozenset[int], reply: Sequence[int]) -> list[int]:
    stop = next((place for place, token in enumerate(reply) if token in ends), len(reply))
    return list(reply[:stop])


def _first_line(exc: BaseException) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0].rstrip(".")[:200]
