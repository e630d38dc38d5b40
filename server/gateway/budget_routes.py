"""What a caller has used of its own limits, for a bot's `/budget`: of the key that asks, and of the communities that it is for."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from server.accounts import Principal, Scope
from server.gateway.admin.limit_desk import LimitDesk
from server.gateway.admin.limit_routes import payer
from server.gateway.admin.money_schemas import state_document
from server.gateway.auth import Authenticator
from server.gateway.errors import ModelNotFound


def build_budget_router(*, authenticator: Authenticator, desk: LimitDesk, currency: str) -> APIRouter:
    def talker(request: Request) -> Principal:
        return authenticator.admit(request.scope, Scope.CHAT, Scope.EVALUATE)

    router = APIRouter()

    @router.get("/v1/usage")
    async def own(
        caller: Annotated[Principal, Depends(talker)],
        community: Annotated[str, Query(max_length=63, description="Only this one; needed by keys for all communities to see any.")] = "",
    ) -> Response:
        """What is left of each limit, and when there is more."""
        key, communities = await desk.own(caller, _asked(caller, community))
        shown = {name: state_document(state) for name, state in communities.items()}
        return JSONResponse({"object": "usage", "currency": currency, "key": state_document(key), "communities": shown})

    return router


def _asked(caller: Principal, community: str) -> list[str]:
    if not community:
        return sorted(caller.communities or ())
    if caller.communities is not None and community not in caller.communities:
        raise ModelNotFound(f"The community {community!r} does not exist or you do not have access to it.", param="community")
    return [payer(community)]
