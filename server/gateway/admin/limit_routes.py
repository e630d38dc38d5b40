"""The admin API's routes for limits and prices."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import JSONResponse

from adapters.registry import BASE, BadName
from adapters.registry.names import check_community
from server.accounts import Principal
from server.gateway.admin import money_schemas
from server.gateway.admin.documents import body_of, read_document, refusals
from server.gateway.admin.key_routes import KeyId
from server.gateway.admin.limit_desk import Account, LimitDesk
from server.gateway.admin.money_schemas import price_document, state_document, terms_document
from server.gateway.admin.rights import Rights
from server.gateway.errors import InvalidRequest


def payer(community: Annotated[str, Path(description="A community's id; or `base`, for what nobody else pays.")]) -> str:
    try:
        return community if community == BASE else check_community(community)
    except BadName as exc:
        raise InvalidRequest(str(exc), param="community") from exc


Payer = Annotated[str, Depends(payer)]


def build_limit_router(*, rights: Rights, desk: LimitDesk, currency: str, body_timeout: float) -> APIRouter:
    Keeper = Annotated[Principal, Depends(rights.keeper)]  # noqa: N806  a type
    router = APIRouter(prefix="/limits", dependencies=[Depends(rights.keeper)])

    @router.get("", response_model=money_schemas.AllTerms, summary="List prices and limits")
    async def list_limits(caller: Keeper) -> Response:
        """What holds for everybody, and with whom of the communities that this key administers something else was agreed."""
        agreed = await desk.all(caller)
        community, key = desk.defaults
        return JSONResponse({
            "prices": price_document(desk.prices, currency),
            "defaults": {"community": terms_document(community), "key": terms_document(key)},
            "communities": {name: terms_document(terms) for name, terms in agreed.communities.items()},
            "keys": {key_id: terms_document(terms) for key_id, terms in agreed.keys.items()},
        })  # fmt: skip

    _add_communities(router, rights, desk, body_timeout)
    _add_keys(router, rights, desk, body_timeout)
    return router


def _add_communities(router: APIRouter, rights: Rights, desk: LimitDesk, body_timeout: float) -> None:
    Keeper = Annotated[Principal, Depends(rights.keeper)]  # noqa: N806  a type
    Operator = Annotated[Principal, Depends(rights.operator)]  # noqa: N806  a type

    @router.get(
        "/communities/{community}", response_model=money_schemas.Account, summary="Show a community's limits", responses=refusals(400)
    )
    async def show_community(community: Payer, caller: Keeper) -> Response:
        """And what is left of them."""
        return _shown(await desk.community(caller, community))

    @router.put(
        "/communities/{community}",
        response_model=money_schemas.Account,
        summary="Agree on a community's limits",
        responses=refusals(400, 408, 413),
        openapi_extra=body_of(money_schemas.NewTerms, required=True),
    )
    async def put_community(request: Request, community: Payer, caller: Operator) -> Response:
        """For keys of the whole installation. They hold for the next request; what runs goes on."""
        wanted = await read_document(request, money_schemas.NewTerms, body_timeout)
        return _shown(await desk.agree_with_community(caller, community, wanted.terms()))

    @router.delete(
        "/communities/{community}", response_model=money_schemas.Account, summary="Return to the default", responses=refusals(400)
    )
    async def clear_community(community: Payer, caller: Operator) -> Response:
        """For keys of the whole installation."""
        return _shown(await desk.agree_with_community(caller, community, None))


def _add_keys(router: APIRouter, rights: Rights, desk: LimitDesk, body_timeout: float) -> None:
    Keeper = Annotated[Principal, Depends(rights.keeper)]  # noqa: N806  a type

    @router.get("/keys/{key_id}", response_model=money_schemas.Account, summary="Show a key's limits", responses=refusals(404))
    async def show_key(key_id: KeyId, caller: Keeper) -> Response:
        """And what is left of them. Its community's hold beside them. Keys that the settings name are `set-chat` and `set-evaluate`."""
        return _shown(await desk.key(caller, key_id))

    @router.put(
        "/keys/{key_id}",
        response_model=money_schemas.Account,
        summary="Agree on a key's limits",
        responses=refusals(400, 404, 408, 413),
        openapi_extra=body_of(money_schemas.NewTerms, required=True),
    )
    async def put_key(request: Request, key_id: KeyId, caller: Keeper) -> Response:
        wanted = await read_document(request, money_schemas.NewTerms, body_timeout)
        return _shown(await desk.agree_with_key(caller, key_id, wanted.terms()))

    @router.delete("/keys/{key_id}", response_model=money_schemas.Account, summary="Return to the default", responses=refusals(404))
    async def clear_key(key_id: KeyId, caller: Keeper) -> Response:
        return _shown(await desk.agree_with_key(caller, key_id, None))


def _shown(account: Account) -> Response:
    content: dict[str, Any] = {"terms": terms_document(account.terms), "is_default": account.is_default}
    return JSONResponse({**content, "state": state_document(account.state)})
