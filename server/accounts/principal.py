"""Who is calling, and what that one may do. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from adapters.registry import BASE, BadName
from adapters.registry.names import check_community
from server.accounts.errors import BadGrant

MAX_COMMUNITIES = 1000


class Scope(StrEnum):
    CHAT = "chat"
    """Ask models for answers."""
    EVALUATE = "evaluate"
    """Ask for log-probabilities of prompts too."""
    PUBLISH = "publish"
    """Publish adapters and move aliases."""
    ADMIN = "admin"
    """Operate: keys, limits, usage, status."""


GENERATES = frozenset({Scope.CHAT, Scope.EVALUATE})
"""What costs engine time, and so never goes together with ADMIN: a key that can lift budgets is under no budget."""


@dataclass(frozen=True)
class Principal:
    """Somebody whose key was right. No scope contains another."""

    key_id: str
    scopes: frozenset[Scope]
    communities: frozenset[str] | None
    """None: all that there are and will be."""

    def may(self, scope: Scope, community: str | None = None) -> bool:
        """Whether this key opens `scope` for `community`.

        Without a community: for the installation as a whole, which only keys for all communities may. `base` belongs to nobody: whoever
        may chat or evaluate anywhere may do it with the base.
        """
        if scope not in self.scopes:
            return False
        return self.communities is None or community in self.communities or (community == BASE and scope in GENERATES)

    def may_govern(self, communities: frozenset[str] | None) -> bool:
        """Whether this key may see, make, replace and revoke keys for `communities` (None: all): those for its own communities only."""
        if Scope.ADMIN not in self.scopes:
            return False
        return self.communities is None or (communities is not None and communities <= self.communities)

    def payer(self, community: str) -> str:
        """The account that a request for `community` is charged to, and whose caches it shares: for `base` the key's only community.

        A key for several communities has no way to say which one asks the base: that goes to an account of the base's own.
        """
        if community == BASE and self.communities is not None and len(self.communities) == 1:
            return next(iter(self.communities))
        return community


def check_grant(scopes: Iterable[str], communities: Iterable[str] | None) -> tuple[frozenset[Scope], frozenset[str] | None]:
    """What a key is made with, in its proper types. Raises BadGrant."""
    known = {str(scope) for scope in Scope}
    asked = set(scopes)
    if not asked or asked - known:
        raise BadGrant(f"A key needs one or more of these scopes: {', '.join(Scope)}.")
    granted = frozenset(Scope(scope) for scope in asked)
    if Scope.ADMIN in granted and granted & GENERATES:
        raise BadGrant("An admin key cannot chat or evaluate, since it could lift its own budget: make a second key for that.")
    if communities is None:
        return granted, None
    bound = frozenset(communities)
    if not 0 < len(bound) <= MAX_COMMUNITIES:
        raise BadGrant(f"A key is for 1 to {MAX_COMMUNITIES} communities, or for all: name them, or none at all.")
    for community in bound:
        try:
            check_community(community)
        except BadName as exc:
            raise BadGrant(str(exc)) from exc
    return granted, bound
