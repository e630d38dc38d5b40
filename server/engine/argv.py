"""Settings, base and machine → vLLM's arguments and environment. Pure: nothing is started, and vLLM is not imported."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from adapters.registry import Base
from adapters.registry.validation import LINEARS
from server.engine.machine import Machine
from server.engine.settings import ONE_THREAD, EngineSettings

GIB = 1 << 30

DEFAULT_CONTEXT = 8192

MAX_CAPTURE = 512
"""As in vLLM: larger batches run without a graph."""

SERVED_BASE = "base"
"""What the engine calls its base; also the model string of clients."""

RESERVED = frozenset({
    "--model", "--served-model-name", "--uds", "--host", "--port", "--api-key", "--enable-lora", "--lora-modules", "--quantization",
    "--max-loras", "--max-cpu-loras", "--max-lora-rank", "--lora-target-modules",
    "--max-model-len", "--tensor-parallel-size", "--kv-cache-memory-bytes",
    "--max-num-seqs", "--middleware", "--load-format", "--enable-sleep-mode", "--cudagraph-capture-sizes",
    "--enable-auto-tool-choice", "--tool-call-parser", "--tool-parser-plugin", "--tool-strict-level",
    "--trust-remote-code", "--trust-request-chat-template", "--chat-template", "--config", "--allowed-local-media-path",
})  # fmt: skip
"""Arguments that are settings of ours, or would let a request reach further than it may."""


class ArgumentError(Exception):
    """The settings ask for something this base, this machine or vLLM cannot do. One sentence."""


def engine_argv(settings: EngineSettings, base: Base, machine: Machine) -> list[str]:
    """vLLM's arguments, complete. Raises ArgumentError."""
    max_loras, max_num_seqs = served_slots(settings, machine), served_batch(settings, machine)
    context = served_context(settings, base)
    argv = [
        "--model", str(base.path),
        "--served-model-name", SERVED_BASE,
        "--dtype", "bfloat16",
        "--max-model-len", str(context),
        "--max-num-seqs", str(max_num_seqs),
        "--tensor-parallel-size", str(settings.tensor_parallel),
        "--enable-lora",
        "--max-loras", str(max_loras),
        "--max-cpu-loras", str(settings.max_cpu_loras or adapters_in_memory(settings, base, machine, max_loras)),
        "--max-lora-rank", str(settings.max_lora_rank),
        # What the registry accepts, and no more: slots for embeddings and head would take memory for nothing.
        "--lora-target-modules", *LINEARS,
        # vLLM would take the backend of the first request that needs one, and no whitespace that no answer needs is paid for.
        "--structured-outputs-config.backend", "xgrammar",
        "--structured-outputs-config.disable_any_whitespace", "true",
        # Tells the cache of adapters which ones are in use.
        "--middleware", "server.engine.resolver.AdaptersInFlight",
        "--default-chat-template-kwargs", json.dumps({"enable_thinking": False}),
        # The ledger has a price of its own for what was cached.
        "--enable-prompt-tokens-details",
        "--disable-uvicorn-access-log",
        "--no-enable-log-requests",
    ]  # fmt: skip
    if settings.quantization != "none":
        argv += ["--quantization", settings.quantization]
    if settings.tool_parser:
        # Arguments follow a tool's schema, whether the caller says `strict` or not.
        argv += ["--enable-auto-tool-choice", "--tool-call-parser", settings.tool_parser, "--tool-strict-level", "parameter"]
    if settings.load_format != "auto":
        argv += ["--load-format", settings.load_format]
    if not settings.all_routes:
        argv += ["--middleware", "server.engine.doors.Doors"]  # the outermost: vLLM puts each around those before it
    argv += _gpu_arguments(settings, machine, max_num_seqs)
    if settings.kv_gib:
        argv += ["--kv-cache-memory-bytes", str(int(settings.kv_gib * GIB))]
    elif not machine.has_gpu:
        argv += ["--kv-cache-memory-bytes", str(_cpu_kv_bytes(base.kv_bytes_per_token * context * max_num_seqs, machine))]
    argv += ["--uds", str(settings.socket)] if settings.socket else ["--host", settings.host, "--port", str(settings.port)]
    return argv + _extra_arguments(settings.extra_args)


def _gpu_arguments(settings: EngineSettings, machine: Machine, max_num_seqs: int) -> list[str]:
    if not machine.has_gpu:
        if settings.sleep_mode:
            raise ArgumentError("TROUPE_ENGINE_SLEEP_MODE needs a GPU, and there is none here: set TROUPE_MODE=standby.")
        return []
    if settings.sleep_mode and settings.socket is None:
        raise ArgumentError("TROUPE_ENGINE_SLEEP_MODE opens routes that ask for no key: leave it out, or set TROUPE_ENGINE_SOCKET.")
    sizes = settings.cudagraph_sizes or capture_sizes(max_num_seqs)
    argv = ["--cudagraph-capture-sizes", *map(str, sorted(set(sizes)))]
    if not settings.cudagraph_specialize_lora:
        argv += ["--compilation-config.cudagraph_specialize_lora", "false"]
    return [*argv, "--enable-sleep-mode"] if settings.sleep_mode else argv


def capture_sizes(max_num_seqs: int) -> list[int]:
    """Powers of two up to the full batch: 7 graphs for 64 requests where vLLM's own list has 19.

    Each takes time at every start, and a batch in between is padded to at most twice its size, which decoding, bound by reading the
    weights, hardly notices.
    """
    sizes = [1 << power for power in range(max_num_seqs.bit_length()) if 1 << power <= min(max_num_seqs, MAX_CAPTURE)]
    return [*sizes, max_num_seqs] if sizes[-1] < max_num_seqs <= MAX_CAPTURE else sizes


def served_slots(settings: EngineSettings, machine: Machine) -> int:
    """Adapters that one batch may mix."""
    return settings.max_loras or (8 if machine.has_gpu else 4)


def served_batch(settings: EngineSettings, machine: Machine) -> int:
    """Requests in one batch."""
    return settings.max_num_seqs or (64 if machine.has_gpu else 16)


def served_context(settings: EngineSettings, base: Base) -> int:
    """Tokens of prompt and answer together; the same on every machine, as the gateway counts with it too. Raises ArgumentError."""
    context = settings.context_length or min(base.context_length, DEFAULT_CONTEXT)
    if context > base.context_length:
        raise ArgumentError(f"TROUPE_ENGINE_CONTEXT_LENGTH is {context} and the base was made for {base.context_length}: lower it.")
    return context


def adapters_in_memory(settings: EngineSettings, base: Base, machine: Machine, max_loras: int) -> int:
    """How many adapters of the largest served rank fit into an eighth of the host's memory, in bfloat16: from twice the slots to 1024.

    One that is not in memory is read from disk inside the engine's step, and everybody waits. Nothing is set aside: memory is taken by
    the adapters that come.
    """
    linears = [shape for name, shape in base.shapes.items() if name.rpartition(".")[2] in LINEARS]
    if not linears or min(map(min, linears)) <= 1:
        return max_loras * 8  # a checkpoint that packs its weights does not tell how large the layers are
    adapter = 2 * settings.max_lora_rank * sum(map(sum, linears))
    return max(2 * max_loras, min(1024, int(machine.memory_gib * GIB / 8) // adapter))


def engine_environment(settings: EngineSettings, machine: Machine, inherited: Mapping[str, str]) -> dict[str, str]:
    """What the vLLM process sees besides what it inherits: our plugins only, no telemetry, no downloads, the key not in `ps`."""
    cache = settings.compile_cache_folder
    environment = {
        **{name: value for name, value in inherited.items() if name != "VLLM_SERVER_DEV_MODE"},
        "VLLM_PLUGINS": "bitsandbytes,troupe_lora_resolver",
        # Without it vLLM asks no resolver. The load endpoint that it opens too lies behind the socket and the key.
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_DO_NOT_TRACK": "1",
        "VLLM_CACHE_ROOT": str(cache / "vllm"),
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "torchinductor"),
        "HF_HUB_OFFLINE": "1",
        "TROUPE_STORE_URL": settings.store,
        "TROUPE_ENGINE_CACHE": str(settings.cache_folder),
        **ONE_THREAD,
    }
    if settings.sleep_mode:
        # Its routes ask for no key and lie behind the socket; only the gateway's fleet calls them.
        environment["VLLM_SERVER_DEV_MODE"] = "1"
    if machine.has_gpu:
        # What fits into the KV cache is measured once and kept below VLLM_CACHE_ROOT, until base, settings, GPU or vLLM change.
        environment["VLLM_ENABLE_STARTUP_PLAN"] = "1"
    else:
        # With LoRA, vLLM compiles no model on a CPU; what is left are small functions of the sampler, compiled at their first use:
        # the first request for logprobs would stop everybody's stream for ten seconds.
        environment["TORCHDYNAMO_DISABLE"] = "1"
    if key := settings.api_key.get_secret_value():
        environment["VLLM_API_KEY"] = key
    return environment


def _cpu_kv_bytes(full_batch: int, machine: Machine) -> int:
    """Room for a full batch at full context, within a quarter of the memory: the base has to fit too, and vLLM clears every byte
    of it at the start."""
    return max(GIB // 4, min(full_batch, int(machine.memory_gib * GIB / 4)))


def _extra_arguments(text: str) -> list[str]:
    extra = shlex.split(text)
    for argument in extra:
        name = argument.split("=", 1)[0].replace("_", "-")
        if name.removeprefix("--no-") != name:
            name = "--" + name.removeprefix("--no-")
        if name in RESERVED:
            raise ArgumentError(f"TROUPE_ENGINE_EXTRA_ARGS may not hold {name}: it is set by Troupe, see `troupe up --help`.")
    return extra


def socket_fits(socket: Path) -> bool:
    """Linux keeps the path of a unix socket in 108 bytes."""
    return len(str(socket).encode()) < 108
