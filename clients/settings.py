"""What a client is told: by its settings file, then by the environment, then by options; the later wins.

A plain dataclass and not pydantic-settings, because `troupe ask` should be on its way before pydantic is imported.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from clients.config_file import read_config
from clients.errors import NO_KEY, BadKey, BadSettings

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_HOME = Path("~/.local/share/troupe")
DEFAULT_CONFIG = Path("~/.config")


@dataclass(frozen=True)
class ClientSettings:
    """Where the gateway is and with which key to talk to it."""

    url: str = DEFAULT_URL
    """The gateway's address without `/v1`."""
    api_key: str | None = field(default=None, repr=False)
    home: Path = DEFAULT_HOME
    """Where local state lies; of a client's, what was typed in chats, votes, and the names of models for the shell's completion."""
    config: Path = DEFAULT_CONFIG / "troupe" / "config.toml"
    """The settings file, whether it is there or not."""
    colour: bool = True
    """Whether a terminal is to be written to in colour."""
    key_from: Path | None = None
    """The settings file, if the key stands there; None if the environment names it."""
    withheld_for: str | None = None
    """The address of the settings file, where its key was left out because another address is to be talked to."""

    def chat_key(self) -> str:
        """The key for talking to models. Raises BadKey if there is none."""
        if self.api_key is None and self.withheld_for is not None:
            raise BadKey(f"The key in {self.config} is for {self.withheld_for}. Set TROUPE_API_KEY to one for {self.url}.")
        if self.api_key is None:
            raise BadKey(NO_KEY)
        return self.api_key


def read_settings(environ: Mapping[str, str] | None = None, *, url: str | None = None) -> ClientSettings:
    """Settings from the settings file, `environ` (the process's own, if None) and the options given. Raises BadSettings with what to set.

    A key that stands in the file beside an address is for that address alone: whoever is talked to instead does not get it.
    """
    env = os.environ if environ is None else environ
    config = config_path(env)
    said = read_config(config)
    own_url = checked_url(said["url"], f"url in {config}") if said.get("url") else None
    chosen = _chosen_url(env, url) or own_url or DEFAULT_URL
    own_key = said.get("api_key", "").strip() or None
    env_key = env.get("TROUPE_API_KEY", "").strip() or None
    withheld = own_url if own_key and not env_key and own_url != chosen else None
    return ClientSettings(
        url=chosen,
        api_key=env_key or (None if withheld else own_key),
        key_from=config if own_key and not env_key and not withheld else None,
        home=Path(env.get("TROUPE_HOME") or said.get("home") or DEFAULT_HOME).expanduser(),
        config=config,
        colour=not env.get("NO_COLOR") and env.get("TERM") != "dumb",
        withheld_for=withheld,
    )


def config_path(environ: Mapping[str, str] | None = None) -> Path:
    """Where the settings file is, or would be."""
    env = os.environ if environ is None else environ
    folder = Path(env.get("XDG_CONFIG_HOME") or DEFAULT_CONFIG).expanduser()
    return folder / "troupe" / "config.toml"


def read_bot_token(environ: Mapping[str, str] | None = None) -> str | None:
    """The Discord bot's token, for whoever looks whether it is a good one; the bot itself has settings of its own."""
    env = os.environ if environ is None else environ
    return env.get("TROUPE_BOT_TOKEN", "").strip() or None


def checked_url(url: str, name: str = "TROUPE_URL") -> str:
    """`url` without a trailing slash or `/v1`. Raises BadSettings, which says `name`, if it is not an http address."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that never closes
        usable = False
    if not usable:
        raise BadSettings(f"{name} is {url!r}, which is not an address like {DEFAULT_URL}.")
    return url.rstrip("/").removesuffix("/v1")


def _chosen_url(env: Mapping[str, str], option: str | None) -> str | None:
    if option is not None:
        return checked_url(option, "--url")
    return checked_url(env["TROUPE_URL"]) if env.get("TROUPE_URL") else None
