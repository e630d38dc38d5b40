"""Who is calling: a key becomes a principal. Knows three keys, their hashes only; tables of keys are not here."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pydantic import SecretStr

from server.gateway.errors import Forbidden, Unauthorized
from server.gateway.settings import MAX_KEY_LENGTH


class Scope(StrEnum):
    CHAT = "chat"
    EVALUATE = "evaluate"
    ADMIN = "admin"


@dataclass(frozen=True)
class Principal:
    """Somebody whose key was right. No scope contains another: an admin key cannot chat, and an evaluate key has two scopes."""

    scopes: frozenset[Scope]


class Authenticator:
    """Compares keys by their SHA-256, all of them every time, in constant time."""

    def __init__(self, *, chat: SecretStr | None, admin: SecretStr | None, evaluate: SecretStr | None = None) -> None:
        keys = (({Scope.CHAT}, chat), ({Scope.CHAT, Scope.EVALUATE}, evaluate), ({Scope.ADMIN}, admin))
        self._known = [(scopes, _hash(key.get_secret_value().encode())) for scopes, key in keys if key is not None]

    def require(self, scope: Scope, headers: Iterable[tuple[bytes, bytes]]) -> Principal:
        """The caller, if its key opens `scope`. `headers`: lower-case names, as in ASGI. Raises Unauthorized or Forbidden."""
        given = [value for name, value in headers if name == b"authorization"]
        kind, _, key = (given[0] if len(given) == 1 else b"").partition(b" ")
        key = key.strip()
        if kind.lower() != b"bearer" or not 0 < len(key) <= MAX_KEY_LENGTH:
            raise Unauthorized("Send your API key in a header of this form: Authorization: Bearer YOUR_KEY.")
        digest = _hash(key)
        matching = [known for known, expected in self._known if hmac.compare_digest(digest, expected)]
        scopes = frozenset().union(*matching)
        if not scopes:
            raise Unauthorized("This API key is not known here.")
        if scope not in scopes:
            raise Forbidden(f"This key is not for {scope} calls: use the {scope} key.")
        return Principal(scopes)


def _hash(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
