"""A base and adapters of a few kilobytes, written by hand: the registry never looks at what the numbers are."""

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from adapters.registry.safetensors_header import DTYPE_BYTES

HIDDEN, LAYERS = 4, 1
LINEARS = {"self_attn.q_proj": (HIDDEN, HIDDEN), "mlp.up_proj": (8, HIDDEN)}


def header_of(tensors: Mapping[str, tuple[int, ...]], dtype: str = "F32") -> tuple[dict[str, Any], int]:
    """The header of tensors of these shapes that lie one behind the other, and how many bytes they are."""
    header, offset = {}, 0
    for name, shape in tensors.items():
        size = math.prod(shape) * DTYPE_BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    return header, offset


def safetensors_file(header: object, body: bytes) -> bytes:
    """The bytes of a file with this header, which may be anything that JSON can say, or bytes as they are."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def write_safetensors(path: Path, tensors: Mapping[str, tuple[int, ...]], *, fill: bytes = b"\x01", tail: bytes = b"") -> None:
    """A file of float32 tensors of these shapes, each byte `fill`."""
    header, size = header_of(tensors)
    path.write_bytes(safetensors_file(header, fill * size + tail))


def write_base(path: Path, *, fill: bytes = b"\x02", **config: Any) -> Path:
    path.mkdir(parents=True)
    told = {
        "architectures": ["Qwen3ForCausalLM"], "hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": 1,
        "max_position_embeddings": 64, "vocab_size": 16,
    }  # fmt: skip
    (path / "config.json").write_text(json.dumps({**told, **config}))
    Tokenizer(WordLevel({"a": 0}, unk_token="a")).save(str(path / "tokenizer.json"))
    (path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    weights: dict[str, tuple[int, ...]] = {f"model.layers.0.{name}.weight": shape for name, shape in LINEARS.items()}
    weights |= {"model.embed_tokens.weight": (16, HIDDEN), "lm_head.weight": (16, HIDDEN), "model.norm.weight": (HIDDEN,)}
    write_safetensors(path / "model.safetensors", weights, fill=fill)
    return path


def adapter_tensors(rank: int = 2, linears: Mapping[str, tuple[int, int]] = LINEARS) -> dict[str, tuple[int, ...]]:
    """The shapes of a LoRA on these linear layers of layer 0, each (out, in), by the name of the tensor."""
    tensors: dict[str, tuple[int, ...]] = {}
    for name, (out, into) in linears.items():
        tensors[f"base_model.model.model.layers.0.{name}.lora_A.weight"] = (rank, into)
        tensors[f"base_model.model.model.layers.0.{name}.lora_B.weight"] = (out, rank)
    return tensors


def adapter_config(rank: int = 2, **config: Any) -> dict[str, Any]:
    return {"peft_type": "LORA", "r": rank, "lora_alpha": 4, "target_modules": ["q_proj", "up_proj"], "bias": "none", **config}


def write_adapter(path: Path, *, rank: int = 2, fill: bytes = b"\x01", **config: Any) -> Path:
    path.mkdir(parents=True)
    (path / "adapter_config.json").write_text(json.dumps(adapter_config(rank, **config)))
    write_safetensors(path / "adapter_model.safetensors", adapter_tensors(rank), fill=fill)
    return path
