"""Small exports for tests: what the exporter writes of one message, and files of them."""

import json
from pathlib import Path
from typing import Any

from adapters.sources.message import Message
from adapters.sources.report import Report
from adapters.sources.source import open_source

CHANNEL = {"id": "5", "type": "GuildTextChat", "categoryId": "4", "category": "Text", "name": "room", "topic": None}
THREAD = {"id": "50", "type": "GuildPublicThread", "categoryId": "5", "category": "room", "name": "a thread", "topic": None}


def user(number: int, name: str = "", **changes: Any) -> dict[str, Any]:
    name = name or f"person{number}"
    return {"id": str(number), "name": name.lower(), "discriminator": "0000", "nickname": name, "color": None, "isBot": False} | changes


def message(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "type": "Default",
        "timestamp": "2026-01-02T03:04:05+00:00",
        "content": f"text {number}",
        "author": user(7, "Ann"),
    } | changes


def reply(number: int, to: int | str | None, **changes: Any) -> dict[str, Any]:
    reference = {"type": "Default", "messageId": str(to) if to else None, "channelId": "5", "guildId": "1"}
    return message(number, type="Reply", reference=reference, **changes)


def document(*messages: Any, channel: dict[str, Any] = CHANNEL, exported_at: str | None = "2026-02-01T00:00:00+00:00") -> dict[str, Any]:
    head: dict[str, Any] = {"guild": {"id": "1", "name": "Guild"}, "channel": channel, "dateRange": {"after": None, "before": None}}
    if exported_at is not None:
        head["exportedAt"] = exported_at
    return head | {"messages": list(messages), "messageCount": len(messages)}


def write(path: Path, *messages: Any, **changes: Any) -> Path:
    path.write_text(json.dumps(document(*messages, **changes), indent=2, ensure_ascii=False), encoding="utf-8")
    return path


def read(path: Path) -> tuple[dict[int, Message], Report]:
    """The messages by id, in the order they came, and the report."""
    with open_source(path).read() as reading:
        return {each.id: each for each in reading}, reading.report
