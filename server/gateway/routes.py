"""What is neither the hot path nor the admin API: models, health and metrics; and what any route says of an error."""

import json
import logging
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from adapters.registry import BASE, RegistryError
from server.accounts import Principal, Scope
from server.fleet.engine import EngineState
from server.gateway.body import CallerGone, read_body
from server.gateway.errors import (
    WENT_WRONG,
    GatewayError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    RouteNotFound,
    Stopping,
    UnsupportedParameter,
)
from server.gateway.metrics import CONTENT_TYPE, Metrics
from server.gateway.parts import Parts
from server.gateway.readiness import Readiness
from server.gateway.record import SCOPE_KEY
from server.gateway.strict_json import read_object
from server.gateway.translations import from_registry

log = logging.getLogger("troupe.gateway")

WARM_BYTES = 4 << 10


def build_router(parts: Parts, *, document: Mapping[str, Any], body_timeout: float) -> APIRouter:
    """All routes. What takes no `Principal` is open on purpose: health, metrics and the `document` of the API name nobody."""

    def talker(request: Request) -> Principal:
        return parts.authenticator.admit(request.scope, Scope.CHAT, Scope.EVALUATE)

    router, directory, fleet = APIRouter(), parts.directory, parts.fleet

    @router.get("/v1/models")
    async def list_models(caller: Annotated[Principal, Depends(talker)]) -> dict[str, Any]:
        """The base and every community of the key's that has a live adapter."""
        return {"object": "list", "data": directory.models(within=caller.communities)}

    @router.get("/v1/models/{model}")
    @router.get("/v1/models/{model:path}", include_in_schema=False)  # a name with slashes, as others have them, is of no model here
    async def get_model(model: str, caller: Annotated[Principal, Depends(talker)]) -> dict[str, Any]:
        return directory.model(model, within=caller.communities)

    @router.post("/v1/warm")
    async def warm(request: Request, caller: Annotated[Principal, Depends(talker)]) -> JSONResponse:
        """Somebody is about to ask this model: wake the engine and load its adapter, and do not have the caller wait for that. Whoever
        would be refused wakes nobody."""
        content = read_object(await read_body(request.scope, request.receive, limit=WARM_BYTES, timeout=body_timeout))
        for name in content.keys() - {"model"}:
            raise UnsupportedParameter(f"The parameter {name[:64]!r} is not supported here.", param=name[:64])
        model = content.get("model")
        if not isinstance(model, str):
            raise InvalidRequest("model must be a string.", param="model")
        manifests = directory.likely(model, within=caller.communities)
        await parts.metering.look(caller.key_id, caller.payer(manifests[0].community if manifests else BASE))
        if fleet.stopping:
            raise Stopping
        parts.foresight.expect(manifests)
        # The fleet takes its first step right after this one.
        state = EngineState.WAKING if fleet.state is EngineState.ASLEEP else fleet.state
        return JSONResponse({"object": "warm", "model": model, "engine": state}, status_code=202)

    @router.api_route("/v1/embeddings", methods=["GET", "POST"], include_in_schema=False)
    async def embeddings(caller: Annotated[Principal, Depends(talker)]) -> None:
        raise RouteNotFound("There are no embeddings here: the base writes text. Ask a server that has a model for them.")

    @router.api_route("/v1/responses/{response}", methods=["GET", "POST", "DELETE"], include_in_schema=False)
    async def kept_response(response: str, caller: Annotated[Principal, Depends(talker)]) -> None:
        raise RouteNotFound("Nothing is kept here: a response is there once, as the answer to its request.")

    _add_open(router, parts.readiness, parts.metrics, json.dumps(document).encode())
    return router


def _add_open(router: APIRouter, readiness: Readiness, metrics: Metrics, document: bytes) -> None:
    @router.get("/openapi.json", include_in_schema=False)
    async def show_document() -> Response:
        return Response(document, media_type="application/json")

    @router.head("/health/live", include_in_schema=False)  # as some monitors look
    @router.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @router.head("/health/ready", include_in_schema=False)
    @router.get("/health/ready")
    async def ready() -> JSONResponse:
        """200 while requests are taken, which an engine that sleeps does not prevent, else 503 and why."""
        reason = readiness.why_not()
        told = {"ready": reason is None, "engine": readiness.engine}
        return JSONResponse(told if reason is None else {**told, "reason": reason}, status_code=200 if reason is None else 503)

    @router.get("/metrics")
    async def scrape() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)


def install_error_handlers(app: FastAPI) -> None:
    """Whatever FastAPI or starlette would answer in a shape of its own."""

    @app.exception_handler(GatewayError)
    async def known(request: Request, error: GatewayError) -> Response:
        return _respond(request, error)

    @app.exception_handler(RegistryError)
    async def of_registry(request: Request, error: RegistryError) -> Response:
        told = from_registry(error)
        if told.status >= 500:
            log.error("registry: %r", error, extra={"fields": {"request": request.scope[SCOPE_KEY].request_id}})
        return _respond(request, told)

    @app.exception_handler(CallerGone)
    async def gone(request: Request, error: CallerGone) -> Response:
        """Nobody reads this answer."""
        request.scope[SCOPE_KEY].error = "caller_gone"
        return Response(status_code=400)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        where = ".".join(str(part) for part in error.errors()[0]["loc"][1:])
        return _respond(request, InvalidRequest(f"{where} is not valid.", param=where))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:
            return _respond(request, MethodNotAllowed("This method is not known here.", allow=(error.headers or {}).get("Allow", "GET")))
        if error.status_code == 404:
            return _respond(request, RouteNotFound("There is nothing at this address."))
        return _respond(request, InvalidRequest("The request cannot be read.") if error.status_code < 500 else InternalError(WENT_WRONG))

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        return _respond(request, InternalError(WENT_WRONG))


def _respond(request: Request, error: GatewayError) -> Response:
    request.scope[SCOPE_KEY].error = error.code
    response = Response(error.encoded(), error.status)
    response.raw_headers.extend(error.response_headers())
    return response
