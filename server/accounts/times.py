"""Times as accounts write them: UTC, to the microsecond, as texts that sort as the times do."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""What time it is, with its zone."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def as_text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def as_time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
