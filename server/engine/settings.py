"""What an engine is told. The only place of the engine that reads the environment."""

import os
import shlex
from pathlib import Path
from typing import Literal, Self

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Quantization = Literal["bitsandbytes", "none", "awq", "gptq", "compressed-tensors"]

LoadFormat = Literal["auto", "safetensors", "runai_streamer", "fastsafetensors", "instanttensor", "tensorizer"]
"""Names of vLLM's own; a test asks it."""

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""For two libraries that start threads as they are imported. Nothing of theirs is used here, and who forks should have one thread."""


class EngineSettings(BaseSettings):
    """Environment `TROUPE_ENGINE_<FIELD>`; `TROUPE_BASE`, `TROUPE_HOME` and `TROUPE_STORE_URL` are shared with the gateway."""

    model_config = SettingsConfigDict(env_prefix="TROUPE_ENGINE_", frozen=True, extra="ignore", populate_by_name=True)

    base: Path = Field(default=Path(), validation_alias=AliasChoices("TROUPE_BASE", "base"))
    """Directory of the base."""
    home: Path = Field(default=Path("~/.local/share/troupe"), validation_alias=AliasChoices("TROUPE_HOME", "home"))
    store_url: str = Field(default="", validation_alias=AliasChoices("TROUPE_STORE_URL", "store_url"))
    """Where published adapters are: a folder, or `s3://bucket/prefix` with the keys in `AWS_*`. Below `home` unless set."""
    cache: Path | None = None
    """Folder for verified copies of the adapters that are served from here. Below `home` unless set."""
    cache_gib: float = Field(default=4.0, gt=0)
    """GiB that those copies may take. Adapters in use stay, of the others the least recently used goes first."""

    quantization: Quantization = "bitsandbytes"
    max_loras: int | None = Field(default=None, ge=1, le=256)
    """Adapters that one batch may mix: each takes a slot in the accelerator's memory."""
    max_cpu_loras: int | None = Field(default=None, ge=1)
    """Adapters kept in host memory: each comeback of another one is a read from disk that stops everybody's stream. As many as fit into
    an eighth of the memory unless set."""
    max_lora_rank: int = 16
    """Every slot is as large as this rank needs; vLLM knows `RANKS`."""
    context_length: int | None = Field(default=None, ge=64)
    """Tokens of prompt and answer together."""
    tensor_parallel: int = Field(default=1, ge=1, le=64)
    kv_gib: float | None = Field(default=None, gt=0)
    """GiB for the KV cache. On a GPU the default is what vLLM finds free."""
    max_num_seqs: int | None = Field(default=None, ge=1)
    """Requests in one batch."""
    compile_cache: Path | None = None
    """Folder for what vLLM compiles and measures at its first start, for a volume or an image to carry. Below `home` unless set."""
    cudagraph_sizes: list[int] | None = None
    """On a GPU: batch sizes whose graphs are captured at the start; others are padded to the next one. Few and small unless set."""
    cudagraph_specialize_lora: bool = False
    """On a GPU: capture each graph twice, with LoRA and without, instead of once: faster answers of the base, a longer start."""
    load_format: LoadFormat = "auto"
    """How weights are read from disk; only `auto` for a base that bitsandbytes quantizes."""
    sleep_mode: bool = False
    """On a GPU: let the gateway put the engine to sleep and wake it, instead of ending and starting it."""
    all_routes: bool = False
    """Leave every route of vLLM's open, also those that nobody here uses: for whoever measures it without a gateway."""
    tool_parser: str = Field(default="", pattern=r"^[A-Za-z0-9_.-]{0,64}$")
    """Which of vLLM's parsers finds calls of tools in the base's answers, such as `hermes`; empty for no tools."""
    extra_args: str = ""
    """More arguments for vLLM, as on a command line; checked by vLLM's own parser."""

    socket: Path | None = None
    """Unix socket to listen on. Without it, `host` and `port`."""
    host: str = "127.0.0.1"
    port: int = Field(default=8001, ge=1, le=65535)
    api_key: SecretStr = SecretStr("")
    shm: str = Field(default="", pattern=r"^[a-z0-9-]{0,40}$")
    """How the names of its shared memory begin, so that a supervisor finds what a kill has left."""
    lifeline: bool = False
    """End as soon as standard input ends: the supervisor holds the other side, so no engine outlives it."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.max_lora_rank not in RANKS:
            raise ValueError(f"TROUPE_ENGINE_MAX_LORA_RANK must be one of {', '.join(map(str, RANKS))}")
        if self.max_loras and self.max_cpu_loras and self.max_cpu_loras < self.max_loras:
            raise ValueError("TROUPE_ENGINE_MAX_CPU_LORAS must not be below TROUPE_ENGINE_MAX_LORAS: raise it or leave it out")
        if self.socket is None and self.host not in ("127.0.0.1", "::1", "localhost") and not self.api_key.get_secret_value():
            raise ValueError("an engine that listens on a network needs a key: set TROUPE_ENGINE_API_KEY")
        if self.quantization == "bitsandbytes" and self.load_format != "auto":
            raise ValueError(
                f"TROUPE_ENGINE_LOAD_FORMAT={self.load_format} cannot go with bitsandbytes, which reads the weights itself: "
                "leave it out, or set TROUPE_ENGINE_QUANTIZATION"
            )
        if self.cudagraph_sizes is not None and (not self.cudagraph_sizes or min(self.cudagraph_sizes) < 1):
            raise ValueError("TROUPE_ENGINE_CUDAGRAPH_SIZES must be a list of positive numbers, such as [1, 2, 4, 8]")
        try:
            shlex.split(self.extra_args)
        except ValueError as exc:
            raise ValueError(f"TROUPE_ENGINE_EXTRA_ARGS is not a command line ({exc}): mend its quotes") from exc
        return self

    def environment(self) -> dict[str, str]:
        """For another process: the variables that make it read these very settings, and what is inherited; no key of the gateway."""
        told = {name.upper(): value for name, value in self.model_dump(exclude_none=True).items()}
        told["API_KEY"] = self.api_key.get_secret_value()
        shared = {"TROUPE_BASE": str(told.pop("BASE")), "TROUPE_HOME": str(told.pop("HOME")), "TROUPE_STORE_URL": told.pop("STORE_URL")}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TROUPE_")}
        return {**inherited, **ONE_THREAD, **shared, **{f"TROUPE_ENGINE_{name}": str(value) for name, value in told.items()}}

    @property
    def store(self) -> str:
        """The store, as `BlobStore` takes it."""
        return self.store_url or str((self.home.expanduser() / "registry" / "store").absolute())

    @property
    def compile_cache_folder(self) -> Path:
        return (self.compile_cache or self.home / "cache").expanduser().absolute()

    @property
    def cache_folder(self) -> Path:
        return (self.cache or self.home.expanduser() / "cache" / "adapters").expanduser().absolute()
