"""Finds the base that somebody names, and says early what is wrong with it. Reads small files; loads no weights."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError
from transformers import AutoTokenizer

from adapters.registry.base import Base, read_base
from adapters.registry.errors import BaseError
from adapters.training.errors import WrongBase
from adapters.training.recipe import SERVED_AS, TrainingRecipe
from adapters.training.rendering import Renderer

_WANTED = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model")


@dataclass(frozen=True)
class Hub:
    """Where bases come from that are no directories."""

    file: Callable[[str, str], str] = hf_hub_download
    snapshot: Callable[..., str] = snapshot_download


def is_hub_name(base: str | Path) -> bool:
    text = str(base)
    return not Path(text).expanduser().exists() and not text.startswith((".", "/", "~")) and text.count("/") == 1


def find_config(base: str | Path, hub: Hub) -> Mapping[str, Any]:
    """The base's configuration, before its weights are fetched. Raises WrongBase."""
    try:
        path = Path(hub.file(str(base), "config.json")) if is_hub_name(base) else Path(base).expanduser() / "config.json"
        config = json.loads(path.read_bytes())
    except (RepositoryNotFoundError, HFValidationError, LocalEntryNotFoundError, HfHubHTTPError, OSError) as exc:
        raise WrongBase(f"There is no base at {base} ({_reason(exc)}): give a model's directory, or its name on the hub.") from exc
    except ValueError as exc:
        raise WrongBase(f"The config.json of {base} is not JSON: the base is damaged, download it again.") from exc
    if not isinstance(config, dict):
        raise WrongBase(f"The config.json of {base} is not a JSON object: the base is damaged, download it again.")
    architecture = str((config.get("architectures") or [None])[0])
    if not architecture.endswith("ForCausalLM"):
        raise WrongBase(f"{base} is a {architecture}, which does not chat: give a causal language model.")
    quantized = (config.get("quantization_config") or {}).get("quant_method")
    if quantized not in (None, "bitsandbytes"):
        raise WrongBase(f"{base} is quantized with {quantized}: train on the model that it was made from, or on a bitsandbytes one.")
    return config


def fetch_base(base: str | Path, recipe: TrainingRecipe, hub: Hub) -> Base:
    """The base as it will be served, its weights on this machine. Raises WrongBase."""
    try:
        directory = Path(hub.snapshot(str(base), allow_patterns=_WANTED)) if is_hub_name(base) else Path(base).expanduser()
        return read_base(directory, SERVED_AS[recipe.method])
    except (RepositoryNotFoundError, HFValidationError, LocalEntryNotFoundError, HfHubHTTPError) as exc:
        raise WrongBase(f"{base} could not be fetched from the hub ({_reason(exc)}): check its name and the network.") from exc
    except BaseError as exc:
        raise WrongBase(str(exc)) from exc


def open_renderer(directory: Path) -> Renderer:
    """Raises WrongBase."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory)
        generation = directory / "generation_config.json"
        ends = json.loads(generation.read_bytes()).get("eos_token_id") if generation.exists() else None
    except (OSError, ValueError) as exc:
        raise WrongBase(f"The base at {directory} has no usable tokenizer ({_reason(exc)}): download it again.") from exc
    return Renderer(tokenizer, [ends] if isinstance(ends, int) else ends or [])


def _reason(exc: Exception) -> str:
    return exc.strerror if isinstance(exc, OSError) and exc.strerror else type(exc).__name__
