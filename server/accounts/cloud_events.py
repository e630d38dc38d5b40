"""The ledger's rows as CloudEvents 1.0 in JSON, as billing systems take usage: one event a request, its subject the community.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md. `source` and `id` together name an event for good:
whoever gets one twice may drop it. So only what no longer changes is exported, or whoever exports says that he takes it provisionally.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, or_, select

from adapters.registry.database import Database
from server.accounts.schema_ledger import lives, requests

TYPE = "troupe.request.settled.v1"
MEDIA_TYPE = "application/cloudevents+json"
BATCH_MEDIA_TYPE = "application/cloudevents-batch+json"
"""Of a JSON array of events."""
PAGE = 1000

_DATA = (
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
    "engine_ms",
    "token_cost",
    "engine_cost",
)


def cloud_event(row: dict[str, Any], source: str) -> dict[str, Any]:
    """`row`: of the table of requests. `source`: a URI reference that names this installation, the same for ever."""
    return {
        "specversion": "1.0",
        "type": TYPE,
        "source": source,
        "id": row["id"],
        "subject": row["community"],
        "time": datetime.fromtimestamp(row["ended_ms"] / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": {name: row[name] for name in _DATA} | {"cost": row["token_cost"] + row["engine_cost"]},
    }


async def cloud_events(
    database: Database, source: str, *, since: str = "", until: str = "9999-12-31", community: str | None = None, provisional: bool = False
) -> AsyncIterator[dict[str, Any]]:
    """Settled requests of the days from `since` to `until`, by day and id. Without `provisional` only those whose engine time is final.

    Raises adapters.registry.DatabaseError.
    """
    row = requests.c
    wanted = and_(row.day.between(since, until), row.outcome.is_not(None))
    if community is not None:
        wanted = and_(wanted, row.community == community)
    if not provisional:
        shared = lives.c.ended_ms.is_not(None) & (lives.c.shared_until_ms >= lives.c.ended_ms)
        wanted = and_(wanted, or_(row.life.is_(None), row.life.in_(select(lives.c.id).where(shared))))
    after = ("", "")
    while True:
        further = or_(row.day > after[0], and_(row.day == after[0], row.id > after[1]))
        page = select(requests).where(wanted, further).order_by(row.day, row.id).limit(PAGE)
        async with database.reading() as connection:
            found = [dict(each) for each in (await connection.execute(page)).mappings()]
        for each in found:
            yield cloud_event(each, source)
        if len(found) < PAGE:
            return
        after = (found[-1]["day"], found[-1]["id"])
