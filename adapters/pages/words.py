"""How numbers, dates and foreign texts are written on a page. Knows nothing of what they are about."""

import re
import unicodedata
from datetime import UTC, datetime

from adapters.pages.part import Estimate

NO_BREAK, MINUS, DASH = "\u00a0", "\u2212", "–"
NAME_LENGTH, SENTENCE_LENGTH, SAMPLE_LENGTH = 60, 600, 2_000
MARKS_IN_A_ROW = 2
"""Accents on one letter: more would be painted over the lines above and below."""
_KEPT_CONTROLS = frozenset("\n\t")
_JOINERS = frozenset("\u200c\u200d")
"""Half of the emoji and some scripts need them."""


def shown(text: str, limit: int = NAME_LENGTH) -> str:
    """A foreign text on one line: no control characters, nothing that turns the direction of what follows, not too long."""
    return _shortened(" ".join(_printable(text[: 8 * limit]).split()), limit)


def shown_lines(text: str, limit: int = SAMPLE_LENGTH) -> str:
    """The same, lines kept."""
    return _shortened(re.sub(r"\n{3,}", "\n\n", _printable(text[: 8 * limit])).strip(), limit)


def whole(number: float) -> str:
    return _signed(f"{round(number):,}")


def decimal(number: float, decimals: int) -> str:
    return _signed(f"{number:,.{decimals}f}")


def brief(number: float) -> str:
    """Three digits that count: 0.0123, 1.85, 12.3, 1,234."""
    size = abs(number)
    if size == 0:
        return "0"
    if size >= 100:
        return whole(number)
    if size < 0.00001:
        return _signed(f"{number:.0e}")
    return decimal(number, 1 if size >= 10 else 2 if size >= 1 else 3 if size >= 0.1 else 4 if size >= 0.01 else 5)


def exactly(number: float) -> str:
    """As somebody set it: 1.5, 20, 0.05."""
    return _signed(f"{number:,.6g}") if abs(number) >= 1e-6 or not number else brief(number)


def share(part: float) -> str:
    """0.414 → 41 %; small shares with one more digit."""
    percent = 100 * part
    decimals = 0 if abs(percent) >= 9.95 or percent == 0 else 1 if abs(percent) >= 0.095 else 2
    return f"{decimal(percent, decimals)}{NO_BREAK}%"


def plus(number: float, decimals: int) -> str:
    """With its sign: +27, −3, 0."""
    text = decimal(number, decimals)
    return text if text.startswith(MINUS) or not float(text.replace(",", "")) else f"+{text}"


def points(difference: Estimate) -> str:
    """Of two shares: "+27 points, 95 % CI +20 to +33"."""
    scaled = [100 * each for each in (difference.value, difference.low, difference.high) if each is not None]
    decimals = 0 if max(map(abs, scaled)) >= 9.95 else 1
    middle = f"{plus(scaled[0], decimals)} points"
    if difference.low is None or difference.high is None:
        return middle
    return f"{middle}, 95{NO_BREAK}% CI {plus(100 * difference.low, decimals)} to {plus(100 * difference.high, decimals)}"


def counted(number: int, one: str, many: str = "") -> str:
    """1 message, 2 messages."""
    return f"{whole(number)} {one if number == 1 else many or one + 's'}"


def listed(names: list[str]) -> str:
    """a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def moment(text: str) -> datetime | None:
    """A time as cards write it; None when it is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def date(text: str) -> str:
    """3 November 2025, or the text itself."""
    at = moment(text)
    return f"{at.day}{NO_BREAK}{_MONTHS[at.month - 1]} {at.year}" if at else shown(text)


def month_name(at: datetime, *, year_only: bool = False) -> str:
    """Nov 2025, or 2025."""
    return str(at.year) if year_only else f"{_MONTHS[at.month - 1][:3]} {at.year}"


def size(number_of_bytes: float) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number_of_bytes >= scale:
            return f"{brief(number_of_bytes / scale)}{NO_BREAK}{unit}"
    return f"{whole(number_of_bytes)}{NO_BREAK}bytes"


def duration(seconds: float) -> str:
    if seconds < 120:
        return f"{brief(seconds)}{NO_BREAK}s"
    return f"{whole(seconds / 60)}{NO_BREAK}min" if seconds < 7_200 else f"{brief(seconds / 3600)}{NO_BREAK}h"


_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def _signed(text: str) -> str:
    """A real minus, and none before zero."""
    return MINUS + text[1:] if text.startswith("-") and text.strip("-0.,") else text.removeprefix("-")


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def _printable(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        kind = unicodedata.category(character)
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        if kind == "Cs":
            kept.append("\ufffd")
        elif kind in ("Zl", "Zp"):
            kept.append("\n")
        elif (kind not in ("Cc", "Cf") or character in _KEPT_CONTROLS or character in _JOINERS) and marks <= MARKS_IN_A_ROW:
            kept.append(character)
    return "".join(kept)
