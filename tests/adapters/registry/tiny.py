"""A base and adapters of a few kilobytes, written by hand: the registry never looks at what the numbers are."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import WordLevel

HIDDEN, LAYERS = 4, 1
LINEARS = {"self_attn.q_proj": (HIDDEN, HIDDEN), "mlp.up_proj": (8, HIDDEN)}


def write_safetensors(path: Path, tensors: Mapping[str, tuple[int, ...]], *, fill: bytes = b"\x01", tail: bytes = b"") -> None:
    """A file of float32 tensors of these shapes, each byte `fill`."""
    header, offset = {}, 0
    for name, shape in tensors.items():
        size = 4
        for length in shape:
            size *= length
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    write_raw_safetensors(path, header, fill * offset + tail)


def write_raw_safetensors(path: Path, header: object, body: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def write_base(path: Path, *, fill: bytes = b"\x02", **config: Any) -> Path:
    path.mkdir(parents=True)
    told = {
        "architectures": ["Qwen3ForCausalLM"], "hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": 1,
        "max_position_embeddings": 64, "vocab_size": 16,
    }  # fmt: skip
    (path / "config.json").write_text(json.dumps({**told, **config}))
    Tokenizer(WordLevel({"a": 0}, unk_token="a")).save(str(path / "tokenizer.json"))
    (path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    weights = {f"model.layers.0.{name}.weight": shape for name, shape in LINEARS.items()}
    write_safetensors(path / "model.safetensors", weights, fill=fill)
    return path


def adapter_tensors(rank: int = 2) -> dict[str, tuple[int, ...]]:
    tensors: dict[str, tuple[int, ...]] = {}
    for name, (out, into) in LINEARS.items():
        tensors[f"base_model.model.model.layers.0.{name}.lora_A.weight"] = (rank, into)
        tensors[f"base_model.model.model.layers.0.{name}.lora_B.weight"] = (out, rank)
    return tensors


def write_adapter(path: Path, *, rank: int = 2, fill: bytes = b"\x01", **config: Any) -> Path:
    path.mkdir(parents=True)
    told = {"peft_type": "LORA", "r": rank, "lora_alpha": 4, "target_modules": ["q_proj", "up_proj"], "bias": "none"}
    (path / "adapter_config.json").write_text(json.dumps({**told, **config}))
    write_safetensors(path / "adapter_model.safetensors", adapter_tensors(rank), fill=fill)
    return path
