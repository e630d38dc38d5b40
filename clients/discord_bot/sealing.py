"""Keys of communities as they lie in the bot's file: sealed, and of use to nobody who has the file alone.

AES-256-GCM with the guild's id as associated data, so that a key that is moved to another guild's row does not open.
"""

import base64
import binascii
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from clients.discord_bot.errors import StateBroken

SECRET_BYTES = 32
_NONCE_BYTES = 12


class Sealer:
    """`secret`: the bot's own 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(secret)

    def seal(self, guild: int, key: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key.encode(), _of(guild))

    def open(self, guild: int, sealed: bytes) -> str:
        """Raises StateBroken if it was sealed with another secret or for another guild."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _of(guild)).decode()
        except (InvalidTag, ValueError) as exc:
            raise StateBroken("A linked key does not open: the bot's state key is another than it was sealed with. Link again.") from exc


def state_key(path: Path, given: str | None = None) -> bytes:
    """The bot's secret: the one that is given, in base64, or the file's, which is made if it is not there. Raises StateBroken."""
    if given is not None:
        return _decoded(given)
    try:
        with suppress(FileExistsError):
            _make(path)
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                os.fchmod(file.fileno(), 0o600)
            secret = file.read(SECRET_BYTES + 1)
    except OSError as exc:
        raise StateBroken(f"The bot's key {path} cannot be used ({exc.strerror}): mend its permissions.") from exc
    if len(secret) != SECRET_BYTES:
        raise StateBroken(f"{path} is not a key of {SECRET_BYTES} bytes: put the backup back, or remove it and link every server again.")
    return secret


def _make(path: Path) -> None:
    """Whole, and its owner's alone from the first moment. Raises FileExistsError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    finally:
        temporary.unlink()


def _decoded(given: str) -> bytes:
    try:
        secret = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise StateBroken(
            f"TROUPE_BOT_STATE_KEY is not {SECRET_BYTES} bytes in base64: take what prints `openssl rand -base64 {SECRET_BYTES}`."
        )
    return secret


def _of(guild: int) -> bytes:
    return f"troupe bot, guild {guild}".encode()
