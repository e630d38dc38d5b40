"""What the factory and the registry's commands read from the environment. The only file of this package that reads it."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_HOME = "~/.local/share/troupe"
DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True)
class RegistrySettings:
    """How to reach a registry: through a gateway, or directly. Nothing is checked here; an empty string stands for what is not set."""

    home: Path
    url: str = ""
    """The gateway's address."""
    admin_key: str = field(default="", repr=False)
    store_url: str = ""
    database_url: str = field(default="", repr=False)
    key_pepper: str = field(default="", repr=False)
    """What keys are hashed with; empty for the file in `home`."""
    base: str = ""
    """What adapters are checked against where no gateway does it."""
    quantization: str = "bitsandbytes"
    max_rank: str = "16"


@dataclass(frozen=True)
class ServerSettings:
    """How to ask a running server. Nothing is checked here."""

    url: str = DEFAULT_URL
    evaluate_key: str = field(default="", repr=False)
    """TROUPE_EVALUATE_KEY, or what the server of this machine keeps in its home."""


def home_folder() -> Path:
    """TROUPE_HOME, or the usual place below the user's home."""
    return _home(os.environ)


def read_settings(environ: Mapping[str, str] | None = None) -> RegistrySettings:
    """The settings in `environ` (the process's own, if None)."""
    env = os.environ if environ is None else environ
    default = RegistrySettings(_home(env))
    return RegistrySettings(
        home=default.home,
        url=env.get("TROUPE_URL", "").strip(),
        admin_key=env.get("TROUPE_ADMIN_KEY", "").strip(),
        store_url=env.get("TROUPE_STORE_URL", "").strip(),
        database_url=env.get("TROUPE_DATABASE_URL", "").strip(),
        key_pepper=env.get("TROUPE_KEY_PEPPER", "").strip(),
        base=env.get("TROUPE_BASE", ""),
        quantization=env.get("TROUPE_ENGINE_QUANTIZATION") or default.quantization,
        max_rank=env.get("TROUPE_ENGINE_MAX_LORA_RANK") or default.max_rank,
    )


def read_server_settings(environ: Mapping[str, str] | None = None) -> ServerSettings:
    """The settings in `environ` (the process's own, if None)."""
    env = os.environ if environ is None else environ
    key = env.get("TROUPE_EVALUATE_KEY", "").strip()
    if not key:
        with suppress(OSError, UnicodeDecodeError):
            key = (_home(env) / "keys" / "evaluate").read_text().strip()
    return ServerSettings(env.get("TROUPE_URL", "").strip() or DEFAULT_URL, key)


def child_environment(environ: Mapping[str, str] | None = None, **changes: str) -> dict[str, str]:
    """`environ` (the process's own, if None) with changes, for a program of somebody else's: without our settings, some are keys."""
    env = os.environ if environ is None else environ
    return {**{name: value for name, value in env.items() if not name.startswith("TROUPE_")}, **changes}


def _home(env: Mapping[str, str]) -> Path:
    return Path(env.get("TROUPE_HOME") or DEFAULT_HOME).expanduser()
