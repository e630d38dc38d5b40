"""Where the load goes, from the environment; and whether that is a machine one may load without asking."""

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class LoadSettings(BaseSettings):
    """`TROUPE_URL` and `TROUPE_API_KEY`."""

    model_config = SettingsConfigDict(env_prefix="TROUPE_", frozen=True, extra="ignore")

    url: str = "http://127.0.0.1:8000"
    api_key: SecretStr = SecretStr("")

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must look like http://host:port")
        return url.rstrip("/").removesuffix("/v1")


class FakeEngineSettings(BaseSettings):
    """`TROUPE_ENGINE_SOCKET` and `TROUPE_ENGINE_API_KEY`: what a fleet tells an engine, and so the fake one."""

    model_config = SettingsConfigDict(env_prefix="TROUPE_ENGINE_", frozen=True, extra="ignore")

    socket: Path | None = None
    api_key: SecretStr = SecretStr("")


class BenchSettings(BaseSettings):
    """`TROUPE_HOME`, where the demo lies that a benchmark serves."""

    model_config = SettingsConfigDict(env_prefix="TROUPE_", frozen=True, extra="ignore")

    home: Path = Path("~/.local/share/troupe")


def is_loopback(url: str) -> bool:
    """Whether a URL names this very machine. A name other than `localhost` is not looked up, and so is not."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
