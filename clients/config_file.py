"""The settings file of the commands that talk: `config.toml` in `~/.config/troupe`. Knows TOML and a file's permissions, no environment."""

import difflib
import json
import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path

from clients.errors import BadSettings

NAMES = ("url", "api_key", "home")
SECRET = "api_key"  # noqa: S105 (the name of one, not one)


def read_config(path: Path) -> Mapping[str, str]:
    """What the file says, empty where there is none.

    Raises BadSettings for one that cannot be read, says something that is no setting, or holds a key that other people of this machine
    may read.
    """
    try:
        with path.open("rb") as file:
            mode = path.stat().st_mode
            content = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise BadSettings(f"{path} is not TOML: {exc}.") from exc
    except OSError as exc:
        raise BadSettings(f"{path} cannot be read: {exc.strerror}.") from exc
    for name, value in content.items():
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1)
            raise BadSettings(f"{path} sets {name!r}, which is no setting. {f'Is it {near[0]!r}?' if near else f'Known: {_LIST}.'}")
        if not isinstance(value, str):
            raise BadSettings(f'{path} sets {name} to something that is no text. Write it as {name} = "…".')
    if content.get(SECRET, "").strip() and is_open(mode):
        raise BadSettings(f"{path} holds a key, and others on this machine may read it. Run: chmod 600 {path}")
    return content


def write_config(path: Path, content: Mapping[str, str]) -> None:
    """Replace the file by one that says `content` and is its owner's alone. Raises BadSettings.

    TOML's basic strings are JSON's.
    """
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in content.items()]
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.writelines(lines)
        part.replace(path)
    except OSError as exc:
        raise BadSettings(f"{path} cannot be written: {exc.strerror}.") from exc


def is_open(mode: int) -> bool:
    """Whether a file of this mode is anybody's but its owner's."""
    return bool(stat.S_IMODE(mode) & 0o077)


_LIST = ", ".join(NAMES)
