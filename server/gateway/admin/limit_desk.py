"""What an admin key may do with limits: see those of its own communities and their keys, and change those of keys. Knows nothing of HTTP.

What a community may use, and at which weight, only keys for the whole installation change: else whoever administers one community could
lift the budget that its operator set.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adapters.registry import DatabaseError
from server.accounts import KeyStore, Own, Principal, Scope, UnknownKey
from server.accounts.account_state import AccountState, read_balances, state_of
from server.accounts.books import Books
from server.accounts.errors import AccountsError
from server.accounts.key_text import KEY_ID
from server.accounts.limits import Balance
from server.accounts.prices import Prices
from server.accounts.terms import Terms, community_account, key_account
from server.gateway.errors import Forbidden, LedgerUnavailable
from server.gateway.translations import from_accounts

log = logging.getLogger("troupe.gateway")

CONFIGURED = frozenset(f"set-{own.value}" for own in Own)
"""The ids of keys that the gateway's settings name."""


@dataclass(frozen=True, slots=True)
class Account:
    terms: Terms
    is_default: bool
    state: AccountState


@dataclass(frozen=True, slots=True)
class Agreed:
    """By community and by key id."""

    communities: dict[str, Terms]
    keys: dict[str, Terms]


class LimitDesk:
    """Raises GatewayErrors. A change holds here at once, and with other gateways after their next look."""

    def __init__(self, books: Books, keys: KeyStore) -> None:
        self._books = books
        self._keys = keys

    @property
    def prices(self) -> Prices:
        return self._books.prices

    @property
    def defaults(self) -> tuple[Terms, Terms]:
        """Of each community and each key with which nothing else was agreed."""
        return self._books.terms.community, self._books.terms.key

    async def all(self, caller: Principal) -> Agreed:
        """With whom something else than the defaults was agreed, as far as it is this caller's business."""
        with _translated():
            held = await self._books.terms_store.all()
            named = {key.id: key.communities for key in await self._keys.list()} | dict.fromkeys(CONFIGURED)
        of = {account[2:]: terms for account, terms in held.items() if account.startswith("c:")}
        keys = {account[2:]: terms for account, terms in held.items() if account.startswith("k:")}
        return Agreed(
            {name: terms for name, terms in sorted(of.items()) if caller.may(Scope.ADMIN, name)},
            {name: terms for name, terms in sorted(keys.items()) if name in named and caller.may_govern(named[name])},
        )

    async def community(self, caller: Principal, community: str) -> Account:
        """`community`: checked, or `base`."""
        if not caller.may(Scope.ADMIN, community):
            raise Forbidden("This key is not for this community.")
        return await self._account(community_account(community), self._books.terms.of_community(community))

    async def key(self, caller: Principal, key_id: str) -> Account:
        await self._check(caller, key_id)
        return await self._account(key_account(key_id), self._books.terms.of_key(key_id))

    async def agree_with_community(self, caller: Principal, community: str, terms: Terms | None) -> Account:
        """None: the defaults hold again. `caller` administers the whole installation."""
        await self._change(caller, community_account(community), terms)
        return await self.community(caller, community)

    async def agree_with_key(self, caller: Principal, key_id: str, terms: Terms | None) -> Account:
        await self._check(caller, key_id)
        await self._change(caller, key_account(key_id), terms)
        return await self.key(caller, key_id)

    async def own(self, caller: Principal, communities: list[str]) -> tuple[AccountState, dict[str, AccountState]]:
        """What the caller's key, and these communities of its, have used."""
        terms, now = self._books.terms, self._books.clock_ns()
        key = key_account(caller.key_id)
        with _translated():
            held = await read_balances(self._books.database, [key, *map(community_account, communities)])
        states = {
            name: state_of(terms.of_community(name).limits, held.get(community_account(name), Balance()), now) for name in communities
        }
        return state_of(terms.of_key(caller.key_id).limits, held.get(key, Balance()), now), states

    async def _account(self, account: str, terms: Terms) -> Account:
        with _translated():
            held = await read_balances(self._books.database, [account])
        state = state_of(terms.limits, held.get(account, Balance()), self._books.clock_ns())
        return Account(terms, not self._books.terms.has(account), state)

    async def _change(self, caller: Principal, account: str, terms: Terms | None) -> None:
        with _translated():
            if terms is None:
                await self._books.terms_store.drop(account)
            else:
                await self._books.terms_store.put(account, terms)
            await self._books.terms.refresh()
        log.info("the limits of %s were changed by key %s", account, caller.key_id)

    async def _check(self, caller: Principal, key_id: str) -> None:
        """Keys of other communities are not there."""
        if key_id in CONFIGURED and caller.may(Scope.ADMIN):
            return
        with _translated():
            unknown = UnknownKey(f"There is no key {key_id[:16]!r}.")
            if not KEY_ID.fullmatch(key_id):
                raise unknown
            if not caller.may_govern((await self._keys.get(key_id)).communities):
                raise unknown


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except AccountsError as exc:
        raise from_accounts(exc) from exc
    except DatabaseError as exc:
        log.error("limits: %s", exc)
        raise LedgerUnavailable("Limits and usage cannot be read or changed at the moment.") from exc
