"""The admin API's routes for keys. A key's text is in one answer, the one that makes it, and in no log."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import JSONResponse

from server.accounts import Created, Key, Principal
from server.gateway.admin import schemas
from server.gateway.admin.documents import body_of, read_document, refusals
from server.gateway.admin.key_desk import KeyDesk
from server.gateway.admin.rights import Rights

BODY_BYTES = 128 << 10
"""A key may be for a thousand communities."""
ONCE = {"cache-control": "no-store"}

KeyId = Annotated[str, Path(description="A key's id: what stands between the first and the second `_` of it.")]


def build_key_router(*, rights: Rights, desk: KeyDesk, body_timeout: float) -> APIRouter:
    Keeper = Annotated[Principal, Depends(rights.keeper)]  # noqa: N806  a type
    router = APIRouter(prefix="/keys", dependencies=[Depends(rights.keeper)])

    def shown(key: Key) -> dict[str, Any]:
        return {**key.to_json(), "opens": desk.opens(key)}

    def made(created: Created) -> dict[str, Any]:
        return {**shown(created.key), "key": created.text}

    @router.get("", response_model=schemas.Keys, summary="List the keys")
    async def list_keys(caller: Keeper) -> Response:
        """Those of the communities that this key administers, also those that have ended, the oldest first. Keys that the gateway's
        settings name are not among them."""
        return JSONResponse({"keys": [shown(key) for key in await desk.list(caller)]})

    @router.post(
        "",
        response_model=schemas.CreatedKey,
        status_code=201,
        summary="Make a key",
        responses=refusals(400, 408, 413),
        openapi_extra=body_of(schemas.NewKey, required=True),
    )
    async def create(request: Request, caller: Keeper) -> Response:
        """`key` in the answer is to be kept by whoever asked: it is shown this once."""
        wanted = await read_document(request, schemas.NewKey, body_timeout, limit=BODY_BYTES)
        communities = None if wanted.communities is None else frozenset(wanted.communities)
        lasts = None if wanted.expires_in is None else timedelta(seconds=wanted.expires_in)
        created = await desk.create(caller, wanted.name, wanted.scopes, communities, lasts=lasts)
        return JSONResponse(made(created), status_code=201, headers=ONCE)

    @router.post(
        "/{key_id}/rotate",
        response_model=schemas.RotatedKey,
        status_code=201,
        summary="Replace a key by a new one",
        responses=refusals(400, 404, 408, 409, 413),
        openapi_extra=body_of(schemas.Rotate, required=False),
    )
    async def rotate(request: Request, key_id: KeyId, caller: Keeper) -> Response:
        """With the same name, rights, limits and end. The old one goes on opening for `overlap` seconds, so that nobody is cut off
        meanwhile."""
        wanted = await read_document(request, schemas.Rotate, body_timeout)
        created = await desk.rotate(caller, key_id, timedelta(seconds=wanted.overlap))
        assert created.replaced is not None
        return JSONResponse({**made(created), "replaces": shown(created.replaced)}, status_code=201, headers=ONCE)

    @router.delete("/{key_id}", response_model=schemas.Key, summary="Revoke a key", responses=refusals(404))
    async def revoke(key_id: KeyId, caller: Keeper) -> Response:
        """For good, by this gateway at once and by others within a second. A key that replaced it is another one, and stays."""
        return JSONResponse(shown(await desk.revoke(caller, key_id)))

    return router
