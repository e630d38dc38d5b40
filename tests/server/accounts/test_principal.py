"""What a key opens, and which keys must not be made."""

import pytest

from server.accounts import BadGrant, Principal, Scope
from server.accounts.principal import MAX_COMMUNITIES, check_grant

ALL = None


def principal(*scopes: Scope, communities: frozenset[str] | None = frozenset({"zizou"})) -> Principal:
    return Principal("key", frozenset(scopes), communities)


@pytest.mark.parametrize(
    ("scopes", "communities", "scope", "community", "allowed"),
    [
        ({Scope.CHAT}, {"zizou"}, Scope.CHAT, "zizou", True),
        ({Scope.CHAT}, {"zizou"}, Scope.CHAT, "greybeards", False),
        ({Scope.CHAT}, {"zizou"}, Scope.CHAT, "base", True),  # it belongs to nobody
        ({Scope.CHAT}, {"zizou"}, Scope.CHAT, None, False),  # the installation as a whole
        ({Scope.CHAT}, {"zizou"}, Scope.EVALUATE, "zizou", False),
        ({Scope.CHAT}, ALL, Scope.CHAT, "made-tomorrow", True),
        ({Scope.EVALUATE}, {"zizou"}, Scope.CHAT, "zizou", False),  # no scope contains another
        ({Scope.PUBLISH}, {"zizou"}, Scope.PUBLISH, "zizou", True),
        ({Scope.PUBLISH}, {"zizou"}, Scope.PUBLISH, "greybeards", False),
        ({Scope.PUBLISH}, {"zizou"}, Scope.PUBLISH, "base", False),
        ({Scope.PUBLISH}, {"zizou"}, Scope.CHAT, "zizou", False),
        ({Scope.ADMIN}, ALL, Scope.ADMIN, None, True),
        ({Scope.ADMIN}, ALL, Scope.CHAT, "zizou", False),
        ({Scope.ADMIN}, ALL, Scope.CHAT, "base", False),
        ({Scope.ADMIN}, ALL, Scope.PUBLISH, "zizou", False),
        ({Scope.ADMIN}, {"zizou"}, Scope.ADMIN, "zizou", True),
        ({Scope.ADMIN}, {"zizou"}, Scope.ADMIN, None, False),
        ({Scope.ADMIN}, {"zizou"}, Scope.ADMIN, "base", False),
    ],
)
def test_what_a_key_may(scopes: set[Scope], communities: set[str] | None, scope: Scope, community: str | None, allowed: bool) -> None:
    """A scope, for a community that it is bound to."""
    bound = None if communities is None else frozenset(communities)
    assert principal(*scopes, communities=bound).may(scope, community) is allowed


def test_who_may_govern_keys() -> None:
    """A community's own admin has a hand on its keys only, and on none that also opens another's."""
    everything, own = principal(Scope.ADMIN, communities=ALL), principal(Scope.ADMIN)
    assert everything.may_govern(ALL)
    assert everything.may_govern(frozenset({"greybeards"}))
    assert own.may_govern(frozenset({"zizou"}))
    assert not own.may_govern(frozenset({"zizou", "greybeards"}))
    assert not own.may_govern(ALL)
    assert not principal(Scope.PUBLISH, communities=ALL).may_govern(frozenset({"zizou"}))


def test_who_pays_for_the_base() -> None:
    """The key's community, where it has just one."""
    assert principal(Scope.CHAT).payer("base") == "zizou"
    assert principal(Scope.CHAT).payer("zizou") == "zizou"
    assert principal(Scope.CHAT, communities=ALL).payer("base") == "base"
    assert principal(Scope.CHAT, communities=frozenset({"zizou", "greybeards"})).payer("base") == "base"


@pytest.mark.parametrize("scopes", [{"admin", "chat"}, {"admin", "evaluate"}, {"admin", "chat", "evaluate", "publish"}])
def test_an_admin_key_never_generates(scopes: set[str]) -> None:
    """The sentence says what to do."""
    with pytest.raises(BadGrant, match="make a second key"):
        check_grant(scopes, None)


@pytest.mark.parametrize(
    ("scopes", "communities"),
    [
        (set(), None),
        ({"chat", "root"}, None),
        ({"chat"}, set()),
        ({"chat"}, {"base"}),
        ({"chat"}, {"Zizou"}),
        ({"chat"}, {"zizou\n"}),
        ({"chat"}, {"a' OR 1=1 --"}),
        ({"chat"}, {f"c{number}" for number in range(MAX_COMMUNITIES + 1)}),
    ],
)
def test_grants_that_cannot_be(scopes: set[str], communities: set[str] | None) -> None:
    """Unknown scopes, names that are no community's, none at all, too many."""
    with pytest.raises(BadGrant):
        check_grant(scopes, communities)


def test_grants_that_can_be() -> None:
    """An admin key may publish too."""
    assert check_grant(["admin", "publish"], None) == (frozenset({Scope.ADMIN, Scope.PUBLISH}), None)
    assert check_grant(["chat"], ["zizou", "zizou"]) == (frozenset({Scope.CHAT}), frozenset({"zizou"}))
