"""Against the pinned vLLM itself: its parser takes our arguments, its registry takes our resolver."""

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.registry import Registry, read_base
from server.engine.argv import engine_argv
from server.engine.machine import Machine
from server.engine.settings import EngineSettings
from tests.adapters.registry.tiny import write_adapter, write_base

pytestmark = pytest.mark.engine

# In a process of its own: vLLM changes loggers, signal handlers and the environment of whoever imports it.
PARSE = "import json, sys; from server.engine.serve import parse; print(json.dumps(vars(parse(sys.argv[1:])), default=str))"
RESOLVE = """
import asyncio, sys
from pathlib import Path
from vllm.lora.resolver import LoRAResolverRegistry
from server.engine.resolver import VerifiedResolver, register
register()
assert "troupe" in LoRAResolverRegistry.get_supported_resolvers()
resolver = VerifiedResolver(Path(sys.argv[1]))
for name in sys.argv[2:]:
    found = asyncio.run(resolver.resolve_lora("/any/base", name))
    print(f"{name}={found.lora_path if found else None}")
"""


def run(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120, check=False)


def test_the_pinned_vllm_accepts_every_argument_of_ours(tmp_path: Path) -> None:
    """Names and values, with and without a GPU, quantized or not."""
    base = read_base(write_base(tmp_path / "base"), "none")
    settings = EngineSettings(base=base.path, socket=tmp_path / "s", max_loras=3, tensor_parallel=2, extra_args="--seed 7")
    argv = engine_argv(settings, base, Machine(cores=2, memory_gib=8, gpu_memory_gib=24))
    parsed = run(PARSE, *argv)
    assert parsed.returncode == 0, parsed.stderr[-2000:]
    for expected in ('"max_loras": 3', '"max_cpu_loras": 24', '"enable_lora": true', '"seed": 7', '"quantization": "bitsandbytes"'):
        assert expected in parsed.stdout


@pytest.mark.parametrize("extra", ["--no-such-argument 1", "--gpu-memory-utilization much"])
def test_an_argument_that_vllm_does_not_have_is_one_sentence(extra: str) -> None:
    """Exit code 2, and the setting to mend."""
    refused = run(PARSE, "--model", "x", *extra.split())
    assert refused.returncode == 2
    sentence = refused.stderr.strip().splitlines()[-1]
    assert sentence.startswith("troupe-engine: ")
    assert extra.split()[0] in sentence
    assert "TROUPE_ENGINE_EXTRA_ARGS" in sentence


def test_the_resolver_finds_verified_adapters_only(tmp_path: Path) -> None:
    """Engine names of published, undamaged adapters; nothing else, however it is spelt."""
    base = read_base(write_base(tmp_path / "base"), "none")
    registry = Registry(tmp_path / "registry")
    good = registry.publish("zizou", write_adapter(tmp_path / "a", fill=b"\x01"), base=base, max_rank=8)
    damaged = registry.publish("greybeards", write_adapter(tmp_path / "b", fill=b"\x02"), base=base, max_rank=8)
    weights = registry.adapters / damaged.engine_name / "adapter_model.safetensors"
    weights.chmod(0o644)
    weights.write_bytes(weights.read_bytes() + b"\0")
    names = [good.engine_name, damaged.engine_name, "zizou", "../registry/adapters/" + good.engine_name, str(tmp_path / "a")]
    resolved = run(RESOLVE, str(registry.adapters), *names)
    assert resolved.returncode == 0, resolved.stderr[-2000:]
    found = dict(line.split("=") for line in resolved.stdout.splitlines() if "=" in line)
    assert found == {good.engine_name: str(registry.adapters / good.engine_name), **dict.fromkeys(names[1:], "None")}
