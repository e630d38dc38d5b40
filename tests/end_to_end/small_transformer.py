"""The demo's base in numpy: enough of Qwen3 to see what its last layer computes, in less time than torch takes to import.

Float32, no cache, one sequence at a time. Knows nothing of adapters.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class SmallTransformer:
    """The base in directory `path`, whole in memory."""

    def __init__(self, path: Path) -> None:
        self._config: dict[str, Any] = json.loads((path / "config.json").read_bytes())
        self._weights = _read(path / "model.safetensors")

    @property
    def last_layer(self) -> int:
        return int(self._config["num_hidden_layers"]) - 1

    @property
    def embeddings(self) -> Floats:
        """(vocabulary, hidden): the demo's base reads and writes with the same ones."""
        return self._weights["model.embed_tokens.weight"]

    @property
    def final_gain(self) -> Floats:
        """(hidden,): of the norm before the unembedding."""
        return self._weights["model.norm.weight"]

    def last_mlp(self, tokens: list[int]) -> tuple[Floats, Floats]:
        """What the last layer's `down_proj` is given at each position, (positions, intermediate), and the residual stream after it,
        (positions, hidden)."""
        stream = self.embeddings[tokens]
        inner = stream
        for layer in range(self.last_layer + 1):
            stream = stream + self._attention(layer, self._norm(stream, f"model.layers.{layer}.input_layernorm"))
            normed = self._norm(stream, f"model.layers.{layer}.post_attention_layernorm")
            gate, up = self._linear(normed, f"{layer}.mlp.gate_proj"), self._linear(normed, f"{layer}.mlp.up_proj")
            inner = gate / (1 + np.exp(-gate)) * up
            stream = stream + self._linear(inner, f"{layer}.mlp.down_proj")
        return inner, stream

    def _attention(self, layer: int, normed: Floats) -> Floats:
        heads, kept, size = (int(self._config[key]) for key in ("num_attention_heads", "num_key_value_heads", "head_dim"))
        positions = len(normed)
        query, key, value = (
            self._linear(normed, f"{layer}.self_attn.{name}_proj").reshape(positions, -1, size).transpose(1, 0, 2) for name in "qkv"
        )
        query = self._rotated(self._norm(query, f"model.layers.{layer}.self_attn.q_norm"))
        key = self._rotated(self._norm(key, f"model.layers.{layer}.self_attn.k_norm"))
        key, value = key.repeat(heads // kept, axis=0), value.repeat(heads // kept, axis=0)
        scores = query @ key.transpose(0, 2, 1) / np.float32(size**0.5)
        scores = np.where(np.tri(positions, dtype=bool), scores, np.float32(-1e30))
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        seen = (shares / shares.sum(axis=-1, keepdims=True)) @ value
        return self._linear(seen.transpose(1, 0, 2).reshape(positions, -1), f"{layer}.self_attn.o_proj")

    def _rotated(self, states: Floats) -> Floats:
        """Rotary positions, on (heads, positions, size)."""
        size, theta = states.shape[-1], float(self._config["rope_parameters"]["rope_theta"])
        turns = np.arange(states.shape[1])[:, None] / theta ** (np.arange(0, size, 2) / size)
        cosine, sine = (np.tile(wave(turns), 2).astype(np.float32) for wave in (np.cos, np.sin))
        half = np.concatenate((-states[..., size // 2 :], states[..., : size // 2]), axis=-1)
        turned: Floats = states * cosine + half * sine
        return turned

    def _norm(self, states: Floats, name: str) -> Floats:
        spread: Floats = np.sqrt(np.mean(states * states, axis=-1, keepdims=True) + np.float32(self._config["rms_norm_eps"]))
        return states / spread * self._weights[f"{name}.weight"]

    def _linear(self, states: Floats, name: str) -> Floats:
        return states @ self._weights[f"model.layers.{name}.weight"].T


def _read(path: Path) -> dict[str, Floats]:
    """The tensors of a safetensors file in bfloat16, which is the upper half of a float32."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    tensors = {}
    for name, entry in json.loads(content[8:start]).items():
        if name != "__metadata__":
            assert entry["dtype"] == "BF16", f"{name} is {entry['dtype']}"
            first, end = (start + offset for offset in entry["data_offsets"])
            upper = np.frombuffer(content[first:end], "<u2").astype(np.uint32) << np.uint32(16)
            tensors[name] = upper.view(np.float32).reshape(entry["shape"])
    return tensors
