"""A chat as a file: JSON for programs, Markdown for people. Knows dialogues and files, no terminal.

A file is its owner's alone, is there whole or not at all, and replaces another one only where that is asked for.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from clients.cli.dialogue import Dialogue, Line
from clients.cli.terminal import printable
from clients.errors import TroupeError

NOBODY = "you"
"""Whoever typed without a name, in a file for people."""


class NotSaved(TroupeError):
    """The file was not written, or not read; the sentence says why."""


def place(name: str) -> Path:
    """The file that somebody means by `name`. Raises NotSaved."""
    try:
        return Path(name).expanduser()
    except RuntimeError as exc:
        raise NotSaved(f"Whose home {name} begins with is not known here. Write the whole path.") from exc


def save(dialogue: Dialogue, path: Path, now: datetime, *, replace: bool = False) -> None:
    """Write the chat to `path`, in the form that its ending names. `now` is with its time zone. Raises NotSaved."""
    write = _FORMS.get(path.suffix.lower())
    if write is None:
        raise NotSaved(f"{path.name} says no form: let it end in .md, for reading, or .json.")
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")  # mode 0600
        part = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(write(dialogue, now))
            if replace:
                part.replace(path)
            else:
                path.hardlink_to(part)  # which, unlike a rename, fails where something is
        finally:
            with suppress(FileNotFoundError):
                part.unlink()
    except FileExistsError as exc:
        raise NotSaved(f"{path} is there already. Say another name, or /save! to replace it.") from exc
    except OSError as exc:
        raise NotSaved(f"{path} cannot be written: {exc.strerror}.") from exc


def load(path: Path) -> list[Line]:
    """The lines of a chat that was saved as JSON. Raises NotSaved."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [_line(number, said) for number, said in enumerate(content["messages"], start=1) if said["role"] != "system"]
    except OSError as exc:
        raise NotSaved(f"{path} cannot be read: {exc.strerror}.") from exc
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise NotSaved(f"{path} is not a chat that was saved as JSON.") from exc


def _line(number: int, said: Mapping[str, object]) -> Line:
    own = {"user": False, "assistant": True}[str(said["role"])]
    text, author = said["content"], said.get("name") or ""
    if not (isinstance(text, str) and isinstance(author, str)):
        raise ValueError("not a line")
    return Line(number, author, text, own)


def _as_json(dialogue: Dialogue, now: datetime) -> str:
    messages = [{"role": "system", "content": dialogue.system}] if dialogue.system else []
    messages += [{"role": "assistant" if line.is_self else "user", "name": line.author, "content": line.text} for line in dialogue.lines]
    content = {"model": dialogue.model, "saved_at": now.isoformat(timespec="seconds"), "messages": messages}
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _as_markdown(dialogue: Dialogue, now: datetime) -> str:
    said = [f"# A chat with {dialogue.model}", f"{now:%Y-%m-%d %H:%M}"]
    if dialogue.system:
        said.append(f"*{dialogue.system}*")
    said += [f"**{line.author or NOBODY}:** {line.text}" for line in dialogue.lines]
    return printable("\n\n".join(said)) + "\n"  # somebody will `cat` it


_FORMS = {".md": _as_markdown, ".markdown": _as_markdown, ".json": _as_json}
