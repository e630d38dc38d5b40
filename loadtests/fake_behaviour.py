"""How a fake engine behaves: what it knows, how quick it is, and what goes wrong with it. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from loadtests.fake_answers import error

ADAPTER = r"[a-z0-9][a-z0-9-]{0,62}-[0-9a-f]{16}"
"""What an adapter is called on an engine."""


class Fault(StrEnum):
    """How an answer goes wrong."""

    NONE = "none"
    DIE = "die"
    """The connection is reset in the middle of a stream, or before a whole answer."""
    END_EARLY = "end-early"
    """A stream ends cleanly, but without its end mark."""
    STALL = "stall"
    """Nothing more comes; the connection stays."""
    FREEZE = "freeze"
    """The engine core stands still for everybody, at once, in the middle of whatever runs: no token, no adapter loaded, counters that
    do not move. Health and metrics are answered as ever. It does not end."""
    ERROR_EVENT = "error-event"
    """vLLM's own error event in the middle of a stream."""
    ERROR_FIRST = "error-first"
    """The same as the very first event."""
    STATUS_500 = "500"
    STATUS_400 = "400"
    NOT_FINITE = "not-finite"
    """vLLM's words for an answer whose logprobs are NaN."""
    TOO_LONG = "too-long"
    """vLLM's words for a prompt over the context."""


class StartFailure(StrEnum):
    """How a start goes wrong, where the fake is a process."""

    NONE = "none"
    SETTINGS = "settings"
    """One sentence of ours, and exit code 2."""
    OUT_OF_MEMORY = "out-of-memory"
    BAD_WEIGHTS = "bad-weights"
    ADDRESS_IN_USE = "address-in-use"
    CRASH = "crash"
    """An error that names no cause."""
    KILLED = "killed"
    """SIGKILL, and no word."""
    NEVER = "never"
    """It lives and never listens."""


START_FAILURE_WORDS: Mapping[StartFailure, str] = {
    StartFailure.SETTINGS: "troupe-engine: TROUPE_ENGINE_MAX_LORA_RANK must be one of 1, 8, 16, 32, 64, 128, 256, 320, 512",
    StartFailure.OUT_OF_MEMORY: (
        "RuntimeError: [enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory:"
        " you tried to allocate 68719476736 bytes. Error code 12 (Cannot allocate memory)"
    ),
    StartFailure.BAD_WEIGHTS: "safetensors_rust.SafetensorError: Error while deserializing header: header too large",
    StartFailure.ADDRESS_IN_USE: "OSError: [Errno 98] Address already in use",
    StartFailure.CRASH: "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
}
"""The last line that is left in the log."""


@dataclass(frozen=True)
class Voice:
    """How one model answers, where it is not as all the others do."""

    vocabulary: tuple[str, ...] | None = None
    """None for everybody's, () to say nothing."""
    logprob: float | None = -0.5
    """None writes null."""
    fault: Fault | None = None


@dataclass(frozen=True)
class FakeSettings:
    """Times in seconds. A fault comes after `fault_after` tokens, except one that says otherwise."""

    ttft: float = 0.0
    inter_token: float = 0.0
    tokens: int = 8
    """Length of an answer, unless the request asks for less."""
    fault: Fault = Fault.NONE
    fault_after: int = 3
    vocabulary: tuple[str, ...] = ("Läuft", " bei", " dir", "?", " 🙃", ' "quoted"', "\n", " ok")
    adapters: str = ADAPTER
    """Pattern of the names that are known beside `base`."""
    load: float = 0.0
    """What it takes to load an adapter that is not there yet."""
    voices: Mapping[str, Voice] = field(default_factory=dict)
    """Model → how it answers."""
    burst: int = 1
    """Tokens in one event of a stream: more than one where vLLM's output was not taken at once."""
    cached: int | None = 0
    """Tokens of each prompt that the engine says it had already, if it is so long; None where it says nothing of it."""
    faults: Mapping[str, Fault] = field(default_factory=dict)
    """A word in a prompt → what goes wrong with that answer."""
    paces: Mapping[str, float] = field(default_factory=dict)
    """A word in a prompt → `inter_token` of that answer."""
    quotes: bool = False
    """Whether errors quote the prompt, as those of vLLM's own validation do."""
    slice: int = 0
    """Send streams in pieces of so many bytes; 0: event by event."""
    linger: float = 0.0
    """From a stream's end mark to the end of its response."""
    api_key: str = ""
    dev_mode: bool = False
    """Whether the routes are there that vLLM opens with VLLM_SERVER_DEV_MODE: sleep mode."""
    forgets: bool = False
    """Who slept and wakes answers in the base's voice, whatever adapter is asked."""


REFUSALS: Mapping[Fault, dict[str, Any]] = {
    Fault.STATUS_500: error("EngineCore encountered an issue at /srv/secret/path.", "InternalServerError", 500),
    Fault.STATUS_400: error("The lora /srv/secret/path is odd.", "BadRequestError", 400),
    Fault.NOT_FINITE: error("Out of range float values are not JSON compliant", "BadRequestError", 400),
    Fault.TOO_LONG: error(
        "This model's maximum context length is 64 tokens. However, your prompt contains 65 input tokens, which exceeds this limit"
        " even without any output tokens. Please reduce the length of the input prompt.",
        "BadRequestError",
        400,
        "input_tokens",
    ),
}
"""Faults that are a refusal, and its words."""
