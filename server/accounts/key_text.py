"""A key as people paste it: `tr_<id>_<secret>`. Pure: knows no table of keys.

The id may be shown in lists and logs; the secret is shown once, and only its hash is kept. A secret is random (190 bits), so one round
of SHA-256 is as good as a slow hash: there is nothing to guess. The pepper is for a stolen table: without it no row can even be tested.
"""

import hashlib
import re
import secrets
import string
from dataclasses import dataclass

KEY_ID = re.compile(r"[0-9a-z]{8,16}")
KEY = re.compile(r"tr_([0-9a-z]{8,16})_[0-9A-Za-z_-]{27,86}")
"""27 characters of a secret are 160 bits. Secrets of today have neither `_` nor `-`; those of keys made before there was a table do."""

MAX_LENGTH = 512
"""Of anything that is looked at as if it were a key."""

_LETTERS = string.digits + string.ascii_letters
_ID_LETTERS = string.digits + string.ascii_lowercase
_ID_LENGTH, _SECRET_LENGTH = 12, 32


@dataclass(frozen=True, repr=False)
class NewKey:
    """A key that nobody has seen yet."""

    id: str
    text: str

    def __repr__(self) -> str:
        """Without the secret: it may come into a log."""
        return f"NewKey({self.id!r})"


def make_key() -> NewKey:
    key_id = "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH))
    secret = "".join(secrets.choice(_LETTERS) for _ in range(_SECRET_LENGTH))
    return NewKey(key_id, f"tr_{key_id}_{secret}")


def parse_key(text: str) -> str | None:
    """The id of a text that could be a key, None for any other text. Looks at MAX_LENGTH characters at the most."""
    if len(text) > MAX_LENGTH:
        return None
    match = KEY.fullmatch(text)
    return match[1] if match else None


def hash_key(pepper: bytes, text: str) -> bytes:
    """SHA-256 of the pepper and the key. The id is hashed with its secret, so a hash is worth nothing in another key's row."""
    return hashlib.sha256(pepper + text.encode("utf-8", "surrogatepass")).digest()
