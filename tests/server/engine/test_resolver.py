"""Against the pinned vLLM itself: its parser takes our arguments, its registry takes our resolver."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.registry.base import read_base
from adapters.registry.blobs import WEIGHTS, BlobStore
from adapters.registry.names import engine_name
from server.engine.argv import engine_argv
from server.engine.machine import Machine
from server.engine.settings import EngineSettings
from tests.adapters.registry.tiny import write_base

pytestmark = pytest.mark.engine

# In a process of its own: vLLM changes loggers, signal handlers and the environment of whoever imports it. One for all, as the import
# takes seconds.
PARSE = """
import json, sys
from server.engine.serve import parse
for argv in json.loads(sys.argv[1]):
    try:
        print(json.dumps(vars(parse(argv)), default=str), flush=True)
    except SystemExit as exc:
        print(exc.code, flush=True)
"""
EXTRAS = ("--no-such-argument 1", "--gpu-memory-utilization much")


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[str]]:
    """What the pinned vLLM's parser makes of our arguments, and of EXTRAS after some: a line of standard output for each, and all
    sentences of standard error."""
    folder = tmp_path_factory.mktemp("parse")
    base = read_base(write_base(folder / "base"), "none")
    settings = EngineSettings(base=base.path, socket=folder / "s", max_loras=3, tensor_parallel=2, extra_args="--seed 7")
    argv = engine_argv(settings, base, Machine(cores=2, memory_gib=8, gpu_memory_gib=24))
    told = json.dumps([argv, *(["--model", "x", *extra.split()] for extra in EXTRAS)])
    done = subprocess.run([sys.executable, "-c", PARSE, told], capture_output=True, text=True, timeout=120, check=True)
    sentences = [line for line in done.stderr.splitlines() if line.startswith("troupe-engine: ")]
    return done.stdout.splitlines()[-1 - len(EXTRAS) :], sentences


def test_the_pinned_vllm_accepts_every_argument_of_ours(parsed: tuple[list[str], list[str]]) -> None:
    """Names and values, with a GPU, quantized."""
    for expected in (
        '"max_loras": 3',
        '"max_cpu_loras": 1024',
        '"middleware": ["server.engine.resolver.AdaptersInFlight", "server.engine.doors.Doors"]',
        '"enable_lora": true',
        '"seed": 7',
        '"quantization": "bitsandbytes"',
    ):
        assert expected in parsed[0][0]


def test_an_argument_that_vllm_does_not_have_is_one_sentence(parsed: tuple[list[str], list[str]]) -> None:
    """Exit code 2, and the setting to mend."""
    lines, sentences = parsed
    assert lines[1:] == ["2"] * len(EXTRAS)
    assert len(sentences) == len(EXTRAS)
    for extra, sentence in zip(EXTRAS, sentences, strict=True):
        assert extra.split()[0] in sentence
        assert "TROUPE_ENGINE_EXTRA_ARGS" in sentence


def resolve(store: Path, cache: Path, *names: str, room_bytes: int = 1 << 20) -> dict[str, Any]:
    """What became of requests for these names, one after the other: see `resolving`."""
    told = {"TROUPE_STORE_URL": str(store), "TROUPE_ENGINE_CACHE": str(cache), "TROUPE_ENGINE_CACHE_GIB": str(room_bytes / (1 << 30))}
    command = [sys.executable, "-m", "tests.server.engine.resolving", *names]
    done = subprocess.run(command, env={**os.environ, **told}, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return said


def publish(store: Path, community: str, weights: bytes) -> str:
    """Returns the engine name."""
    blobs = BlobStore(str(store))
    staged = blobs.stage(b"{}", [weights])
    blobs.commit(staged)
    return engine_name(community, staged.digest)


def test_vllm_gets_verified_copies_and_nothing_else(tmp_path: Path) -> None:
    """Of published, undamaged adapters, and only inside a request that is counted; no other name leaves a trace in vLLM's tables."""
    store, cache = tmp_path / "store", tmp_path / "cache"
    good, damaged = publish(store, "zizou", b"one"), publish(store, "greybeards", b"two")
    weights = next((store / "adapters").glob(f"{damaged.rpartition('-')[2]}*")) / WEIGHTS
    weights.chmod(0o644)
    weights.write_bytes(b"too")
    wrong = [damaged, "zizou-0123456789abcdef", "zizou", f"../cache/0/{good}", str(store), "base"]
    said = resolve(store, cache, good, *wrong)
    assert said["uncounted"] is None
    assert said["paths"] == {good: str(cache / "0" / good), **dict.fromkeys(wrong)}
    assert said["known"] == said["locks"] == [good]
    assert (cache / "0" / good / WEIGHTS).read_bytes() == b"one"


def test_vllm_forgets_what_leaves_the_cache(tmp_path: Path) -> None:
    """Room for one: each comer throws out the one before, also from vLLM's table, and an earlier one comes back."""
    store = tmp_path / "store"
    names = [publish(store, "zizou", bytes([number]) * 100) for number in range(2)]
    said = resolve(store, tmp_path / "cache", *names, names[0], room_bytes=150)
    assert said["paths"] == {name: str(tmp_path / "cache" / "0" / name) for name in names}
    assert said["known"] == [names[0]]
    assert {path.name for path in (tmp_path / "cache" / "0").iterdir()} == {names[0]}
