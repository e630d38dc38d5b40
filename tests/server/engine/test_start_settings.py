"""What shortens a start: settings → vLLM's arguments and environment, as the installed vLLM understands them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from adapters.registry import Base, read_base
from server.engine.argv import ArgumentError, capture_sizes, engine_argv, engine_environment
from server.engine.machine import Machine
from server.engine.settings import EngineSettings, LoadFormat
from tests.adapters.registry.tiny import write_base

LAPTOP = Machine(cores=2, memory_gib=8, gpu_memory_gib=0)
GPU = Machine(cores=16, memory_gib=64, gpu_memory_gib=24)


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return read_base(write_base(tmp_path / "base"), "bitsandbytes")


def test_the_installed_vllm_understands_what_it_is_told(base: Base) -> None:
    """On a GPU few graphs are captured, each once, unless it is said otherwise; a CPU captures none. Loaders are named as vLLM names
    them; the start-up plan and the loop that we replace are there. Calls of tools are looked for by the parser that was set, or not at
    all; answers in a form have one grammar engine."""
    asked: list[tuple[Machine, dict[str, Any]]] = [
        (GPU, {}),
        (GPU, {"cudagraph_sizes": [8, 1], "cudagraph_specialize_lora": True}),
        (LAPTOP, {"tool_parser": "hermes"}),
        (GPU, {"load_format": "runai_streamer", "quantization": "none", "sleep_mode": True, "socket": "/s"}),
    ]
    argvs = [engine_argv(EngineSettings.model_validate({"base": base.path, **told}), base, machine) for machine, told in asked]
    command = [sys.executable, "-m", "tests.server.engine.understanding"]
    ran = subprocess.run(command, input=json.dumps(argvs), capture_output=True, text=True, timeout=240, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    said = json.loads(ran.stdout.splitlines()[-1])
    usual, other, laptop, streamed = said["understood"]
    assert (usual["cudagraph_capture_sizes"], usual["specialize"]) == ([1, 2, 4, 8, 16, 32, 64], False)
    assert (other["cudagraph_capture_sizes"], other["specialize"]) == ([1, 8], True)
    assert laptop["cudagraph_capture_sizes"] is None
    assert (streamed["load_format"], streamed["enable_sleep_mode"]) == ("runai_streamer", True)
    assert (laptop["enable_auto_tool_choice"], laptop["tool_call_parser"]) == (True, "hermes")
    assert (usual["enable_auto_tool_choice"], usual["tool_call_parser"]) == (False, None)
    assert {(each["backend"], each["compact"]) for each in said["understood"]} == {("xgrammar", True)}
    assert "hermes" in said["parsers"]
    assert set(get_args(LoadFormat)) <= set(said["formats"])
    assert "VLLM_ENABLE_STARTUP_PLAN" in said["plan"]
    assert said["watches"]


@pytest.mark.parametrize(
    ("batch", "sizes"), [(1, [1]), (3, [1, 2, 3]), (64, [1, 2, 4, 8, 16, 32, 64]), (1000, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512])]
)
def test_graphs_reach_the_full_batch(batch: int, sizes: list[int]) -> None:
    """In powers of two, and up to what vLLM captures by itself."""
    assert capture_sizes(batch) == sizes


def test_a_loader_of_its_own_does_not_go_with_bitsandbytes() -> None:
    """Which would take no notice of it."""
    with pytest.raises(ValidationError, match="cannot go with bitsandbytes"):
        EngineSettings(load_format="tensorizer")


def test_sleep_mode_needs_a_gpu_and_a_socket(base: Base) -> None:
    """Where there are both, its argument and its routes are there; where not, a sentence says so: the routes ask for no key."""
    settings = EngineSettings(base=base.path, sleep_mode=True)
    with pytest.raises(ArgumentError, match="TROUPE_ENGINE_SOCKET"):
        engine_argv(settings, base, GPU)
    assert engine_environment(settings, GPU, {})["VLLM_SERVER_DEV_MODE"] == "1"
    with pytest.raises(ArgumentError, match="needs a GPU"):
        engine_argv(settings, base, LAPTOP)


def test_what_is_compiled_and_measured_lies_where_it_is_said(tmp_path: Path) -> None:
    """A volume or an image can carry it. On a GPU vLLM keeps what it measured there."""
    environment = engine_environment(EngineSettings(compile_cache=tmp_path / "c"), GPU, {})
    assert environment["VLLM_CACHE_ROOT"] == str(tmp_path / "c" / "vllm")
    assert environment["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / "c" / "torchinductor")
    assert environment["VLLM_ENABLE_STARTUP_PLAN"] == "1"
    assert "VLLM_ENABLE_STARTUP_PLAN" not in engine_environment(EngineSettings(), LAPTOP, {})


@pytest.mark.parametrize("wrong", [{"cudagraph_sizes": []}, {"cudagraph_sizes": [0]}, {"load_format": "pickle"}, {"shm": "a/b"}])
def test_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    """Before anything is started."""
    with pytest.raises(ValidationError):
        EngineSettings(**wrong)


def test_a_dry_run_tells_what_vllm_would_be_told(base: Base, tmp_path: Path) -> None:
    """As JSON, without the key; nothing is started."""
    told = {"TROUPE_BASE": str(base.path), "TROUPE_HOME": str(tmp_path / "home"), "TROUPE_ENGINE_API_KEY": "a-secret-key"}
    command = [sys.executable, "-m", "server.engine", "--dry-run"]
    ran = subprocess.run(command, env={**os.environ, **told}, capture_output=True, text=True, timeout=120, check=True)
    said = json.loads(ran.stdout)
    assert said["argv"][:2] == ["--model", str(base.path)]
    assert said["environment"]["HF_HUB_OFFLINE"] == "1"
    assert "a-secret-key" not in ran.stdout
    assert not {"PATH", "TROUPE_BASE"} & set(said["environment"])
