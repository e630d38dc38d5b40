"""The admin API: HTTP around what `moves` does and the registry knows. Every route needs a key with the right to it, before a body is read.

Bodies are read here and not by FastAPI, which would read them whole before anything else, key or no key.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import JSONResponse

from adapters.registry import BASE, CANARY, BadName, InvalidAdapter, Manifest, Pointer
from adapters.registry.diff import changes
from adapters.registry.lora_config import FILE as CONFIG
from adapters.registry.names import ALIAS, check_community
from adapters.registry.safetensors_header import FILE as WEIGHTS
from server.accounts import Principal
from server.accounts.cloud_events import Seal
from server.fleet.fleet import Fleet
from server.gateway.admin import schemas
from server.gateway.admin.documents import body_of, read_document, refusals
from server.gateway.admin.feedback_routes import add_canary_policy, build_feedback_admin_router
from server.gateway.admin.key_routes import build_key_router
from server.gateway.admin.limit_routes import build_limit_router
from server.gateway.admin.moves import Moved, Moves
from server.gateway.admin.rights import Rights, author, governs
from server.gateway.admin.uploads import Uploads
from server.gateway.admin.usage_routes import build_usage_router
from server.gateway.directory import Directory
from server.gateway.errors import AdapterNotFound, InvalidRequest
from server.gateway.parts import Parts
from server.gateway.registry import Registry

_UPLOAD_FORM = {
    "type": "object",
    "required": [CONFIG, WEIGHTS],
    "additionalProperties": False,
    "properties": {
        CONFIG: {"type": "string", "format": "binary"},
        WEIGHTS: {"type": "string", "format": "binary"},
        "training": {"type": "string", "description": "The training manifest, a JSON object."},
        "report_card": {"type": "string", "description": "The evaluation, a JSON object."},
        "by": {"type": "string", "maxLength": 100, "description": "Who publishes this, for the record; without it, the key."},
    },
}


def community_name(community: Annotated[str, Path(description="A community's id.")]) -> str:
    try:
        return check_community(community)
    except BadName as exc:
        raise InvalidRequest(str(exc), param="community") from exc


def alias_name(alias: Annotated[str, Path(description="`live`, `canary`, or a name of your own.")]) -> str:
    if not ALIAS.fullmatch(alias) or alias == BASE:
        raise InvalidRequest(
            f"{alias[:80]!r} cannot be an alias: use 1 to 32 lower-case letters, digits and dashes, a letter first.", param="alias"
        )
    return alias


Community = Annotated[str, Depends(community_name)]
Alias = Annotated[str, Depends(alias_name)]
Version = Annotated[int, Path(ge=1, lt=1 << 31)]


def build_admin_router(
    parts: Parts,
    *,
    rights: Rights,
    mode: str,
    base_name: str,
    seal: Seal,
    body_timeout: float,
    document: Callable[[], Mapping[str, Any]],
) -> APIRouter:
    """All of /admin/v1. `mode`: what stays of the engine while nobody talks. `seal`: of exported events. `document` makes the OpenAPI
    document."""
    router = APIRouter(prefix="/admin/v1", tags=["admin"], responses=refusals(401, 403, 503))

    @router.get("/openapi.json", include_in_schema=False, dependencies=[Depends(rights.publisher)])
    async def openapi() -> Response:
        return JSONResponse(await asyncio.to_thread(document))

    whole = APIRouter(dependencies=[Depends(rights.operator)])
    _add_status(whole, parts, mode, base_name)
    _add_upkeep(whole, parts.registry, parts.directory)
    adapters = APIRouter(prefix="/communities")
    _add_list(adapters, rights, parts.directory)
    one = APIRouter(prefix="/{community}", dependencies=[Depends(rights.of_community)])
    _add_looking(one, parts.directory, parts.registry)
    _add_versions(one, rights, parts.moves, parts.uploads, body_timeout)
    _add_aliases(one, rights, parts.moves, body_timeout)
    add_canary_policy(one, rights, parts.feedback, body_timeout)
    adapters.include_router(one)
    keys = build_key_router(rights=rights, desk=parts.keys, body_timeout=body_timeout)
    limits = build_limit_router(rights=rights, desk=parts.limits, currency=seal.currency, body_timeout=body_timeout)
    usage = build_usage_router(rights=rights, books=parts.books, seal=seal)
    feedback = build_feedback_admin_router(rights=rights, desk=parts.feedback, body_timeout=body_timeout)
    for each in (whole, adapters, keys, limits, usage, feedback):
        router.include_router(each)
    return router


def _add_status(router: APIRouter, parts: Parts, mode: str, base_name: str) -> None:
    directory, ledger = parts.directory, parts.books.ledger

    @router.get("/status", response_model=schemas.Status, summary="Say how the gateway and its neighbours are")
    async def status() -> Response:
        """Also why the engine is not there, and whether the registry can be read. `models`: what callers see."""
        snapshot = directory.snapshot
        return JSONResponse({
            "engine": _engine(parts.fleet, mode),
            "registry": {"revision": snapshot.revision if snapshot else None, "failure": directory.failure},
            "keys": {"failure": parts.keys.failure},
            "ledger": {"failure": ledger.failure, "unsettled": ledger.unsettled},
            "base": base_name,
            "models": [entry["id"] for entry in directory.models(within=None)] if snapshot else [BASE],
        })  # fmt: skip


def _add_list(router: APIRouter, rights: Rights, directory: Directory) -> None:
    @router.get("", response_model=schemas.Communities, summary="List the communities")
    async def list_communities(caller: Annotated[Principal, Depends(rights.publisher)]) -> Response:
        """That the key is for, with how many versions they have and where their aliases point."""
        snapshot = await directory.refresh()
        entries = [
            {"community": name, "versions": len(snapshot.versions[name]), "aliases": _pointers(snapshot.pointers(name))}
            for name in snapshot.communities()
            if governs(caller, name)
        ]
        return JSONResponse({"communities": entries})


def _add_looking(router: APIRouter, directory: Directory, registry: Registry) -> None:
    @router.get(
        "",
        response_model=schemas.CommunityAdapters,
        summary="List a community's versions",
        responses=refusals(400, 404),
    )
    async def show_community(community: Community) -> Response:
        """Oldest first, without training manifests and report cards."""
        snapshot = await directory.refresh()
        if community not in snapshot.versions:
            raise AdapterNotFound(f"There is no community {community!r}.")
        listed = [_listed(manifest) for manifest in snapshot.manifests(community)]
        return JSONResponse({"community": community, "aliases": _pointers(snapshot.pointers(community)), "adapters": listed})

    @router.get(
        "/adapters/{version}",
        response_model=schemas.Adapter,
        summary="Show one version",
        responses=refusals(400, 404),
    )
    async def show_adapter(community: Community, version: Version) -> Response:
        """With its training manifest and its report card."""
        return JSONResponse((await registry.show(community, version)).to_json())

    @router.get(
        "/adapters/{version}/diff/{other}",
        response_model=schemas.Diff,
        summary="Say what differs between two versions",
        responses=refusals(400, 404),
    )
    async def diff(community: Community, version: Version, other: Version) -> Response:
        """Field by field, inside the training manifest and the report card too."""
        before, after = await registry.show(community, version), await registry.show(community, other)
        found = await asyncio.to_thread(changes, before, after)  # report cards can be long
        return JSONResponse({"from": version, "to": other, "changes": [change.to_json() for change in found]})


def _add_versions(router: APIRouter, rights: Rights, moves: Moves, uploads: Uploads, body_timeout: float) -> None:
    Caller = Annotated[Principal, Depends(rights.of_community)]  # noqa: N806  a type

    @router.post(
        "/adapters",
        response_model=schemas.Adapter,
        status_code=201,
        summary="Publish an adapter",
        responses={
            200: {"model": schemas.Adapter, "description": "These bytes are a version already: this one."},
            **refusals(400, 408, 409, 413),
        },
        openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _UPLOAD_FORM}}}},
    )
    async def publish(request: Request, community: Community, caller: Caller) -> Response:
        """It is checked whole before anything is stored. No alias moves: nobody is answered by it yet."""
        async with uploads.receive(request.headers, request.receive) as (folder, documents):
            try:
                documents = replace(documents, by=documents.by or author(caller))
                manifest, is_new = await moves.publish(community, folder, documents)
            except InvalidAdapter as exc:  # whose sentence may say where the files lie
                raise InvalidRequest(str(exc).replace(str(folder), "the upload"), param=exc.field) from exc
        return JSONResponse(manifest.to_json(), status_code=201 if is_new else 200)

    @router.post(
        "/adapters/{version}/retire",
        response_model=schemas.Adapter,
        summary="Retire a version for good",
        responses=refusals(400, 404, 409),
    )
    async def retire(community: Community, version: Version, caller: Caller) -> Response:
        """Not while an alias points at it. The next gc removes its bytes."""
        return JSONResponse((await moves.retire(community, version, by=author(caller))).to_json())

    @router.post(
        "/adapters/{version}/quarantine",
        response_model=schemas.Adapter,
        summary="Stop serving a version",
        responses=refusals(400, 404, 408, 413),
        openapi_extra=body_of(schemas.Quarantine, required=True),
    )
    async def quarantine(request: Request, community: Community, version: Version) -> Response:
        """At once, whatever points at it: who asks for such an alias gets an error until it moves."""
        wanted = await read_document(request, schemas.Quarantine, body_timeout)
        return JSONResponse((await moves.quarantine(community, version, wanted.reason)).to_json())


def _add_aliases(router: APIRouter, rights: Rights, moves: Moves, body_timeout: float) -> None:
    Caller = Annotated[Principal, Depends(rights.of_community)]  # noqa: N806  a type

    @router.put(
        "/aliases/{alias}",
        response_model=schemas.MovedAlias,
        summary="Let an alias mean a version",
        responses=refusals(400, 404, 408, 409, 413),
        openapi_extra=body_of(schemas.MoveAlias, required=True),
    )
    async def put_alias(request: Request, community: Community, alias: Alias, caller: Caller) -> Response:
        """The version first answers a trial on the engine; if it fails, nothing moves. From then on the next request gets it.

        One whose report card says that it failed its gates does not become `live` or `canary` without an `override`.
        """
        wanted = await read_document(request, schemas.MoveAlias, body_timeout)
        if (alias == CANARY) != (wanted.share is not None):
            words = "is needed for canary: send 0 to 100 percent" if alias == CANARY else "is for canary only: leave it out"
            raise InvalidRequest(f"share {words}.", param="share")
        by = wanted.by or author(caller)
        return _moved(await moves.point(community, alias, wanted.version, wanted.share, by=by, override=wanted.override))

    @router.delete(
        "/aliases/{alias}",
        status_code=204,
        response_model=None,
        summary="Take an alias away",
        responses=refusals(400, 404, 409),
    )
    async def delete_alias(community: Community, alias: Alias, caller: Caller) -> Response:
        """Any but `live`, which only moves."""
        await moves.clear(community, alias, by=author(caller))
        return Response(status_code=204)

    @router.post(
        "/rollback",
        response_model=schemas.MovedAlias,
        summary="Let an alias mean what it meant before",
        responses=refusals(400, 404, 408, 409, 413),
        openapi_extra=body_of(schemas.Rollback, required=False),
    )
    async def rollback(request: Request, community: Community, caller: Caller) -> Response:
        """`live` if the body names no alias. While no engine answers it moves without a trial."""
        wanted = await read_document(request, schemas.Rollback, body_timeout)
        return _moved(await moves.rollback(community, alias_name(wanted.alias), by=wanted.by or author(caller)))


def _add_upkeep(router: APIRouter, registry: Registry, directory: Directory) -> None:
    @router.post("/gc", response_model=schemas.Garbage, summary="Remove bytes that no version holds")
    async def gc() -> Response:
        """Also uploads to the store that were never finished."""
        garbage = await registry.gc()
        return JSONResponse({"removed": list(garbage.removed), "uploads": garbage.uploads})

    @router.post("/verify", response_model=schemas.Verified, summary="Compare all stored bytes with their digests")
    async def verify() -> Response:
        """Reads everything: it takes as long as the store takes to read."""
        verified = await registry.verify()
        await directory.refresh()
        damaged = [
            {
                "community": damage.manifest.community,
                "version": damage.manifest.version,
                "digest": damage.manifest.digest,
                "reason": damage.reason,
            }
            for damage in verified.damaged
        ]
        return JSONResponse({"checked": verified.checked, "damaged": damaged})


def _engine(fleet: Fleet, mode: str) -> dict[str, Any]:
    return {
        "state": fleet.state,
        "failure": fleet.failure.sentence if fleet.failure else None,
        "mode": mode,
        "waiting": fleet.waiting,
        "in_flight": fleet.in_flight,
        "wakes": fleet.wakes,
        "failed_wakes": fleet.failed_wakes,
        "last_wake_seconds": fleet.last_wake_seconds,
        "idle_seconds": fleet.idle_seconds,
    }


def _pointers(pointers: Mapping[str, Pointer]) -> dict[str, Any]:
    return {alias: {"version": pointer.version, "share": pointer.share} for alias, pointer in pointers.items()}


def _listed(manifest: Manifest) -> dict[str, Any]:
    content = manifest.to_json()
    del content["training"], content["report_card"]
    return content


def _moved(moved: Moved) -> Response:
    return JSONResponse({
        "community": moved.manifest.community,
        "alias": moved.alias,
        "version": moved.pointer.version,
        "share": moved.pointer.share,
        "adapter": moved.manifest.to_json(),
    })  # fmt: skip
