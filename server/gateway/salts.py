"""What keeps the engine's prefix caches apart: one salt for each account that pays. Pure."""

import hmac
from functools import lru_cache

from adapters.registry import BASE
from server.accounts import Principal

_REMEMBERED = 4096
"""Accounts whose salt is not worked out for every request."""


class Salts:
    """Made from a secret that no caller knows, so that nobody can ask for another's."""

    def __init__(self, secret: bytes) -> None:
        self._of = lru_cache(maxsize=_REMEMBERED)(lambda account: hmac.digest(secret, account.encode(), "sha256").hex())

    def salt(self, caller: Principal, tenant: str) -> str:
        """64 hex digits. `tenant`: the community that is asked for, or the base.

        Who talks to the base is told from the key's community; a key for several communities shares the base's cache with nobody.
        """
        payer = caller.payer(tenant)
        account = f"key {caller.key_id}" if payer == BASE else payer  # with a blank, which no community has in its name
        return self._of(account)
