"""Adapters whose configuration is hostile, broken or asks for what is not served."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.adapters.registry.hostile import CONFIG, MAX_RANK, MODULE_CANARY, Case, Good


def _says(field: str, *without: str, **changes: Any) -> Case:
    """The good configuration with these changes."""

    def spoil(folder: Path, good: Good) -> None:
        config = good.config(**changes)
        for key in without:
            del config[key]
        (folder / CONFIG).write_text(json.dumps(config))

    return Case(field, spoil)


def _text(content: Callable[[str], bytes]) -> Case:
    """These bytes, made of the text of the good configuration."""
    return Case(CONFIG, lambda folder, good: _write(folder / CONFIG, content(json.dumps(good.config()))))


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


CONFIGS: dict[str, Case] = {
    "an empty configuration": _text(lambda text: b""),
    "a configuration that is no JSON": _text(lambda text: b"r: 2"),
    "a configuration that is a list": _text(lambda text: f"[{text}]".encode()),
    "a configuration that is null": _text(lambda text: b"null"),
    "half a configuration": _text(lambda text: text[: len(text) // 2].encode()),
    "two configurations": _text(lambda text: (text + text).encode()),
    "a configuration with a byte order mark": _text(lambda text: text.encode("utf-8-sig")),
    "a configuration in UTF-16": _text(lambda text: text.encode("utf-16")),
    "a configuration that is not text": _text(lambda text: text.encode().replace(b"q_proj", b"\xff\xfe")),
    "a configuration that ends in a NUL": _text(lambda text: text.encode() + b"\x00"),
    "a configuration nested 30,000 deep": _text(lambda text: b"[" * 30_000),
    "a configuration nested 2,000 deep": _text(lambda text: b"[" * 2_000 + b"]" * 2_000),
    "a configuration of 20,000 lists": _text(lambda text: b'{"a":[' + b"[]," * 20_000 + b"[]]}"),
    "a configuration that goes on with spaces": _text(lambda text: text.encode() + b" " * (64 << 10)),
    "a field given twice": _text(lambda text: ('{"r": 2, ' + text[1:]).encode()),
    "a lone surrogate": _text(lambda text: ('{"revision": "\\ud800", ' + text[1:]).encode()),
    "an infinite alpha": _text(lambda text: text.replace('"lora_alpha": 4', '"lora_alpha": 1e999').encode()),
    "an alpha that is no number": _text(lambda text: text.replace('"lora_alpha": 4', '"lora_alpha": NaN').encode()),
    "an alpha of 5,000 digits": _text(lambda text: text.replace('"lora_alpha": 4', f'"lora_alpha": {"9" * 5000}').encode()),
    "no kind": _says("peft_type", "peft_type"),
    "another kind": _says("peft_type", peft_type="IA3"),
    "a kind that is a list": _says("peft_type", peft_type=["LORA"]),
    "another task": _says("task_type", task_type="SEQ_CLS"),
    "no rank": _says("r", "r"),
    "rank 4096": _says("r", r=4096),
    "one rank too much": _says("r", r=MAX_RANK + 1),
    "rank 0": _says("r", r=0),
    "a negative rank": _says("r", r=-2),
    "rank true": _says("r", r=True),
    "a rank that is a float": _says("r", r=2.0),
    "a rank that is text": _says("r", r="2\n"),
    "no alpha": _says("lora_alpha", "lora_alpha"),
    "alpha 0": _says("lora_alpha", lora_alpha=0),
    "a negative alpha": _says("lora_alpha", lora_alpha=-4),
    "alpha true": _says("lora_alpha", lora_alpha=True),
    "an alpha of 10^18": _says("lora_alpha", lora_alpha=10**18),
    "an alpha that is not whole": _says("lora_alpha", lora_alpha=4.5),
    "an alpha that is a list": _says("lora_alpha", lora_alpha=[4]),
    "biases": _says("bias", bias="all"),
    "a rank stabilised by text": _says("use_rslora", use_rslora="false"),
    "DoRA": _says("use_dora", use_dora=True),
    "saved modules": _says("modules_to_save", modules_to_save=["lm_head", "embed_tokens"]),
    "trained tokens": _says("trainable_token_indices", trainable_token_indices=[0, 1]),
    "ranks by pattern": _says("rank_pattern", rank_pattern={"q_proj": 4096}),
    "alphas by pattern": _says("alpha_pattern", alpha_pattern={"q_proj": 1}),
    "another base": _says("base_model_name_or_path", base_model_name_or_path="sha256:" + "0" * 64),
    "half a fingerprint": _says("base_model_name_or_path", base_model_name_or_path="sha256:0\n"),
    "a base that is a list": _says("base_model_name_or_path", base_model_name_or_path=["a"]),
    "a start that changed the base": _says("init_lora_weights", init_lora_weights="pissa_niter_16"),
    "a start that is a number": _says("init_lora_weights", init_lora_weights=1),
    "a library to import": _says("auto_mapping", auto_mapping={"base_model_class": "X", "parent_library": MODULE_CANARY}),
    "a core to import": _says("megatron_core", megatron_core=MODULE_CANARY),
    "a configuration of Megatron": _says("megatron_config", megatron_config={"x": 1}),
    "code from the hub": _says("auto_map", auto_map={"AutoModel": "modeling.Evil"}),
    "trust for the tokenizer": _says("tokenizer_kwargs", tokenizer_kwargs={"trust_remote_code": True}),
    "trust for all": _says("trust_remote_code", trust_remote_code=True),
    "a field that nobody knows": _says("__reduce__", __reduce__=["os.system", "true"]),
    "a field of 10 kB": _says("x" * 120, **{"x" * 10_000: 1}),
    "a field of two lines": _says("a\\nb", **{"a\nb": 1}),
    "another field for weights": _says("target_parameters", target_parameters=["experts.gate_up_proj"]),
    "layers repeated": _says("layer_replication", layer_replication=[[0, 4], [2, 5]]),
    "no modules": _says("target_modules", "target_modules"),
    "an empty list of modules": _says("target_modules", target_modules=[]),
    "all linear modules": _says("target_modules", target_modules="all-linear"),
    "modules by a pattern that never ends": _says("target_modules", target_modules="(a+)+$"),
    "modules by number": _says("target_modules", target_modules=[1, 2]),
    "a module that is not served": _says("target_modules", target_modules=["q_proj", "up_proj", "router"]),
    "the embedding": _says("target_modules", target_modules=["q_proj", "up_proj", "embed_tokens"]),
    "the head": _says("target_modules", target_modules=["q_proj", "up_proj", "lm_head"]),
    "a module named twice": _says("target_modules", target_modules=["q_proj", "up_proj", "q_proj"]),
    "a module without weights": _says("target_modules", target_modules=["q_proj", "up_proj", "down_proj"]),
    "weights without their module": _says("target_modules", target_modules=["q_proj"]),
}
