"""The base as it is served, and the LoRA on top of it that learns. Knows model files and libraries, not examples.

On CUDA, NF4 is bitsandbytes' own 4-bit layers. On a CPU the linear layers are rounded to NF4 and back once, tensor by tensor: the same
numbers as vLLM's bitsandbytes loader makes, multiplied in the CPU's own format, without saving memory.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit, quantize_4bit
from bitsandbytes.optim import PagedAdamW8bit, PagedAdamW32bit
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from adapters.registry.validation import CONFIG, LINEARS, WEIGHTS
from adapters.training.errors import WrongBase
from adapters.training.machine import Machine
from adapters.training.recipe import TrainingRecipe

Weights = dict[str, torch.Tensor]


def load_base(directory: Path, recipe: TrainingRecipe, machine: Machine) -> Any:
    """The frozen base, in NF4 or as it is. Raises WrongBase."""
    options: dict[str, Any] = {"dtype": machine.dtype}
    if recipe.method == "qlora" and machine.is_cuda:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=machine.dtype,
        )
        options["device_map"] = {"": machine.device}
    try:
        model = AutoModelForCausalLM.from_pretrained(directory, **options)
    except (ValueError, KeyError) as exc:
        raise WrongBase(f"The base at {directory} cannot be loaded ({str(exc).splitlines()[0][:200]}): take another, or mend it.") from exc
    if not machine.is_cuda and model.config.to_dict().get("quantization_config"):
        model = model.dequantize()  # bitsandbytes' layers on a CPU are for inference only: gradients do not pass them
    elif recipe.method == "qlora" and not machine.is_cuda:
        round_to_nf4(model)
    if "device_map" not in options:
        model = model.to(machine.device)
    model.config.use_cache = False
    return model


def round_to_nf4(model: Any) -> None:
    """Replace the weight of every linear layer of the decoder by what is left of it after NF4 (blocks of 64, statistics compressed)."""
    for name, module in model.named_modules():
        if name.rpartition(".")[2] in LINEARS:
            weight = module.weight.data
            packed, state = quantize_4bit(weight.contiguous(), compress_statistics=True, quant_type="nf4")
            module.weight.data = dequantize_4bit(packed, state).to(weight.dtype)


def add_lora(base: Any, recipe: TrainingRecipe, base_name: str) -> Any:
    """A fresh LoRA on all linear layers that are served, its numbers in float32. Raises WrongBase where the base has none of them."""
    found = {name.rpartition(".")[2] for name, _ in base.named_modules()} & set(LINEARS)
    if not found:
        raise WrongBase(f"The base has none of the linear layers that adapters may change ({', '.join(LINEARS)}): take another base.")
    if recipe.checkpointing:
        base.gradient_checkpointing_enable({"use_reentrant": False})
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=sorted(found),
        task_type="CAUSAL_LM",
        bias="none",
    )
    model = get_peft_model(base, config)
    config.base_model_name_or_path = base_name
    return model


def make_optimizer(model: Any, recipe: TrainingRecipe, machine: Machine) -> torch.optim.Optimizer:
    """AdamW over the LoRA's numbers; its state may be paged out to the host on CUDA."""
    trainable = [each for each in model.parameters() if each.requires_grad]
    kinds: Mapping[str, Any] = {"paged-adamw-8bit": PagedAdamW8bit, "paged-adamw-32bit": PagedAdamW32bit}
    kind = kinds.get(recipe.optimizer, torch.optim.AdamW) if machine.is_cuda else torch.optim.AdamW
    made: torch.optim.Optimizer = kind(trainable, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, betas=(0.9, 0.98))
    return made


def lora_weights(model: Any) -> Weights:
    """A copy of what has been learnt, in the host's memory."""
    return {name: value.detach().to("cpu", copy=True) for name, value in _state(model).items()}


def set_lora_weights(model: Any, weights: Weights) -> None:
    set_peft_model_state_dict(model, weights)


def save_lora(model: Any, folder: Path) -> None:
    """Exactly the two files that the registry accepts."""
    model.save_pretrained(folder, save_embedding_layers=False)
    for path in folder.iterdir():
        if path.name not in (CONFIG, WEIGHTS):
            path.unlink()


def _state(model: Any) -> Weights:
    state: Weights = get_peft_model_state_dict(model, save_embedding_layers=False)
    return state
