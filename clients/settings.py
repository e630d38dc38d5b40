"""What a client reads from the environment.

A plain dataclass and not pydantic-settings, because `troupe ask` should be on its way before pydantic is imported.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from clients.errors import NO_KEY, BadKey, BadSettings

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_HOME = Path("~/.local/share/troupe")


@dataclass(frozen=True)
class ClientSettings:
    """Where the gateway is and with which keys to talk to it."""

    url: str = DEFAULT_URL
    """The gateway's address without `/v1`."""
    api_key: str | None = field(default=None, repr=False)
    admin_key: str | None = field(default=None, repr=False)
    home: Path = DEFAULT_HOME
    """Where local state lies; the chat's history is the only thing that a client keeps there."""

    def chat_key(self) -> str:
        """The key for talking to models. Raises BadKey if there is none."""
        if self.api_key is None:
            raise BadKey(NO_KEY)
        return self.api_key


def read_settings(environ: Mapping[str, str] | None = None) -> ClientSettings:
    """Settings from `environ` (the process's own, if None). Raises BadSettings with what to set."""
    env = os.environ if environ is None else environ
    return ClientSettings(
        url=checked_url(env.get("TROUPE_URL") or DEFAULT_URL),
        api_key=env.get("TROUPE_API_KEY", "").strip() or None,
        admin_key=env.get("TROUPE_ADMIN_KEY", "").strip() or None,
        home=Path(env.get("TROUPE_HOME") or DEFAULT_HOME).expanduser(),
    )


def checked_url(url: str) -> str:
    """`url` without a trailing slash or `/v1`. Raises BadSettings if it is not an http address."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that never closes
        usable = False
    if not usable:
        raise BadSettings(f"TROUPE_URL is {url!r}, which is not an address like {DEFAULT_URL}.")
    return url.rstrip("/").removesuffix("/v1")
