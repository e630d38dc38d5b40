"""A base and adapters of any size for benchmarks: the right files with meaningless numbers, made in seconds and without torch."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

Shape = tuple[int, ...]
WIDTHS = {"BF16": 2, "F32": 4}
_CHUNK = 1 << 22
_SIGN_AND_EXPONENT = bytes(0xBC if byte & 1 else 0x3C for byte in range(256))
"""Of numbers between 0.0078 and 0.031, in the last byte of a little-endian bfloat16 or float32."""


@dataclass(frozen=True)
class Size:
    """Of a Qwen3."""

    layers: int = 12
    hidden: int = 512
    intermediate: int = 1536
    heads: int = 8
    kv_heads: int = 4
    head_dim: int = 64
    context: int = 4096

    def linears(self) -> dict[str, tuple[int, int]]:
        """(out, in) of each linear module of a layer."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "self_attn.q_proj": (queries, self.hidden),
            "self_attn.k_proj": (keys, self.hidden),
            "self_attn.v_proj": (keys, self.hidden),
            "self_attn.o_proj": (self.hidden, queries),
            "mlp.gate_proj": (self.intermediate, self.hidden),
            "mlp.up_proj": (self.intermediate, self.hidden),
            "mlp.down_proj": (self.hidden, self.intermediate),
        }


def write_base(path: Path, size: Size, tokenizer_of: Path) -> Path:
    """A base with random weights in bfloat16, and the tokenizer and chat template of the base in `tokenizer_of`."""
    path.mkdir(parents=True)
    config = json.loads((tokenizer_of / "config.json").read_bytes())
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        shutil.copy(tokenizer_of / name, path / name)
    config |= {
        "hidden_size": size.hidden, "intermediate_size": size.intermediate, "num_hidden_layers": size.layers, "head_dim": size.head_dim,
        "num_attention_heads": size.heads, "num_key_value_heads": size.kv_heads, "max_position_embeddings": size.context,
        "layer_types": ["full_attention"] * size.layers,
    }  # fmt: skip
    (path / "config.json").write_text(json.dumps(config))
    shapes: dict[str, Shape] = {"model.embed_tokens.weight": (config["vocab_size"], size.hidden), "model.norm.weight": (size.hidden,)}
    for layer in range(size.layers):
        for name, shape in size.linears().items():
            shapes[f"model.layers.{layer}.{name}.weight"] = shape
        for name, wide in (("input_layernorm", size.hidden), ("post_attention_layernorm", size.hidden)):
            shapes[f"model.layers.{layer}.{name}.weight"] = (wide,)
        for name in ("self_attn.q_norm", "self_attn.k_norm"):
            shapes[f"model.layers.{layer}.{name}.weight"] = (size.head_dim,)
    _write_safetensors(path / "model.safetensors", shapes, "BF16")
    return path


def write_adapter(path: Path, size: Size, *, rank: int, dtype: str = "F32") -> Path:
    """A LoRA of all linear modules with random weights, in float32 as PEFT saves it unless told otherwise."""
    path.mkdir(parents=True)
    shapes: dict[str, Shape] = {}
    for layer in range(size.layers):
        for name, (out, into) in size.linears().items():
            shapes[f"base_model.model.model.layers.{layer}.{name}.lora_A.weight"] = (rank, into)
            shapes[f"base_model.model.model.layers.{layer}.{name}.lora_B.weight"] = (out, rank)
    _write_safetensors(path / "adapter_model.safetensors", shapes, dtype)
    targets = [name.rpartition(".")[2] for name in size.linears()]
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": rank, "bias": "none", "target_modules": targets}
    (path / "adapter_config.json").write_text(json.dumps(config))
    return path


def _write_safetensors(path: Path, shapes: Mapping[str, Shape], dtype: str) -> None:
    entries, end = {}, 0
    for name, shape in shapes.items():
        first, end = end, end + _numbers(shape) * WIDTHS[dtype]
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": (first, end)}
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for name, shape in shapes.items():
            file.writelines(_ones(shape, dtype) if "norm" in name else _random(shape, dtype))


def _numbers(shape: Iterable[int]) -> int:
    count = 1
    for each in shape:
        count *= each
    return count


def _random(shape: Shape, dtype: str) -> Iterator[bytes]:
    width, left = WIDTHS[dtype], _numbers(shape) * WIDTHS[dtype]
    while left:
        chunk = bytearray(os.urandom(min(left, _CHUNK)))
        chunk[width - 1 :: width] = chunk[width - 1 :: width].translate(_SIGN_AND_EXPONENT)
        left -= len(chunk)
        yield bytes(chunk)


def _ones(shape: Shape, dtype: str) -> Iterator[bytes]:
    yield (b"\0" * (WIDTHS[dtype] - 2) + b"\x80\x3f") * _numbers(shape)
