from pathlib import Path

import pytest

from adapters.registry import BaseError, read_base
from tests.adapters.registry.tiny import safetensors_file, write_base


def test_a_base_tells_what_adapters_must_fit(tmp_path: Path) -> None:
    """Shapes come from the headers of the weights, sizes from the configuration."""
    base = read_base(write_base(tmp_path / "base"), "bitsandbytes")
    assert base.shapes == {"model.layers.0.self_attn.q_proj": (4, 4), "model.layers.0.mlp.up_proj": (8, 4), "lm_head": (16, 4)}
    assert (base.context_length, base.vocab_size, base.layers) == (64, 16, 1)
    assert base.kv_bytes_per_token == 2 * 2 * 1 * 1 * 4


@pytest.mark.parametrize(("kind", "dtype"), [("qweight", "F32"), ("weight_packed", "F32"), ("weight", "U8")])
def test_of_a_packed_module_the_configuration_tells_the_shape(tmp_path: Path, kind: str, dtype: str) -> None:
    """AWQ, GPTQ, compressed tensors and bitsandbytes store other shapes than they compute with."""
    path = write_base(tmp_path / "base", intermediate_size=8, num_attention_heads=2, num_key_value_heads=1, head_dim=3)
    linears = (
        "self_attn.q_proj",
        "self_attn.k_proj",
        "self_attn.v_proj",
        "self_attn.o_proj",
        "mlp.gate_proj",
        "mlp.up_proj",
        "mlp.down_proj",
    )
    header = {
        f"model.layers.0.{linear}.{kind}": {"dtype": dtype, "shape": [1, 1], "data_offsets": [at, at + 1]}
        for at, linear in enumerate(linears)
    }
    (path / "model.safetensors").write_bytes(safetensors_file(header, bytes(len(linears))))
    shapes = read_base(path, "none").shapes
    assert [shapes[f"model.layers.0.{linear}"] for linear in linears] == [(6, 4), (3, 4), (3, 4), (4, 6), (8, 4), (8, 4), (4, 8)]


def test_the_fingerprint_follows_weights_quantization_and_tokenizer(tmp_path: Path) -> None:
    """Two bases share a fingerprint only if an adapter of one means the same on the other; where they lie does not matter."""
    first = read_base(write_base(tmp_path / "a"), "bitsandbytes")
    again = read_base(write_base(tmp_path / "b"), "bitsandbytes")
    other_weights = read_base(write_base(tmp_path / "c", fill=b"\x03"), "bitsandbytes")
    plain = read_base(tmp_path / "a", "none")
    (tmp_path / "b" / "chat_template.jinja").write_text("{{ messages[0] }}")
    other_template = read_base(tmp_path / "b", "bitsandbytes")
    assert first.fingerprint == again.fingerprint
    assert len({base.fingerprint for base in (first, other_weights, plain, other_template)}) == 4


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"])
def test_a_base_that_lacks_a_file_is_refused_in_a_sentence(tmp_path: Path, missing: str) -> None:
    """The sentence names the directory and says what to do."""
    path = write_base(tmp_path / "base")
    (path / missing).unlink()
    with pytest.raises(BaseError, match=str(path)):
        read_base(path, "none")


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    """The operator is told which setting to mend."""
    with pytest.raises(BaseError, match="TROUPE_BASE"):
        read_base(tmp_path / "nowhere", "none")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"architectures": ["BertModel"]}', '{"architectures": ["XForCausalLM"]}'])
def test_a_configuration_that_cannot_chat_is_refused(tmp_path: Path, content: str) -> None:
    """Damaged JSON, another kind of model and missing sizes are each a BaseError."""
    path = write_base(tmp_path / "base")
    (path / "config.json").write_text(content)
    with pytest.raises(BaseError):
        read_base(path, "none")


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    """A header that is no header is found without reading the weights."""
    path = write_base(tmp_path / "base")
    (path / "model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(BaseError):
        read_base(path, "none")


@pytest.mark.parametrize(
    ("held", "wanted", "fits"),
    [(None, "bitsandbytes", True), (None, "none", True), (None, "awq", False), ("awq", "awq", True), ("awq", "bitsandbytes", False)],
)
def test_a_quantization_that_the_checkpoint_does_not_have_is_refused(tmp_path: Path, held: str | None, wanted: str, fits: bool) -> None:
    """NF4 is made while loading; the others are a property of the files. The sentence says what would fit."""
    path = write_base(tmp_path / "base", quantization_config={"quant_method": held} if held else None)
    if fits:
        assert read_base(path, wanted).quantization == wanted
    else:
        with pytest.raises(BaseError, match="TROUPE_ENGINE_QUANTIZATION"):
            read_base(path, wanted)
