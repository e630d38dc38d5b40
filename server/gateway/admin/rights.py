"""Who may use which part of the admin API. A router names one of these as its dependency, and they run before a body is read.

What is refused here is refused by the name alone, whether there is such a community or not.
"""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from server.accounts import Principal, Scope
from server.gateway.auth import Authenticator
from server.gateway.errors import Forbidden

Bearer = Annotated[object, Depends(HTTPBearer(auto_error=False, scheme_name="adminKey"))]
"""For the OpenAPI document only."""


class Rights:
    """Each raises Unauthorized, Forbidden or KeysUnavailable."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def operator(self, request: Request, _: Bearer) -> Principal:
        """Of the installation as a whole."""
        caller = self.keeper(request, _)
        if not caller.may(Scope.ADMIN):
            raise Forbidden("This key administers communities of its own, and not the whole installation.")
        return caller

    def keeper(self, request: Request, _: Bearer) -> Principal:
        """Of keys: whose, is for each of them to say."""
        return self._authenticator.admit(request.scope, Scope.ADMIN)

    def publisher(self, request: Request, _: Bearer) -> Principal:
        """Of any community's adapters."""
        return self._authenticator.admit(request.scope, Scope.ADMIN, Scope.PUBLISH)

    def of_community(self, request: Request, _: Bearer) -> Principal:
        """Of the adapters of the community in the path."""
        caller = self.publisher(request, _)
        if not governs(caller, request.path_params["community"]):
            raise Forbidden("This key is not for this community.")
        return caller


def governs(caller: Principal, community: str) -> bool:
    """Whether this key may publish there and move aliases."""
    return caller.may(Scope.ADMIN, community) or caller.may(Scope.PUBLISH, community)


def author(caller: Principal) -> str:
    """Who did it, for the record, where nobody said a name."""
    return "admin" if Scope.ADMIN in caller.scopes else f"key {caller.key_id}"
