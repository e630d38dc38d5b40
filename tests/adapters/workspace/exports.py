"""Small exports and workspaces, written by hand."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.conversation import Turn
from adapters.curation.dataset import Dataset, Example
from adapters.sources.source import open_source
from adapters.workspace.imports import Import, Wish
from adapters.workspace.workspace import Workspace

START = datetime(2025, 3, 1, tzinfo=UTC)
SYNTHETIC: Mapping[str, Any] = {"kind": "synthetic", "declaration": "Made for a test.", "note": ""}


def snowflake(number: int) -> int:
    """An id as Discord would give it to the message of this number, a minute after the one before."""
    at = START + timedelta(minutes=number)
    return (int(at.timestamp() * 1000) - 1420070400000) << 22


def person(number: int, name: str = "") -> dict[str, Any]:
    return {"id": str(10**17 + number), "name": name or f"person{number}", "nickname": name or f"person{number}", "isBot": False}


def line(
    number: int, author: int, text: str, *, mentions: Iterable[int] = (), reactors: Iterable[int] = (), reply_to: int | None = None
) -> dict[str, Any]:
    """A message of a DiscordChatExporter file."""
    people = list(reactors)
    reaction = {"emoji": {"id": "", "name": "😂"}, "count": len(people), "users": [person(each) for each in people]}
    return {
        "id": str(snowflake(number)),
        "type": "Default" if reply_to is None else "Reply",
        "timestamp": (START + timedelta(minutes=number)).isoformat(),
        "timestampEdited": None,
        "content": text,
        "author": person(author),
        "attachments": [],
        "embeds": [],
        "stickers": [],
        "reactions": [reaction] if people else [],
        "mentions": [person(each) for each in mentions],
        **({} if reply_to is None else {"reference": {"messageId": str(snowflake(reply_to)), "channelId": "7", "guildId": "1"}}),
    }


def write_export(path: Path, messages: Iterable[Mapping[str, Any]], *, channel: str = "7", kind: str = "GuildTextChat") -> Path:
    """A file as DiscordChatExporter 2.47 writes it, its people mentioned by id."""
    listed = list(messages)
    content = {
        "guild": {"id": "1", "name": "Friends", "iconUrl": ""},
        "channel": {"id": channel, "type": kind, "categoryId": None, "category": None, "name": "main", "topic": None},
        "dateRange": {"after": None, "before": None},
        "exportedAt": "2026-01-01T00:00:00+00:00",
        "messages": listed,
        "messageCount": len(listed),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False))
    return path


def import_into(workspace: Workspace, path: Path, **wish: Any) -> Import:
    with workspace.locked():
        return workspace.add_import(open_source(path), Wish(SYNTHETIC, **wish))[0]


def example(number: int, author: str, people: Iterable[str] = ()) -> Example:
    turns = (Turn("somebody", f"question {number}"),)
    at = START + timedelta(minutes=number)
    everybody = tuple(sorted({author, *people}))
    return Example(turns, f"answer {number}", 1.0, number, author, at, "main", f"talk-{number}", 1.0, ("another",), everybody)


def dataset(train: Iterable[Example], held_out: Iterable[Example], **card: Any) -> Dataset:
    """With as much of a card as a workspace looks at."""
    made = Dataset(tuple(train), tuple(held_out), {})
    counts = {"train": len(made.train), "held_out": len(made.held_out), "authors": 3}
    listed = [{"name": name, "examples": 1, "share": 0.5, "capped": False} for name in sorted({each.author for each in made.train})]
    plain = {"schema": 1, "content_hash": made.content_hash, "made_at": "2026-01-02T00:00:00+00:00", "community": "zizou"}
    return Dataset(made.train, made.held_out, {**plain, "counts": counts, "authors": listed, "warnings": [], **card})
