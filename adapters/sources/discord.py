"""Reads DiscordChatExporter's JSON files: streaming, tolerant of older versions and broken tails, idempotent by message id.

Every key newer than the first JSON version is optional; file order is not trusted. Knows nothing of rewards or of training.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import ijson

from adapters.sources.message import Message, Reaction

_KEPT_KINDS = ("Default", "Reply")


class SourceError(Exception):
    """The export cannot be read at all; one sentence for people."""


@dataclass(frozen=True)
class Export:
    """Messages sorted by id, and how many were left out for which reason (reason → count)."""

    messages: tuple[Message, ...]
    dropped: Mapping[str, int]


def read_export(path: Path) -> Export:
    """Read one file, or every `.json` file below a folder; where files overlap, the one exported later wins.

    Raises SourceError when there is no such file or none of them holds a message.
    """
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise SourceError(f"{path} is neither an export file nor a folder with .json files in it.")
    dropped: Counter[str] = Counter()
    newest: dict[int, tuple[str, Message]] = {}
    for file in files:
        exported_at = ""
        for exported_at, channel, raw in _stream(file, dropped):
            message = _message(raw, channel, dropped)
            if message is None:
                continue
            known = newest.get(message.id)
            if known is not None:
                dropped["seen in another file"] += 1
            if known is None or exported_at >= known[0]:
                newest[message.id] = (exported_at, message)
    if not newest:
        raise SourceError(f"{path} holds no message of a person ({_reasons(dropped)}).")
    return Export(tuple(newest[key][1] for key in sorted(newest)), dict(dropped))


def _stream(file: Path, dropped: Counter[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(exported at, channel id, raw message) for all that parses before the file ends or breaks."""
    exported_at, channel = "", file.stem
    try:
        with file.open("rb") as stream:
            events = ijson.parse(stream, use_float=True)
            for prefix, event, value in events:
                if prefix == "exportedAt":
                    exported_at = str(value)
                elif prefix == "channel.id":
                    channel = str(value)
                elif prefix == "messages.item" and event == "start_map":
                    yield exported_at, channel, _object(events)
    except OSError as exc:
        raise SourceError(f"{file} cannot be read: {exc.strerror}.") from exc
    except (ijson.JSONError, UnicodeDecodeError):
        dropped["rest of a broken file"] += 1


def _object(events: Iterator[tuple[str, str, Any]]) -> dict[str, Any]:
    builder = ijson.ObjectBuilder()
    builder.event("start_map", None)
    depth = 1
    while depth:
        _, event, value = next(events)
        builder.event(event, value)
        depth += {"start_map": 1, "start_array": 1, "end_map": -1, "end_array": -1}.get(event, 0)
    value = builder.value
    assert isinstance(value, dict)
    return value


def _message(raw: Mapping[str, Any], channel: str, dropped: Counter[str]) -> Message | None:
    if raw.get("type") not in _KEPT_KINDS:
        dropped["system message"] += 1
        return None
    author = raw.get("author") or {}
    text = raw.get("content") or ""
    try:
        if not text.strip():
            dropped["no text"] += 1
            return None
        return Message(
            id=int(raw["id"]),
            channel=channel,
            author_id=str(author["id"]),
            author=author.get("nickname") or author.get("name") or "",
            text=text,
            at=datetime.fromisoformat(raw["timestamp"]),
            is_bot=bool(author.get("isBot", False)),
            reply_to=_reply_to(raw),
            reactions=tuple(_reactions(raw.get("reactions") or ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        dropped["malformed"] += 1
        return None


def _reply_to(raw: Mapping[str, Any]) -> int | None:
    reference = raw.get("reference")
    if raw["type"] != "Reply" or not reference or reference.get("type", "Default") != "Default" or not reference.get("messageId"):
        return None
    return int(reference["messageId"])


def _reactions(raw: Iterable[Mapping[str, Any]]) -> Iterator[Reaction]:
    for reaction in raw:
        users = reaction.get("users") or ()
        yield Reaction(
            count=int(reaction["count"]),
            users=frozenset(str(user["id"]) for user in users if not user.get("isBot")),
            bots=frozenset(str(user["id"]) for user in users if user.get("isBot")),
        )


def _reasons(dropped: Mapping[str, int]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in dropped.items()) or "the files are empty"
