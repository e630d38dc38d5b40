"""The routes by which bots tell what people thought of answers, and who said no. With a community's own chat key."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from server.accounts import Principal, Scope
from server.feedback.consent import No
from server.gateway.admin.documents import read_document
from server.gateway.auth import Authenticator
from server.gateway.feedback.desk import FeedbackDesk
from server.gateway.feedback.documents import BODY_BYTES, ConsentWishes, Feedback


def build_feedback_router(*, authenticator: Authenticator, desk: FeedbackDesk, body_timeout: float) -> APIRouter:
    def talker(request: Request) -> Principal:
        return authenticator.admit(request.scope, Scope.CHAT)

    Caller = Annotated[Principal, Depends(talker)]  # noqa: N806  a type
    Asked = Annotated[str | None, Query(max_length=63)]  # noqa: N806  a type
    router = APIRouter()

    @router.post("/v1/feedback")
    async def put_feedback(request: Request, caller: Caller) -> Response:
        """The present state of answers that were sent: each once when it is out, and again whenever its reactions changed."""
        said = await read_document(request, Feedback, body_timeout, limit=BODY_BYTES)
        said.check_times(datetime.fromtimestamp(desk.now_ms / 1000, UTC))
        kept = await desk.put(caller, said.community, [item.answer() for item in said.items])
        return JSONResponse({"object": "feedback", "answers": kept.answers, "texts_left_out": kept.untold})

    @router.get("/v1/feedback")
    async def show_plan(caller: Caller, community: Asked = None) -> Response:
        """Which versions are to answer, and how often the canary."""
        return JSONResponse({"object": "feedback.plan", "communities": await desk.plan(caller, community)})

    @router.post("/v1/consent")
    async def put_consent(request: Request, caller: Caller) -> Response:
        """Who said no, or yes again. What was kept with those who said no is gone when this answers."""
        said = await read_document(request, ConsentWishes, body_timeout)
        whose, removed = await desk.wish(caller, said.community, said.wishes())
        return JSONResponse({"object": "consent", "community": whose, "texts_removed": removed})

    @router.get("/v1/consent")
    async def show_consent(caller: Caller, community: Asked = None) -> Response:
        whose = desk.own(caller, community)
        return JSONResponse({"object": "consent", "community": whose, "people": list_no(await desk.said_no(whose))})

    return router


def list_no(people: list[No]) -> list[dict[str, Any]]:
    return [{"person": no.person, "since": moment(no.since_ms), "forget": no.forget} for no in people]


def moment(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
