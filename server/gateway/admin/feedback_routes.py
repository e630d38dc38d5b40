"""The admin API's routes for what people thought of answers, for who said no, and for canaries that are decided by it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from adapters.registry import BadName
from adapters.registry.names import check_community
from server.accounts import Principal, Scope
from server.feedback.canary import MAX_THRESHOLD, Policy, Standing
from server.feedback.trials import Agreed, Trial
from server.gateway.admin import feedback_schemas as schemas
from server.gateway.admin.documents import body_of, read_document, refusals
from server.gateway.admin.rights import Rights, author
from server.gateway.errors import Forbidden, InvalidRequest
from server.gateway.feedback.desk import FeedbackDesk
from server.gateway.feedback.routes import list_no, moment

PAGE = 500
Asked = Annotated[str, Query(max_length=63, description="Whose.")]


def build_feedback_admin_router(*, rights: Rights, desk: FeedbackDesk, body_timeout: float) -> APIRouter:
    Keeper = Annotated[Principal, Depends(rights.keeper)]  # noqa: N806  a type
    router = APIRouter(dependencies=[Depends(rights.keeper)])

    @router.get("/feedback/scores", response_model=schemas.Scores, summary="Say how people like versions", responses=refusals(400, 404))
    async def scores(
        caller: Keeper,
        community: Asked,
        threshold: Annotated[int, Query(ge=1, le=MAX_THRESHOLD, description="How many people make a banger.")] = Policy().threshold,
    ) -> Response:
        """An answer counts when its day is over, by the reactions that it had then."""
        return JSONResponse(await desk.scores(_governed(caller, community), threshold))

    @router.get("/feedback/examples", response_model=schemas.Examples, summary="Read answers with their texts", responses=refusals(400))
    async def examples(
        caller: Keeper,
        community: Asked,
        cursor: Annotated[str, Query(max_length=100, description="Of the page before; without it, from the beginning.")] = "",
        limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
    ) -> Response:
        """Of communities that let models learn from them, without those in which somebody said no."""
        after = _cursor(cursor)
        found = await desk.examples(_governed(caller, community), after, limit)
        last = (found[-1]["sent_ms"], found[-1]["message_id"]) if found else after
        return JSONResponse({"examples": found, "cursor": f"{last[0]}-{last[1]}"})

    @router.post(
        "/feedback/forget",
        response_model=schemas.Forgotten,
        summary="Forget somebody",
        responses=refusals(400, 408, 413),
        openapi_extra=body_of(schemas.Forget, required=True),
    )
    async def forget(request: Request, caller: Keeper) -> Response:
        """Texts with them are gone when this answers, and none is taken any more."""
        wanted = await read_document(request, schemas.Forget, body_timeout)
        community = None if wanted.community is None else _checked(wanted.community)
        return JSONResponse({"texts_removed": await desk.forget(caller, community, wanted.person)})

    @router.get("/consent", response_model=schemas.Consent, summary="List who said no", responses=refusals(400))
    async def consent(caller: Keeper, community: Asked) -> Response:
        whose = _governed(caller, community)
        return JSONResponse({"community": whose, "people": list_no(await desk.said_no(whose))})

    return router


def add_canary_policy(router: APIRouter, rights: Rights, desk: FeedbackDesk, body_timeout: float) -> None:
    """`router`: of one community, whose path has its name."""
    Caller = Annotated[Principal, Depends(rights.of_community)]  # noqa: N806  a type

    @router.get("/canary", response_model=schemas.CanaryPolicy, summary="Say who decides about canaries", responses=refusals(400))
    async def show_policy(community: str) -> Response:
        """And how the comparison stands that goes on, and how the last ones ended."""
        return JSONResponse(await _shown(desk, _checked(community)))

    @router.put(
        "/canary",
        response_model=schemas.CanaryPolicy,
        summary="Let reactions decide about canaries",
        responses=refusals(400, 404, 408, 413),
        openapi_extra=body_of(schemas.NewPolicy, required=False),
    )
    async def put_policy(request: Request, community: str, caller: Caller) -> Response:
        """A canary becomes live when people like it more, and goes when they like it less or time is up; the gates and the trial of any
        other move hold. It begins when somebody points `canary` at a version with a share."""
        wanted = await read_document(request, schemas.NewPolicy, body_timeout)
        await desk.agree(_checked(community), Agreed(wanted.policy(), wanted.by or author(caller), desk.now_ms))
        return JSONResponse(await _shown(desk, community))

    @router.delete("/canary", response_model=schemas.CanaryPolicy, summary="Let people decide again", responses=refusals(400))
    async def clear_policy(community: str) -> Response:
        """The canary stays as it is."""
        await desk.agree(_checked(community), None)
        return JSONResponse(await _shown(desk, community))


async def _shown(desk: FeedbackDesk, community: str) -> dict[str, Any]:
    agreed, trials, standing = await desk.comparison(community)
    return {
        "community": community,
        "policy": None if agreed is None else _policy(agreed),
        "standing": None if agreed is None or standing is None else _standing(standing, agreed.policy),
        "trials": [_trial(trial) for trial in trials],
    }


def _policy(agreed: Agreed) -> dict[str, Any]:
    policy = agreed.policy
    numbers = {"confidence": policy.confidence, "minimum": policy.minimum, "threshold": policy.threshold, "days": policy.days}
    return {**numbers, "by": agreed.by, "at": moment(agreed.at_ms)}


def _standing(standing: Standing, policy: Policy) -> dict[str, Any]:
    arms = {
        name: {"counted": rate.counted, "bangers": rate.bangers} for name, rate in (("live", standing.live), ("canary", standing.canary))
    }
    return {**arms, "better": standing.better, "worse": standing.worse, "needed": policy.needed}


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "canary": trial.canary,
        "live": trial.live,
        "began": moment(trial.began_ms),
        "ended": None if trial.ended_ms is None else moment(trial.ended_ms),
        "outcome": trial.outcome,
        "why": trial.why,
    }


def _checked(community: str) -> str:
    try:
        return check_community(community)
    except BadName as exc:
        raise InvalidRequest(str(exc), param="community") from exc


def _governed(caller: Principal, community: str) -> str:
    if not caller.may(Scope.ADMIN, _checked(community)):
        raise Forbidden("This key is not for this community.", param="community")
    return community


def _cursor(text: str) -> tuple[int, str]:
    if not text:
        return 0, ""
    at, dash, message = text.partition("-")
    if not (dash and at.isascii() and at.isdigit() and len(at) < 16):
        raise InvalidRequest("cursor is none that a page before had: leave it out to begin anew.", param="cursor")
    return int(at), message
