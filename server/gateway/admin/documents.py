"""How the admin API's routes read their bodies and describe themselves."""

from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from server.gateway.admin import schemas
from server.gateway.body import read_body
from server.gateway.errors import InvalidRequest
from server.gateway.strict_json import read_object

BODY_BYTES = 16 << 10

_SAID = {
    400: "A name, a parameter or the adapter is refused; `param` says which part.", 401: "No key, or one that is not known.",
    403: "A key that is not for this.", 404: "No such community, version, alias or key.", 408: "The body did not arrive in time.",
    409: "The present state does not allow it, or the adapter failed its trial.", 413: "The body is too large.",
    503: "The engine, the store or the database cannot answer now; `retry-after` says when to come again.",
}  # fmt: skip
_Document = TypeVar("_Document", bound=BaseModel)


async def read_document(request: Request, model: type[_Document], timeout: float, *, limit: int = BODY_BYTES) -> _Document:
    """The request's JSON object; an empty body counts as `{}`. Raises GatewayError or CallerGone."""
    raw = await read_body(request.scope, request.receive, limit=limit, timeout=timeout)
    try:
        return model.model_validate(read_object(raw) if raw else {})
    except ValidationError as exc:
        error = exc.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part)[:64] for part in error["loc"])
        raise InvalidRequest(f"{where} is not valid: {error['msg']}.", param=where) from exc


def body_of(model: type[BaseModel], *, required: bool) -> dict[str, Any]:
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": model.model_json_schema()}}}}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": schemas.Error, "description": _SAID[status]} for status in statuses}
