"""Single values as people read them. Pure."""

from datetime import UTC, datetime
from typing import Any

SHORT_DIGEST = 12


def plain(text: str) -> str:
    """`text` on one line and without what could steer a terminal: names and reasons come from others."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def size(count: int) -> str:
    """Bytes, in the unit that people use for it."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def age(iso: str, now: datetime) -> str:
    """How long ago an ISO 8601 moment was; its day for one that is a month ago or more, or still to come."""
    try:
        seconds = (now - datetime.fromisoformat(iso).astimezone(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return iso[:10]
    if not -60 <= seconds < 30 * 86400:
        return iso[:10]
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def moment(iso: str) -> str:
    """An ISO 8601 moment to the second, in UTC; another text as it is."""
    try:
        return f"{datetime.fromisoformat(iso).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError):
        return iso


def short(digest: str) -> str:
    """Enough of a digest to tell it from others."""
    return digest.removeprefix("sha256:")[:SHORT_DIGEST]


def value_text(value: Any) -> str:
    """A manifest's or a card's value in a cell."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case list():
            return ", ".join(map(value_text, value))
        case str() if value.startswith("sha256:"):
            return short(value)
        case _:
            return str(value)
