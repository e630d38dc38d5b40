import importlib.util
import signal
from pathlib import Path

import pytest

from server.fleet.causes import TOLD, translate
from server.fleet.engine import Cause

LOG = Path("/home/troupe/logs/engine.log")
CORE = "(EngineCore pid=812) ERROR 11-21 14:46:25 [core.py:1512] "
CONSEQUENCE = (
    "(APIServer pid=801) RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {'EngineCore': 1}"
)


def failed_start(last_line: str) -> str:
    """A log as vLLM leaves it when its core cannot start: the core's traceback twice, then the consequence in the first process."""
    return f"""
(EngineCore pid=812) INFO 11-21 14:46:20 [core.py:120] Initializing a V1 LLM engine (v0.32.0) with config: model='/srv/base'
{CORE}EngineCore failed to start.
{CORE}Traceback (most recent call last):
{CORE}  File "/opt/vllm/v1/engine/core.py", line 1498, in run_engine_core
{CORE}    raise_something(token="hf_never")
{CORE}{last_line}
Process EngineCore:
Traceback (most recent call last):
  File "/opt/vllm/v1/engine/core.py", line 1514, in run_engine_core
{last_line}
Traceback (most recent call last):
{CONSEQUENCE}
"""


REAL = [
    (Cause.OUT_OF_MEMORY, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79 GiB"),
    (
        Cause.OUT_OF_MEMORY,
        "ValueError: Free memory on device cuda:0 (3.1/79.1 GiB) on startup is less than desired GPU memory utilization"
        " (0.92, 72.8 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.",
    ),
    (Cause.OUT_OF_MEMORY, "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`"),
    (
        Cause.OUT_OF_MEMORY,
        "ValueError: To serve at least one request with the model's max seq len (32768), (4.0 GiB KV cache is needed,"
        " which is larger than the available KV cache memory (1.0 GiB). Try increasing",
    ),
    (
        Cause.OUT_OF_MEMORY,
        "ValueError: Available memory on node 0 (1.0/7.7 GiB) on startup is less than desired CPU memory utilization (0.9, 6.9 GiB).",
    ),
    (
        Cause.OUT_OF_MEMORY,
        "RuntimeError: [enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate"
        " 4503599627370496 bytes. Error code 12 (Cannot allocate memory)",
    ),
    (Cause.OUT_OF_MEMORY, "MemoryError"),
    (Cause.OUT_OF_MEMORY, "OSError: [Errno 12] Cannot allocate memory"),
    (Cause.OUT_OF_MEMORY, "RuntimeError: Insufficient space in /dev/shm for ring buffer: 160 MiB required, 64 MiB free. Increase /dev/shm"),
    (Cause.BAD_WEIGHTS, "safetensors_rust.SafetensorError: Error while deserializing header: header too small"),
    (
        Cause.BAD_WEIGHTS,
        "safetensors_rust.SafetensorError: Error while deserializing header: incomplete metadata, file not fully covered",
    ),
    (Cause.BAD_WEIGHTS, "RuntimeError: Cannot find any model weights with `/srv/base`"),
    (Cause.BAD_WEIGHTS, "ValueError: Following weights were not initialized from checkpoint: {'model.layers.1.mlp.down_proj.weight'}"),
    (Cause.BAD_WEIGHTS, "AssertionError: Attempted to load weight (torch.Size([64, 64])) into parameter (torch.Size([128, 64]))"),
    (Cause.BAD_WEIGHTS, "FileNotFoundError: No such file or directory: /srv/base/model-00002-of-00002.safetensors"),
    (Cause.BAD_WEIGHTS, "\tsize mismatch for weight: copying a param with shape torch.Size([3, 2]) from checkpoint"),
    (
        Cause.ADDRESS_IN_USE,
        "OSError: [Errno 98] error while attempting to bind on address ('127.0.0.1', 50969): address already in use",
    ),
    (Cause.ADDRESS_IN_USE, "zmq.error.ZMQError: Address already in use (addr='ipc:///tmp/x')"),
]


@pytest.mark.parametrize(("cause", "last_line"), REAL, ids=[line[:40] for _, line in REAL])
def test_what_the_libraries_say_is_understood(cause: Cause, last_line: str) -> None:
    """One sentence with the words of the root cause, not of its consequence, and with the place of the whole log."""
    failure = translate(1, failed_start(last_line), was_ready=False, log=LOG)
    assert failure.cause is cause
    assert "\n" not in failure.sentence
    assert "initialization failed" not in failure.sentence
    assert failure.sentence.endswith(f"see {LOG}.")


def test_anything_else_is_told_by_the_exception_that_came_first() -> None:
    """Not by the ones which only say that something else went wrong; without the logger's prefix."""
    failure = translate(1, failed_start("KeyError: 'rope_theta'"), was_ready=False, log=LOG)
    assert failure.cause is Cause.CRASHED
    assert failure.sentence == f"The engine ended with exit code 1 before it was ready (KeyError: 'rope_theta'); see {LOG}."


def test_an_engine_refuses_in_its_own_words() -> None:
    """Exit code 2 means that trying again does not help."""
    said = "noise\ntroupe-engine: There is no base at /srv/base: set TROUPE_ENGINE_BASE.\n"
    failure = translate(2, said, was_ready=False, log=LOG)
    assert failure.cause is Cause.SETTINGS
    assert failure.sentence == "There is no base at /srv/base: set TROUPE_ENGINE_BASE."
    assert translate(2, "", was_ready=False, log=LOG).cause is Cause.SETTINGS


@pytest.mark.parametrize(
    ("status", "said", "cause", "words"),
    [
        (-signal.SIGKILL, "nothing", Cause.KILLED, "SIGKILL while it ran, by hand or by the kernel"),
        (-signal.SIGKILL, "MemoryError, which was handled long ago", Cause.KILLED, "SIGKILL"),
        (-signal.SIGKILL, "Out of memory: Killed process 812 (VLLM::EngineCore)", Cause.OUT_OF_MEMORY, "host memory"),
        (-signal.SIGTERM, "", Cause.KILLED, "SIGTERM while it ran"),
        (-signal.SIGSEGV, "Fatal Python error: Segmentation fault", Cause.KILLED, "SIGSEGV"),
        (-signal.SIGABRT, "terminate called after throwing an instance of 'std::bad_alloc'", Cause.OUT_OF_MEMORY, "host memory"),
        (-99, "", Cause.KILLED, "signal 99"),
        (1, "Worker proc VllmWorker-0 died unexpectedly (exit code: -9), shutting down executor.", Cause.KILLED, "A process of the engine"),
        (1, "Engine core initialization failed. Failed core proc(s): {'EngineCore': -9}", Cause.KILLED, "A process of the engine"),
        (0, CORE + "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.", Cause.KILLED, "A process of the engine"),
        (0, "INFO:     Application shutdown complete.", Cause.CRASHED, "exit code 0 while it ran"),
        (None, "still loading", Cause.TOO_SLOW, "not ready in time"),
    ],
)
def test_an_end_without_an_exception_is_told_by_how_it_came(status: int | None, said: str, cause: Cause, words: str) -> None:
    """A signal by its name, of the engine or of a process of its; what a log said long before a kill is not its cause."""
    failure = translate(status, said, was_ready=True, log=LOG)
    assert failure.cause is cause
    assert words in failure.sentence


@pytest.mark.parametrize(
    "last_line",
    [
        "ValueError: cannot reach https://minio:hunter2@store/bucket",
        "PermissionError: api_key=hunter2 is wrong",
        "ClientError: {'Authorization': 'Bearer hunter2'}",
        "OSError: password: hunter2",
        "RepositoryError: hf_hunter2 may not read this",
        "KeyError: 'hunter2" + "a1" * 20 + "'",
    ],
)
def test_no_secret_is_repeated(last_line: str) -> None:
    """The sentence is in states, logs and screens."""
    assert "hunter2" not in translate(1, failed_start(last_line), was_ready=False, log=LOG).sentence


def test_a_long_story_is_cut() -> None:
    """A sentence stays a sentence."""
    assert len(translate(1, failed_start("ValueError: " + "very " * 500), was_ready=False, log=LOG).sentence) < 400


def test_callers_are_told_of_every_cause_without_a_place() -> None:
    """One sentence for each, which names neither a path nor a setting."""
    assert set(TOLD) == set(Cause)
    assert not [said for said in TOLD.values() if "/" in said or "TROUPE" in said or not said.endswith(".")]


WORDS = {
    "v1/worker/utils.py": ["Free memory on device ", "is less than "],
    "v1/worker/gpu_model_runner.py": ["CUDA out of memory"],
    "v1/core/kv_cache_utils.py": ["No available memory for the cache blocks", "larger than the available KV cache"],
    "v1/worker/cpu_worker.py": ["Available memory on node ", "is less than "],
    "distributed/device_communicators/shm_broadcast.py": ["Insufficient space in "],
    "model_executor/model_loader/default_loader.py": [
        "Cannot find any model weights with ",
        "Following weights were not initialized from ",
    ],
    "model_executor/model_loader/weight_utils.py": ["Attempted to load weight ("],
    "model_executor/models/utils.py": ["There is no module or parameter named "],
    "v1/executor/multiproc_executor.py": ["Worker proc %s died unexpectedly (exit code: %s)", "WorkerProc initialization failed"],
    "v1/engine/utils.py": ["Engine core initialization failed", "Frontend process failed", "Failed core proc(s): "],
    "v1/engine/core_client.py": ["engine core exited unexpectedly"],
    "v1/engine/exceptions.py": ["class EngineDeadError"],
    "v1/metrics/loggers.py": ["vllm:prompt_tokens", "vllm:generation_tokens"],
}


@pytest.mark.parametrize("file", WORDS)
def test_the_pinned_vllm_still_says_so(file: str) -> None:
    """Read in its source, without importing it."""
    spec = importlib.util.find_spec("vllm")
    if spec is None or spec.origin is None:
        pytest.skip("vLLM is not installed here")
    source = (Path(spec.origin).parent / file).read_text()
    assert [words for words in WORDS[file] if words not in source] == []
