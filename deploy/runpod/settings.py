"""What a RunPod worker is told. The only file of this folder that reads the environment."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class WorkerSettings(BaseSettings):
    """Environment `TROUPE_RUNPOD_<FIELD>`. The engine's own settings are `TROUPE_ENGINE_*`, `TROUPE_BASE`, `TROUPE_HOME` and
    `TROUPE_STORE_URL`."""

    model_config = SettingsConfigDict(env_prefix="TROUPE_RUNPOD_", frozen=True, extra="ignore")

    concurrency: int = Field(default=32, ge=1, le=256)
    """Jobs at a time. Constant: the SDK lets every running job finish before it follows a change."""
    folder: Path = Path("/tmp/troupe")  # noqa: S108  a container's own; made with mode 0700
    """For the engine's socket and log."""
    start_timeout: float = Field(default=600.0, gt=0)
    """Seconds for the engine to become ready; jobs wait for it."""
    stall_timeout: float = Field(default=120.0, gt=0)
    """Seconds without a byte from the engine after which a job fails."""
    command: tuple[str, ...] = ("python", "-m", "server.engine")
    """What starts the engine; as JSON in the environment."""


def engine_environment(socket: Path, api_key: str, inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """The engine's environment: ours, a socket, a key of this process's making, and none of the platform's credentials."""
    kept = {name: value for name, value in (os.environ if inherited is None else inherited).items() if not name.startswith("RUNPOD_")}
    return {**kept, "TROUPE_ENGINE_SOCKET": str(socket), "TROUPE_ENGINE_API_KEY": api_key, "TROUPE_ENGINE_LIFELINE": "true"}
