import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from adapters.registry import Base, read_base
from server.engine.argv import ArgumentError, engine_argv, engine_environment, served_context, socket_fits
from server.engine.machine import Machine
from server.engine.settings import EngineSettings
from tests.adapters.registry.tiny import write_base

LAPTOP = Machine(cores=2, memory_gib=8, gpu_memory_gib=0)
GPU = Machine(cores=16, memory_gib=64, gpu_memory_gib=24)


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return read_base(write_base(tmp_path / "base"), "bitsandbytes")


def value(argv: list[str], name: str) -> str:
    return argv[argv.index(name) + 1]


def test_the_default_engine_is_one_nf4_base_with_lora(base: Base, tmp_path: Path) -> None:
    """NF4 through bitsandbytes, LoRA on, host memory for many more adapters than one batch may mix."""
    argv = engine_argv(EngineSettings(base=base.path, socket=tmp_path / "s"), base, LAPTOP)
    assert value(argv, "--quantization") == "bitsandbytes"
    assert "--enable-lora" in argv
    assert int(value(argv, "--max-cpu-loras")) >= 2 * int(value(argv, "--max-loras"))
    assert value(argv, "--uds") == str(tmp_path / "s")
    assert value(argv, "--served-model-name") == "base"


def test_an_unquantized_base_passes_no_quantization(base: Base) -> None:
    """`none` means what the checkpoint is."""
    assert "--quantization" not in engine_argv(EngineSettings(base=base.path, quantization="none"), base, LAPTOP)


def test_kv_space_on_a_cpu_is_a_full_batch_within_a_quarter_of_memory(base: Base) -> None:
    """A tiny base takes little, a large one no more than the laptop can give; a GPU is left to vLLM."""
    small = int(value(engine_argv(EngineSettings(base=base.path), base, LAPTOP), "--kv-cache-memory-bytes"))
    large = int(value(engine_argv(EngineSettings(base=base.path, max_num_seqs=10**9), base, LAPTOP), "--kv-cache-memory-bytes"))
    assert small == 1 << 28
    assert large == 2 << 30
    assert "--kv-cache-memory-bytes" not in engine_argv(EngineSettings(base=base.path), base, GPU)


def test_a_context_longer_than_the_base_is_refused(base: Base) -> None:
    """The sentence names the setting; the default is what the base was made for."""
    assert served_context(EngineSettings(base=base.path), base) == 64
    with pytest.raises(ArgumentError, match="TROUPE_ENGINE_CONTEXT_LENGTH"):
        engine_argv(EngineSettings(base=base.path, context_length=65), base, LAPTOP)


@pytest.mark.parametrize(
    ("memory_gib", "shapes", "expected"),
    [
        # Rank 16 in bfloat16: 32 bytes for each row and column of each layer. An eighth of 8 GiB, and of 64 GiB.
        (8, {f"model.layers.{n}.mlp.up_proj": (8192, 4096) for n in range(36)}, (1 << 30) // (32 * 36 * 12288)),
        (64, {f"model.layers.{n}.mlp.up_proj": (8192, 4096) for n in range(36)}, (8 << 30) // (32 * 36 * 12288)),
        (8, {"model.layers.0.self_attn.q_proj": (4, 4), "lm_head": (1 << 20, 1 << 20)}, 1024),
        (1, {f"model.layers.{n}.mlp.up_proj": (1 << 16, 1 << 16) for n in range(80)}, 8),
        (8, {}, 32),
        (8, {"model.layers.0.mlp.up_proj": (1 << 20, 1)}, 32),
    ],
)
def test_memory_says_how_many_adapters_are_kept_in_it(
    base: Base, memory_gib: float, shapes: dict[str, tuple[int, int]], expected: int
) -> None:
    """An eighth of it, of the largest rank; at least twice the slots, at most 1024, and a guess where the shapes are not known."""
    argv = engine_argv(EngineSettings(base=base.path), replace(base, shapes=shapes), replace(LAPTOP, memory_gib=memory_gib))
    assert int(value(argv, "--max-loras")) == 4
    assert int(value(argv, "--max-cpu-loras")) == expected


def test_who_sets_the_number_of_adapters_in_memory_gets_it(base: Base) -> None:
    """Whatever the machine has."""
    assert value(engine_argv(EngineSettings(base=base.path, max_cpu_loras=5), base, LAPTOP), "--max-cpu-loras") == "5"


def test_the_store_and_the_cache_lie_in_the_home_unless_they_are_set(tmp_path: Path) -> None:
    """vLLM's processes are told both, whoever starts them."""
    home = EngineSettings(home=tmp_path)
    assert (home.store, home.cache_folder) == (str(tmp_path / "registry" / "store"), tmp_path / "cache" / "adapters")
    told = engine_environment(EngineSettings(home=tmp_path, store_url="s3://bucket/x", cache=tmp_path / "c"), LAPTOP, {"AWS_PROFILE": "x"})
    assert (told["TROUPE_STORE_URL"], told["TROUPE_ENGINE_CACHE"], told["AWS_PROFILE"]) == ("s3://bucket/x", str(tmp_path / "c"), "x")


@pytest.mark.parametrize(
    "extra",
    ["--middleware x.y", "--api-key x", "--api_key=x", "--model /other", "--no-enable-lora", "--trust-remote-code", "--tool-call-parser x"],
)
def test_arguments_that_are_ours_cannot_be_smuggled_in(base: Base, extra: str) -> None:
    """The key, the model and the socket stay what the supervisor says."""
    with pytest.raises(ArgumentError, match="EXTRA_ARGS"):
        engine_argv(EngineSettings(base=base.path, extra_args=extra), base, LAPTOP)


def test_other_arguments_pass_through(base: Base) -> None:
    """Split as a shell would."""
    argv = engine_argv(EngineSettings(base=base.path, extra_args="--seed 7 --attention-backend 'A B'"), base, LAPTOP)
    assert argv[-4:] == ["--seed", "7", "--attention-backend", "A B"]


def test_the_engine_sees_our_plugins_no_network_and_its_key(base: Base, tmp_path: Path) -> None:
    """The key travels in the environment, not in the argument list that every user of the machine can read."""
    settings = EngineSettings(base=base.path, home=tmp_path, api_key=SecretStr("secret-key"))
    environment = engine_environment(settings, LAPTOP, {"PATH": "/bin", "VLLM_SERVER_DEV_MODE": "1"})
    assert environment["VLLM_API_KEY"] == "secret-key"
    assert "VLLM_SERVER_DEV_MODE" not in environment
    assert environment["VLLM_PLUGINS"].split(",") == ["bitsandbytes", "troupe_lora_resolver"]
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["TORCHDYNAMO_DISABLE"] == "1"
    assert "TORCHDYNAMO_DISABLE" not in engine_environment(settings, GPU, {})
    assert "secret-key" not in " ".join(engine_argv(settings, base, LAPTOP))


def test_settings_travel_to_another_process_whole(tmp_path: Path) -> None:
    """What `environment` tells is what `EngineSettings` reads there; the gateway's keys stay behind."""
    settings = EngineSettings(
        base=tmp_path, home=tmp_path, max_loras=3, max_lora_rank=32, kv_gib=0.5, extra_args="--seed 1",
        socket=tmp_path / "s", api_key=SecretStr("k" * 8), lifeline=True,
        store_url="s3://bucket/prefix", cache=tmp_path / "c", cache_gib=2.5,
    )  # fmt: skip
    told = settings.environment()
    assert not {"TROUPE_API_KEY", "TROUPE_ADMIN_KEY"} & set(told)
    code = "from server.engine.settings import EngineSettings as S; s = S(); print(s.model_dump_json(), s.api_key.get_secret_value())"
    read = subprocess.run([sys.executable, "-c", code], env=told, capture_output=True, text=True, check=True).stdout
    assert read.strip() == f"{settings.model_dump_json()} {'k' * 8}"


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_loras": 8, "max_cpu_loras": 4},
        {"max_lora_rank": 10},
        {"quantization": "int3"},
        {"host": "0.0.0.0"},
        {"extra_args": "'"},
        {"tensor_parallel": 0},
        {"cache_gib": 0},
    ],
)
def test_nonsense_is_refused_at_the_start(wrong: dict[str, object]) -> None:
    """An engine on a network without a key, a cache below the slots, a rank vLLM does not have: none starts."""
    with pytest.raises(ValidationError):
        EngineSettings.model_validate(wrong)


def test_long_socket_paths_are_noticed() -> None:
    """Linux would cut them off."""
    assert socket_fits(Path("/tmp/x.sock"))
    assert not socket_fits(Path("/" + "x" * 108))


def test_routes_that_nobody_uses_are_shut_unless_they_are_asked_for(base: Base) -> None:
    """Behind the socket and the key too: a third wall."""
    assert "server.engine.doors.Doors" in engine_argv(EngineSettings(base=base.path), base, LAPTOP)
    assert "server.engine.doors.Doors" not in engine_argv(EngineSettings(base=base.path, all_routes=True), base, LAPTOP)
