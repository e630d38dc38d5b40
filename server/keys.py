"""The keys of this installation: made once, kept in files that only the owner can read, shown when the gateway starts."""

import os
import secrets
from pathlib import Path

KEY_BYTES = 24


def make_key() -> str:
    """A new key, `tr_<id>_<secret>`: the id may be shown in lists, the secret never."""
    return f"tr_{secrets.token_hex(4)}_{secrets.token_urlsafe(KEY_BYTES)}"


def kept_key(path: Path) -> str:
    """The key in file `path`; made and stored there first if there is none. Raises OSError."""
    try:
        key = path.read_text().strip()
    except FileNotFoundError:
        key = ""
    if not key:
        key = make_key()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch = path.with_suffix(".new")
        scratch.unlink(missing_ok=True)
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key + "\n")
        os.replace(scratch, path)
    return key
