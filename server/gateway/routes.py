"""What is neither the hot path nor the admin API: models, health and metrics; and what any route says of an error."""

import logging
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from adapters.registry import RegistryError
from server.fleet.engine import Engine, EngineState
from server.gateway.auth import Authenticator, Principal, Scope
from server.gateway.body import CallerGone
from server.gateway.directory import Directory
from server.gateway.errors import (
    WENT_WRONG,
    GatewayError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    RouteNotFound,
    from_registry,
)
from server.gateway.metrics import CONTENT_TYPE, Metrics
from server.gateway.record import SCOPE_KEY

log = logging.getLogger("troupe.gateway")


def build_router(*, authenticator: Authenticator, directory: Directory, engine: Engine, metrics: Metrics) -> APIRouter:
    """All routes. What takes no `Principal` is open on purpose: health and metrics name nobody."""

    def chat(request: Request) -> Principal:
        return authenticator.require(Scope.CHAT, request.headers.raw)

    router = APIRouter()

    @router.get("/v1/models")
    async def list_models(_: Annotated[Principal, Depends(chat)]) -> dict[str, Any]:
        """The base and every community with a live adapter."""
        return {"object": "list", "data": directory.models()}

    @router.get("/v1/models/{model}")
    async def get_model(model: str, _: Annotated[Principal, Depends(chat)]) -> dict[str, Any]:
        return directory.model(model)

    @router.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/health/ready")
    async def ready() -> JSONResponse:
        """200 while the engine can answer and the models are known, else 503 and why."""
        state = engine.state
        is_ready = state is EngineState.READY and directory.snapshot is not None
        return JSONResponse({"ready": is_ready, "engine": state}, status_code=200 if is_ready else 503)

    @router.get("/metrics")
    async def scrape() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return router


def install_error_handlers(app: FastAPI) -> None:
    """Whatever FastAPI or starlette would answer in a shape of its own."""

    @app.exception_handler(GatewayError)
    async def known(request: Request, error: GatewayError) -> Response:
        return _respond(error)

    @app.exception_handler(RegistryError)
    async def of_registry(request: Request, error: RegistryError) -> Response:
        told = from_registry(error)
        if told.status >= 500:
            log.error("request=%s registry: %r", request.scope[SCOPE_KEY].request_id, error)
        return _respond(told)

    @app.exception_handler(CallerGone)
    async def gone(request: Request, error: CallerGone) -> Response:
        """Nobody reads this answer."""
        request.scope[SCOPE_KEY].error = "caller_gone"
        return Response(status_code=400)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        where = ".".join(str(part) for part in error.errors()[0]["loc"][1:])
        return _respond(InvalidRequest(f"{where} is not valid.", param=where))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:
            return _respond(MethodNotAllowed("This method is not known here.", allow=(error.headers or {}).get("Allow", "GET")))
        if error.status_code == 404:
            return _respond(RouteNotFound("There is nothing at this address."))
        return _respond(InvalidRequest("The request cannot be read.") if error.status_code < 500 else InternalError(WENT_WRONG))

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        return _respond(InternalError(WENT_WRONG))


def _respond(error: GatewayError) -> Response:
    response = Response(error.encoded(), error.status)
    response.raw_headers.extend(error.response_headers())
    return response
