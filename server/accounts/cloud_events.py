"""What was used as CloudEvents 1.0 in JSON, as billing systems take it: requests with their tokens, and engine time with its cost.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md. `source` and `id` together name an event for good:
whoever gets one twice may drop it. No event ever changes. A request's tokens are final when it is settled, an engine's time only when it
was shared out, an hour later and more: so each has events of its own, and the bill is the sum over both.

A page comes with the cursor at which the next one begins. What appears later than one that was passed on, sorts after it: see `_settled`.
"""

import base64
import json
from collections.abc import Collection
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.registry.database import Database
from server.accounts.engine_lives import OPERATOR
from server.accounts.errors import BadCursor
from server.accounts.money import amount
from server.accounts.schema_ledger import requests, shares

REQUEST = "troupe.request.settled.v1"
ENGINE = "troupe.engine.shared.v1"
BATCH_MEDIA_TYPE = "application/cloudevents-batch+json"
"""Of a JSON array of events."""
MARGIN_MS = 60_000
"""What is younger waits for the next page: longer than any transaction takes, and than gateways' clocks differ."""

_REQUEST_DATA = (
    "community",
    "key_id",
    "adapter",
    "outcome",
    "degraded",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "ttft_ms",
    "queue_ms",
    "wake_ms",
)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Behind the last event of each kind that was passed on."""

    ended_ms: int = 0
    request: str = ""
    shared_ms: int = 0
    life: str = ""
    from_ms: int = 0
    community: str = ""

    @classmethod
    def at(cls, since: datetime) -> "Cursor":
        """Before the first event of this time and later: what ended, or was shared out, then."""
        since_ms = int(since.timestamp() * 1000)
        return cls(ended_ms=since_ms, shared_ms=since_ms)

    def text(self) -> str:
        """For whoever keeps it: to be handed back as it is."""
        return base64.urlsafe_b64encode(json.dumps(astuple(self), separators=(",", ":")).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """Raises BadCursor."""
        try:
            values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            kinds = [type(value) for value in astuple(cls())]
            if [type(value) for value in values] != kinds or max(map(abs, (values[0], values[2], values[4]))) > 2**62:
                raise ValueError
            names = f"{values[1]}{values[3]}{values[5]}"
            if not (names.isascii() and names.isprintable()):  # no database has such a name, and some cannot even be asked for it
                raise ValueError
        except (ValueError, TypeError) as exc:
            raise BadCursor("This is no cursor of this address: send one as it came, or none to begin anew.") from exc
        return cls(*values)


@dataclass(frozen=True, slots=True)
class Page:
    events: list[dict[str, Any]]
    cursor: Cursor
    """Where the next page begins. Without events: nothing is there yet, ask again later."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What all events of an installation have in common. `source`: a URI reference that names it, the same for ever."""

    source: str
    currency: str


async def page_of_events(
    database: Database, seal: Seal, cursor: Cursor, *, now_ms: int, limit: int, communities: Collection[str] | None = None
) -> Page:
    """At most `limit` events, requests first. `communities`: only theirs; None for all, and the operator's engine time.

    Raises adapters.registry.DatabaseError.
    """
    async with database.reading() as connection:
        settled = await _settled(connection, cursor, now_ms, limit, communities)
        shared = await _shared(connection, cursor, now_ms, limit - len(settled), communities) if len(settled) < limit else []
    if settled:
        last = settled[-1]
        cursor = Cursor(last["ended_ms"], last["id"], cursor.shared_ms, cursor.life, cursor.from_ms, cursor.community)
    if shared:
        last = shared[-1]
        cursor = Cursor(cursor.ended_ms, cursor.request, last["shared_ms"], last["life"], last["from_ms"], last["community"])
    return Page([*(request_event(row, seal) for row in settled), *(engine_event(row, seal) for row in shared)], cursor)


def request_event(row: dict[str, Any], seal: Seal) -> dict[str, Any]:
    """`row`: of the table of requests, settled. `cost`: of its tokens."""
    data = {name: row[name] for name in _REQUEST_DATA} | {"cost": amount(row["token_cost"]), "currency": seal.currency}
    return _event(REQUEST, seal, row["id"], row["community"], row["ended_ms"], data)


def engine_event(row: dict[str, Any], seal: Seal) -> dict[str, Any]:
    """`row`: of the table of shares. Engine time in which nobody was there has no community and no subject: the operator bears it."""
    community = row["community"] or None
    data = {
        "community": community,
        "life": row["life"],
        "from": _time(row["from_ms"]),
        "until": _time(row["until_ms"]),
        "engine_seconds": row["engine_ms"] / 1000,
        "cost": amount(row["cost"]),
        "currency": seal.currency,
    }
    return _event(ENGINE, seal, f"{row['life']}/{row['from_ms']}/{row['community']}", community, row["until_ms"], data)


def _event(kind: str, seal: Seal, name: str, subject: str | None, at_ms: int, data: dict[str, Any]) -> dict[str, Any]:
    event = {"specversion": "1.0", "type": kind, "source": seal.source, "id": name, "time": _time(at_ms)}
    if subject is not None:
        event["subject"] = subject
    return {**event, "datacontenttype": "application/json", "data": data}


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _settled(
    connection: AsyncConnection, cursor: Cursor, now_ms: int, limit: int, communities: Collection[str] | None
) -> list[dict[str, Any]]:
    """By when they ended, as long as nothing can end before: what is open ends after it began, and so does what begins now."""
    row = requests.c
    oldest = (await connection.execute(select(func.min(row.started_ms)).where(row.outcome.is_(None)))).scalar()
    horizon = min(now_ms - MARGIN_MS, now_ms if oldest is None else int(oldest))
    further = tuple_(row.ended_ms, row.id) > (cursor.ended_ms, cursor.request)
    # The first of these says nothing new, but is what an index is looked through with.
    wanted = (row.ended_ms >= cursor.ended_ms, row.ended_ms < horizon, further, _of(row.community, communities))
    page = select(requests).where(*wanted).order_by(row.ended_ms, row.id).limit(limit)
    return [dict(each) for each in (await connection.execute(page)).mappings()]


async def _shared(
    connection: AsyncConnection, cursor: Cursor, now_ms: int, limit: int, communities: Collection[str] | None
) -> list[dict[str, Any]]:
    row = shares.c
    place = (row.shared_ms, row.life, row.from_ms, row.community)
    further = tuple_(*place) > (cursor.shared_ms, cursor.life, cursor.from_ms, cursor.community)
    wanted = (row.shared_ms >= cursor.shared_ms, row.shared_ms < now_ms - MARGIN_MS, further, _of(row.community, communities))
    page = select(shares).where(*wanted).order_by(*place).limit(limit)
    return [dict(each) for each in (await connection.execute(page)).mappings()]


def _of(column: ColumnElement[str], communities: Collection[str] | None) -> ColumnElement[bool]:
    return true() if communities is None else column.in_(sorted(communities)) & (column != OPERATOR)
