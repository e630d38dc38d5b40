"""Who is calling: the key in a request's head becomes a principal. In memory only; what is true of keys, the ring knows."""

from collections.abc import Iterable

from server.accounts import MAX_LENGTH, InvalidKey, KeyRing, KeysUnavailable, Principal, Scope
from server.gateway import errors
from server.gateway.errors import Forbidden, Unauthorized
from server.gateway.record import SCOPE_KEY
from server.gateway.reply import Scope as AsgiScope

API_KEY = b"x-api-key"
"""The header of Anthropic's SDKs."""


class Authenticator:
    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def admit(self, request: AsgiScope, *scopes: Scope) -> Principal:
        """The caller of this request, if its key has one of `scopes`. Its id, never the key, is noted for the log.

        Which communities the key is for is not looked at here. Raises Unauthorized, Forbidden or KeysUnavailable.
        """
        caller = self.identify(request["headers"])
        request[SCOPE_KEY].key_id = caller.key_id
        if caller.scopes.isdisjoint(scopes):
            words = " or ".join(scopes)
            raise Forbidden(f"This key is not for {words} calls: use the {words} key.")
        return caller

    def identify(self, headers: Iterable[tuple[bytes, bytes]]) -> Principal:
        """`headers`: lower-case names, as in ASGI. Raises Unauthorized or KeysUnavailable."""
        given = [b"Bearer " + value if name == API_KEY else value for name, value in headers if name in (b"authorization", API_KEY)]
        kind, _, key = (given[0] if len(given) == 1 else b"").partition(b" ")
        key = key.strip()
        if kind.lower() != b"bearer" or not 0 < len(key) <= MAX_LENGTH:
            raise Unauthorized("Send your API key in a header of this form: Authorization: Bearer YOUR_KEY.")
        try:
            return self._ring.find(key.decode("latin-1"))
        except InvalidKey as exc:
            raise Unauthorized(str(exc)) from exc
        except KeysUnavailable as exc:
            raise errors.KeysUnavailable(str(exc), retry_after=exc.retry_after) from exc
