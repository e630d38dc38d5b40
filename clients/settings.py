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
    origins: Mapping[str, str] = field(default_factory=dict)
    """Who said what `url`, `api_key` and `home` are, as a person would look for it: `TROUPE_URL`, the settings file's path …"""
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
    in_file = (f"url in {config}", said.get("url"))
    address, told_by = _first(("--url", url), ("TROUPE_URL", env.get("TROUPE_URL")), in_file, default=DEFAULT_URL)
    chosen = checked_url(address, told_by)
    key, key_from = _first(("TROUPE_API_KEY", env.get("TROUPE_API_KEY")), (str(config), said.get("api_key")))
    own_url = checked_url(said["url"], in_file[0]) if said.get("url") else None
    withheld = own_url if key_from == str(config) and own_url != chosen else None
    home, home_from = _first(("TROUPE_HOME", env.get("TROUPE_HOME")), (str(config), said.get("home")), default=str(DEFAULT_HOME))
    return ClientSettings(
        url=chosen,
        api_key=None if withheld else key or None,
        home=_folder(home, "TROUPE_HOME" if home_from == "default" else home_from),
        config=config,
        colour=not env.get("NO_COLOR") and env.get("TERM") != "dumb",
        origins={"url": told_by, "api_key": key_from, "home": home_from},
        withheld_for=withheld,
    )


def config_path(environ: Mapping[str, str] | None = None) -> Path:
    """Where the settings file is, or would be. Raises BadSettings."""
    env = os.environ if environ is None else environ
    return _folder(env.get("XDG_CONFIG_HOME") or DEFAULT_CONFIG, "XDG_CONFIG_HOME") / "troupe" / "config.toml"


def read_bot_token(environ: Mapping[str, str] | None = None) -> str | None:
    """The Discord bot's token, for whoever looks whether it is a good one; the bot itself has settings of its own."""
    env = os.environ if environ is None else environ
    return env.get("TROUPE_BOT_TOKEN", "").strip() or None


def checked_url(url: str, name: str = "TROUPE_URL") -> str:
    """`url` without a trailing slash or `/v1`. Raises BadSettings, which says `name`, if it is not an http address, or more than one."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that never closes
        usable = False
    if usable and (parts.username is not None or parts.query or parts.fragment):  # a password would go in the key's place, and be shown
        raise BadSettings(f"{name} says more than an address like {DEFAULT_URL}: leave out what is before the @ or behind a ? or #.")
    if not usable:
        raise BadSettings(f"{name} is {url!r}, which is not an address like {DEFAULT_URL}.")
    return url.rstrip("/").removesuffix("/v1")


def _folder(path: str | Path, told_by: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as exc:
        raise BadSettings(f"Whose home {path} begins with is not known here. Set {told_by} to a whole path.") from exc


def _first(*told: tuple[str, str | None], default: str = "") -> tuple[str, str]:
    """The first of the values that says something, the strongest standing first, and who said it."""
    for origin, value in told:
        if value is not None and (value.strip() or origin.startswith("--")):
            return value.strip(), origin
    return default, "default" if default else "nobody"
