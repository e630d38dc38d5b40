"""The admin API's routes for what was used, and a caller's own view of it. Whoever administers some communities sees theirs alone.

What is large is put into text in a thread: nobody's stream waits for an operator's table.
"""

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from adapters.registry import DatabaseError
from server.accounts import Principal, Scope
from server.accounts.books import Books
from server.accounts.cloud_events import BATCH_MEDIA_TYPE, Cursor, Seal, page_of_events
from server.accounts.errors import BadCursor
from server.accounts.usage import By, Usage, to_csv, total, usage
from server.gateway.admin import money_schemas
from server.gateway.admin.documents import refusals
from server.gateway.admin.limit_routes import payer
from server.gateway.admin.rights import Rights
from server.gateway.errors import Forbidden, InvalidRequest, LedgerUnavailable

log = logging.getLogger("troupe.gateway")

MAX_ROWS = 50_000
MAX_EVENTS = 1000
CURSOR = "x-troupe-cursor"
JSON_LINES = "application/x-ndjson"

Day = Annotated[str, Query(description="A UTC day, as 2026-11-21.")]


class Form(StrEnum):
    JSON = "json"
    CSV = "csv"


class EventForm(StrEnum):
    BATCH = "batch"
    JSONL = "jsonl"


def build_usage_router(*, rights: Rights, books: Books, seal: Seal) -> APIRouter:
    Keeper = Annotated[Principal, Depends(rights.keeper)]  # noqa: N806  a type
    router = APIRouter(prefix="/usage", dependencies=[Depends(rights.keeper)])

    @router.get("", response_model=money_schemas.UsageReport, summary="Show what was used, and what it costs", responses=refusals(400))
    async def show(
        caller: Keeper,
        since: Annotated[str, Query(alias="from", description="A UTC day, as 2026-11-21; without it, the first of this month.")] = "",
        until: Annotated[str, Query(alias="to", description="The last day that counts; without it, today.")] = "",
        by: Annotated[str, Query(description="`day`, `community` and `key`, with commas between.")] = "day,community",
        community: Annotated[str, Query(description="Only this one's.")] = "",
        form: Annotated[Form, Query(alias="format")] = Form.JSON,
    ) -> Response:
        """With `format=csv`, the rows as RFC 4180 has them."""
        today = datetime.fromtimestamp(books.clock_ns() / 1e9, UTC).date()
        days = (_day(since, "from") or str(today.replace(day=1)), _day(until, "to") or str(today))
        if days[0] > days[1]:
            raise InvalidRequest(f"from is {days[0]}, after to, {days[1]}: send the first day and the last one.", param="from")
        summed = _by(by)
        with _translated():
            rows = await usage(books.database, days, communities=_scope(caller, community), by=summed, limit=MAX_ROWS + 1)
        if len(rows) > MAX_ROWS:
            raise InvalidRequest(f"These are more than {MAX_ROWS} rows: ask for fewer days, or by less.", param="from")
        if form is Form.CSV:
            return Response(await asyncio.to_thread(to_csv, rows, summed), media_type="text/csv; charset=utf-8")
        return Response(await asyncio.to_thread(_report, rows, summed, days, seal.currency), media_type="application/json")

    @router.get("/events", response_model=None, summary="Export what was used as CloudEvents", responses={**refusals(400), 200: _EVENTS})
    async def events(
        caller: Keeper,
        cursor: Annotated[str, Query(max_length=500, description=f"`{CURSOR}` of the page before; without it, from the beginning.")] = "",
        since: Annotated[str, Query(alias="from", description="Without a cursor: what became final on this UTC day and later.")] = "",
        limit: Annotated[int, Query(ge=1, le=MAX_EVENTS)] = MAX_EVENTS,
        form: Annotated[EventForm, Query(alias="format")] = EventForm.BATCH,
    ) -> Response:
        """What is final, a page at a time, requests and engine time; the bill is the sum of their `cost`. An empty page: nothing is there
        yet, and the same cursor goes on later."""
        place = _cursor(cursor, _day(since, "from"))
        with _translated():
            now_ms = books.clock_ns() // 1_000_000
            page = await page_of_events(books.database, seal, place, now_ms=now_ms, limit=limit, communities=_scope(caller, ""))
        body, kind = await asyncio.to_thread(_written, page.events, form)
        return Response(body, media_type=kind, headers={CURSOR: page.cursor.text()})

    return router


_EVENTS: dict[str, Any] = {
    "description": "Events, and in this header the cursor of the next page.",
    "headers": {CURSOR: {"schema": {"type": "string"}}},
    "content": {BATCH_MEDIA_TYPE: {"schema": {"type": "array", "items": {"type": "object"}}}, JSON_LINES: {"schema": {"type": "string"}}},
}


def _scope(caller: Principal, community: str) -> frozenset[str] | None:
    """Whose rows these are; None for all and the operator's. Raises InvalidRequest or Forbidden."""
    if not community:
        return caller.communities
    payer(community)
    if not caller.may(Scope.ADMIN, community):
        raise Forbidden("This key is not for this community.", param="community")
    return frozenset({community})


def _day(text: str, name: str) -> str:
    if not text:
        return ""
    try:
        if len(text) != 10:
            raise ValueError
        return str(date.fromisoformat(text))
    except ValueError as exc:
        raise InvalidRequest(f"{name} is no day: write it as 2026-11-21.", param=name) from exc


def _by(text: str) -> tuple[By, ...]:
    names = {"day": By.DAY, "community": By.COMMUNITY, "key": By.KEY}
    asked = [each.strip() for each in text.split(",")]
    if not set(asked) <= names.keys():
        raise InvalidRequest("by is `day`, `community` or `key`, or some of them with commas between.", param="by")
    return tuple(names[each] for each in asked)


def _cursor(text: str, since: str) -> Cursor:
    try:
        if text:
            return Cursor.read(text)
    except BadCursor as exc:
        raise InvalidRequest(str(exc), param="cursor") from exc
    return Cursor.at(datetime.fromisoformat(since).replace(tzinfo=UTC)) if since else Cursor()


def _report(rows: list[Usage], by: tuple[By, ...], days: tuple[str, str], currency: str) -> str:
    shown = [row.record(by) for row in rows]
    named = [each for each in ("day", "community", "key") if By[each.upper()] in by]
    return json.dumps({"currency": currency, "from": days[0], "to": days[1], "by": named, "usage": shown, "total": total(rows).record(())})


def _written(events: list[dict[str, Any]], form: EventForm) -> tuple[str, str]:
    if form is EventForm.JSONL:
        return "".join(f"{json.dumps(event)}\n" for event in events), JSON_LINES
    return json.dumps(events), BATCH_MEDIA_TYPE


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DatabaseError as exc:
        log.error("usage: %s", exc)
        raise LedgerUnavailable("Usage cannot be read at the moment.") from exc
