"""Why an engine is not there, told from how it ended and what its log said last.

Pure: an exit status, a text and whether it had been ready become one `Failure`. The words are those of the libraries at the pinned
versions; where each was read stands beside it, and a test looks whether they are still there.
"""

import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from server.fleet.engine import Cause, Failure

REFUSED = 2
"""Exit code of an engine that refuses its settings."""
SAID = "troupe-engine: "
"""How its own words begin, as a line of its log."""
LONGEST = 240
"""Characters of a foreign sentence."""

TOLD: Mapping[Cause, str] = {
    Cause.SETTINGS: "The engine refuses its settings. Its operator has to mend them.",
    Cause.OUT_OF_MEMORY: "The engine does not fit into memory at the moment. Try again later.",
    Cause.BAD_WEIGHTS: "The engine cannot read its model. Its operator has to mend that.",
    Cause.ADDRESS_IN_USE: "The engine's address is taken. Try again in a moment.",
    Cause.KILLED: "The engine was ended while it started or worked. Try again in a moment.",
    Cause.TOO_SLOW: "The engine did not start in time. Try again in a moment.",
    Cause.HUNG: "The engine did not go on and is replaced. Try again in a moment.",
    Cause.NOT_FINITE: "The engine computed what are no numbers and is replaced. Try again in a moment.",
    Cause.UNREACHABLE: "The engine cannot be reached. Try again in a moment.",
    Cause.CRASHED: "The engine failed. Try again in a moment.",
}
"""What callers are told: nothing that names a path, a server or a setting."""


@dataclass(frozen=True)
class _Wording:
    """A pattern that only this cause leaves in a log, and the sentence for it."""

    cause: Cause
    pattern: re.Pattern[str]
    sentence: str


def translate(status: int | None, said: str, *, was_ready: bool, log: Path) -> Failure:
    """The failure behind an end.

    `status`: the exit code, or minus the signal's number; None if it had not ended when it was given up, which is for being too slow.
    `said`: the end of its log. `log`: where the whole of it is, for the operator.
    """
    when = "while it ran" if was_ready else "before it was ready"
    own = [line.removeprefix(SAID) for line in map(str.strip, said.splitlines()) if line.startswith(SAID)]
    if status == REFUSED:
        return Failure(Cause.SETTINGS, _clean(own[-1]) if own else f"The engine refused its arguments; see {log}.")
    if status is not None and -status in _ENDED_FROM_OUTSIDE and not _OOM_KILLER.search(said):  # what else the log says was not the end
        return Failure(Cause.KILLED, f"The engine was ended by {_signal(-status)} {when}{_BY_WHOM.get(-status, '')}; see {log}.")
    for wording in _WORDINGS:
        if found := wording.pattern.search(said):
            return Failure(wording.cause, f"{wording.sentence} {_clean(found.group()).rstrip('.')}; see {log}.")
    if status is None:
        return Failure(Cause.TOO_SLOW, f"The engine was not ready in time; see {log}.")
    if own:
        return Failure(Cause.CRASHED, _clean(own[-1]))
    error = _last_error(said)
    if error is None and _CORE_ENDED.search(said):
        return Failure(Cause.KILLED, f"A process of the engine was ended {when}; see {log}.")
    how = f"was ended by {_signal(-status)}" if status < 0 else f"ended with exit code {status}"
    reason = f" ({error})" if error else ""
    return Failure(Cause.KILLED if status < 0 else Cause.CRASHED, f"The engine {how} {when}{reason}; see {log}.")


_ENDED_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_BY_WHOM: Mapping[int, str] = {signal.SIGKILL: ", by hand or by the kernel for want of memory, which its own log (dmesg) would say"}

_OOM_KILLER = re.compile(r"(?:Out of memory|Memory cgroup out of memory): Killed process[^\n]*|\boom-kill\b[^\n]*")
"""The kernel's words, mm/oom_kill.c, where its log and the engine's are one."""
_MEMORY_OF_HOST = "The engine needs more host memory than there is:"
_MEMORY_OF_DEVICE = "The engine needs more accelerator memory than is free:"
_WEIGHTS = "The base cannot be loaded:"

_WORDINGS = (
    # torch raises OutOfMemoryError("CUDA out of memory. Tried to allocate …"); vLLM's own in vllm/v1/worker/gpu_model_runner.py.
    _Wording(Cause.OUT_OF_MEMORY, re.compile(r"(?:CUDA|HIP|XPU) out of memory[^\n]*"), _MEMORY_OF_DEVICE),
    # vllm/v1/worker/utils.py, request_memory.
    _Wording(Cause.OUT_OF_MEMORY, re.compile(r"Free memory on device [^\n]* is less than [^\n]*"), _MEMORY_OF_DEVICE),
    # vllm/v1/core/kv_cache_utils.py, _check_enough_kv_cache_memory.
    _Wording(Cause.OUT_OF_MEMORY, re.compile(r"No available memory for the cache blocks[^\n]*"), "There is no memory for the KV cache:"),
    _Wording(
        Cause.OUT_OF_MEMORY,
        re.compile(r"To serve at least one request with the model's max seq len [^\n]* larger than the available KV cache[^\n]*"),
        "There is not enough memory for the KV cache:",
    ),
    # vllm/v1/worker/cpu_worker.py: at the start, and again for the KV cache.
    _Wording(Cause.OUT_OF_MEMORY, re.compile(r"Available memory on node [^\n]* is less than [^\n]*"), _MEMORY_OF_HOST),
    # vllm/distributed/device_communicators/shm_broadcast.py.
    _Wording(Cause.OUT_OF_MEMORY, re.compile(r"Insufficient space in /dev/shm[^\n]*"), "The engine needs more shared memory:"),
    _Wording(Cause.OUT_OF_MEMORY, _OOM_KILLER, _MEMORY_OF_HOST),
    # torch's allocator on a CPU ("DefaultCPUAllocator: can't allocate memory"), Python, and libc's words for ENOMEM.
    _Wording(
        Cause.OUT_OF_MEMORY,
        re.compile(r"DefaultCPUAllocator: [^\n]*|\bMemoryError\b[^\n]*|Cannot allocate memory|std::bad_alloc"),
        _MEMORY_OF_HOST,
    ),
    # safetensors: a file that is cut off, empty or another kind of file.
    _Wording(Cause.BAD_WEIGHTS, re.compile(r"SafetensorError: [^\n]*|Error while deserializing header: [^\n]*"), _WEIGHTS),
    # vllm/model_executor/model_loader/default_loader.py: no files; tensors that no file held (a shard that is missing).
    _Wording(Cause.BAD_WEIGHTS, re.compile(r"Cannot find any model weights with [^\n]*"), _WEIGHTS),
    _Wording(Cause.BAD_WEIGHTS, re.compile(r"Following weights were not initialized from checkpoint[^\n]*"), _WEIGHTS),
    # vllm/model_executor/model_loader/weight_utils.py, default_weight_loader; vllm/model_executor/models/utils.py.
    _Wording(Cause.BAD_WEIGHTS, re.compile(r"Attempted to load weight \([^\n]*"), _WEIGHTS),
    _Wording(Cause.BAD_WEIGHTS, re.compile(r"There is no module or parameter named [^\n]*"), _WEIGHTS),
    # torch's load_state_dict and narrow, for tensors of another size.
    _Wording(Cause.BAD_WEIGHTS, re.compile(r"size mismatch for [^\n]*"), _WEIGHTS),
    # A shard that the index names and that is not there.
    _Wording(Cause.BAD_WEIGHTS, re.compile(r"(?:No such file or directory|FileNotFoundError)[^\n]*\.safetensors[^\n]*"), _WEIGHTS),
    # vllm/v1/executor/multiproc_executor.py; vllm/v1/engine/utils.py, where the core's exit code stands behind its name.
    _Wording(Cause.KILLED, re.compile(r"Worker proc \S+ died unexpectedly \(exit code: -\d+\)"), "A process of the engine was ended:"),
    _Wording(Cause.KILLED, re.compile(r"Failed core proc\(s\): \{[^}\n]*: -(?:9|15)\b[^}\n]*\}"), "A process of the engine was ended:"),
    # libc's words for EADDRINUSE, as asyncio, uvloop, zmq and uvicorn repeat them.
    _Wording(Cause.ADDRESS_IN_USE, re.compile(r"(?i:address already in use)"), "The engine's address is taken:"),
)
"""The first that is found holds: memory before weights, as a load that fails for memory may speak of weights too."""

_ERROR = re.compile(r"(?:^|[\s\]])((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt)(?:: [^\n]*)?)$")
"""The last line of a traceback, after whatever prefix vLLM's logger put before it."""
_CONSEQUENCES = (
    "Engine core initialization failed",  # vllm/v1/engine/utils.py
    "Frontend process failed",
    "WorkerProc initialization failed",  # vllm/v1/executor/multiproc_executor.py
    "EngineDeadError",  # vllm/v1/engine/exceptions.py
)
"""What is raised because something else went wrong before."""
_CORE_ENDED = re.compile(r"EngineDeadError|engine core exited unexpectedly")
"""vllm/v1/engine/core_client.py: without any other error, nobody but a signal ended it."""
_SECRET = re.compile(
    r"(?i)(?:\b(?:api[-_]?key|token|secret|password|passwd|authorization|credentials?)\b['\"]?\s*[=:]\s*['\"]?(?:bearer\s+)?|\bbearer\s+)[^\s,;'\"]+"
)
_USER_INFO = re.compile(r"(?<=://)[^\s/@]+@")
_TOKEN = re.compile(r"\b(?:hf_|sk-|ghp_|AKIA)\w+|\b(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9_-]{40,}\b")
"""What looks like a key, wherever it stands."""


def _last_error(said: str) -> str | None:
    """The last exception in the log that is not only the consequence of another."""
    found = [match.group(1) for line in said.splitlines() if (match := _ERROR.search(line.rstrip()))]
    causes = [each for each in found if not any(words in each for words in _CONSEQUENCES)]
    return _clean(causes[-1]).rstrip(".") if causes else None


def _clean(text: str) -> str:
    """One line, shortened, without anything that looks like a secret."""
    text = " ".join(text.split())
    for pattern in (_SECRET, _USER_INFO, _TOKEN):
        text = pattern.sub("…", text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
