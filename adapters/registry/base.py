"""A base: the one shared model, as a directory in the shape transformers saves.

Reads a few small files and the headers of the weights; never the weights themselves, and no model code.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from adapters.registry.errors import BaseError
from adapters.registry.safetensors_header import read_raw_header

MAX_BASE_HEADER = 64 << 20
MAX_BASE_TENSORS = 1 << 20
_SAMPLE = 1 << 20
PRECISIONS = ("bitsandbytes", "none")
"""What weights that are not quantized on disk can be served in."""


@dataclass(frozen=True)
class Base:
    """What everybody must agree on about the base. Two bases with one `fingerprint` give the same logits."""

    path: Path
    architecture: str
    revision: str
    """The hub commit of a snapshot directory, else a digest of the weights' headers, sizes and samples."""
    quantization: str
    tokenizer: str
    """Digest of the tokenizer and the chat template."""
    context_length: int
    vocab_size: int
    layers: int
    kv_bytes_per_token: int
    """Of the KV cache, in bfloat16, over all layers."""
    shapes: Mapping[str, tuple[int, int]] = field(repr=False)
    """(out, in) features of each linear module, by its full name."""

    @cached_property
    def fingerprint(self) -> str:
        parts = json.dumps([self.revision, self.quantization, self.tokenizer]).encode()
        return "sha256:" + hashlib.sha256(parts).hexdigest()

    def is_meant_by(self, fingerprint: str) -> bool:
        """Whether `fingerprint` is of these weights and this tokenizer, served as they are here or in another precision."""
        return fingerprint in {replace(self, quantization=each).fingerprint for each in (self.quantization, *PRECISIONS)}


def read_base(path: Path, quantization: str) -> Base:
    """Read the base in directory `path`, to be served with `quantization`. Raises BaseError, one sentence."""
    if not path.is_dir():
        raise BaseError(f"There is no base at {path}: set TROUPE_BASE to a directory that holds a model, or leave it out for the demo.")
    config = _json(path, "config.json")
    architecture = str((config.get("architectures") or [None])[0])
    if not architecture.endswith("ForCausalLM"):
        raise BaseError(f"The base at {path} is a {architecture}, which does not chat: set TROUPE_BASE to a causal language model.")
    _check_quantization(path, config, quantization)
    weights = sorted(path.glob("*.safetensors"))
    if not weights:
        raise BaseError(f"The base at {path} has no *.safetensors weights: download it whole, or set TROUPE_BASE to another directory.")
    try:
        return Base(
            path=path,
            architecture=architecture,
            revision=_revision(path, weights),
            quantization=quantization,
            tokenizer=_tokenizer_digest(path),
            context_length=int(config["max_position_embeddings"]),
            vocab_size=int(config["vocab_size"]),
            layers=int(config["num_hidden_layers"]),
            kv_bytes_per_token=_kv_bytes_per_token(config),
            shapes=_shapes(weights, config),
        )
    except (KeyError, IndexError, TypeError, ValueError) as exc:
        raise BaseError(f"The base at {path} is not a text-generation model that can be served ({exc!r}): check its files.") from exc
    except OSError as exc:
        raise BaseError(f"The base at {path} cannot be read: {exc.strerror} ({exc.filename}).") from exc


def _json(path: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads((path / name).read_bytes())
    except OSError as exc:
        raise BaseError(f"The base at {path} has no readable {name} ({exc.strerror}): set TROUPE_BASE to a model's directory.") from exc
    except ValueError as exc:
        raise BaseError(f"{path / name} is not JSON: the base is damaged, download or build it again.") from exc
    if not isinstance(content, dict):
        raise BaseError(f"{path / name} is not a JSON object: the base is damaged, download or build it again.")
    return content


def _check_quantization(path: Path, config: Mapping[str, Any], wanted: str) -> None:
    """A checkpoint that is quantized is served as it is; one that is not can be loaded in NF4, or as it is."""
    held = (config.get("quantization_config") or {}).get("quant_method", "none")
    if held == wanted or (held == "none" and wanted == "bitsandbytes"):
        return
    fitting = held if held != "none" else "bitsandbytes or none"
    raise BaseError(f"The base at {path} cannot be served with quantization {wanted}: set TROUPE_ENGINE_QUANTIZATION to {fitting}.")


def _kv_bytes_per_token(config: Mapping[str, Any]) -> int:
    heads = int(config["num_attention_heads"])
    head_dim = int(config.get("head_dim") or int(config["hidden_size"]) // heads)
    keys_and_values, bfloat16 = 2, 2
    return keys_and_values * bfloat16 * int(config["num_hidden_layers"]) * int(config.get("num_key_value_heads") or heads) * head_dim


def _tokenizer_digest(path: Path) -> str:
    config = _json(path, "tokenizer_config.json")
    _json(path, "tokenizer.json")
    digest = hashlib.sha256((path / "tokenizer.json").read_bytes())
    template = path / "chat_template.jinja"
    digest.update(template.read_bytes() if template.exists() else str(config.get("chat_template")).encode())
    return "sha256:" + digest.hexdigest()


def _revision(path: Path, weights: list[Path]) -> str:
    if path.parent.name == "snapshots" and path.parent.parent.name.startswith("models--"):
        return path.name
    digest = hashlib.sha256((path / "config.json").read_bytes())
    for file in weights:
        size = file.stat().st_size
        digest.update(f"{file.name}:{size}\n".encode())
        with file.open("rb") as stream:
            digest.update(stream.read(_SAMPLE))
            stream.seek(max(0, size - _SAMPLE))
            digest.update(stream.read(_SAMPLE))
    return "sha256:" + digest.hexdigest()


def _shapes(weights: list[Path], config: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """From the headers; for a module whose weights are packed, and so of another shape there, from the configuration."""
    shapes = {}
    for file in weights:
        with file.open("rb") as stream:
            header, _ = read_raw_header(stream, limit=MAX_BASE_HEADER, tensors=MAX_BASE_TENSORS)
        for name, entry in header.items():
            module, _, kind = name.rpartition(".")
            packed = kind in ("qweight", "weight_packed") or (kind == "weight" and entry.get("dtype") == "U8")
            if packed and (shape := _linear_shapes(config).get(module.rpartition(".")[2])):
                shapes[module] = shape
            elif kind == "weight" and not packed and "embed" not in module and len(entry.get("shape", ())) == 2:
                rows, columns = entry["shape"]
                shapes[module] = (int(rows), int(columns))
    return shapes


def _linear_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """(out, in) features of the linear modules of a decoder layer, by the last part of their names."""
    hidden, wide, heads = int(config["hidden_size"]), int(config["intermediate_size"]), int(config["num_attention_heads"])
    head_dim = int(config.get("head_dim") or hidden // heads)
    queries, keys = heads * head_dim, int(config.get("num_key_value_heads") or heads) * head_dim
    return {
        "q_proj": (queries, hidden),
        "k_proj": (keys, hidden),
        "v_proj": (keys, hidden),
        "o_proj": (hidden, queries),
        "gate_proj": (wide, hidden),
        "up_proj": (wide, hidden),
        "down_proj": (hidden, wide),
    }
