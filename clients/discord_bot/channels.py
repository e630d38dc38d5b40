"""What is chosen for one channel: when the bot speaks there by itself. Pure; a thread has what its channel has, unless it has its own."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, time
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from clients.discord_bot.errors import BadChoice

WAKE_WORDS = 10
LONGEST_WAKE_WORD = 40


class Mode(StrEnum):
    OFF = "off"
    """Never, not even when it is mentioned."""
    MENTIONS = "mentions"
    """When it is mentioned or replied to."""
    LIVELY = "lively"
    """Then, on its wake words, and by chance."""


@dataclass(frozen=True)
class Quiet:
    """Hours of the day in which the bot does not speak unless it is addressed. May reach over midnight."""

    start: str
    """`22:00`."""
    end: str
    zone: str = "UTC"
    """A name of the time zone database, `Europe/Paris`."""

    def __post_init__(self) -> None:
        if _hour(self.start) == _hour(self.end):
            raise BadChoice("Quiet hours that end when they begin are none: choose another end, or none at all.")
        self._zone()

    def holds(self, at: float) -> bool:
        """`at`: Unix time."""
        local = datetime.fromtimestamp(at, self._zone()).time()
        start, end = _hour(self.start), _hour(self.end)
        return start <= local < end if start < end else local >= start or local < end

    def _zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError) as exc:  # not there, no name at all, or a folder of the database
            raise BadChoice(f"I know no time zone {self.zone[:40]!r}: say it as Europe/Paris.") from exc


@dataclass(frozen=True)
class ChannelSettings:
    """Raises BadChoice with a sentence for whoever chose."""

    mode: Mode = Mode.MENTIONS
    chance: float = 0.02
    """Of a message that nobody addressed to the bot to be answered, 0 to 1, in a lively channel."""
    cooldown_s: float = 600.0
    """Seconds after the bot's last word there in which chance is not tried."""
    quiet: Quiet | None = None
    wake_words: tuple[str, ...] = ()
    """Said as words of their own, in any case, they are as good as a mention in a lively channel."""
    hushed_until: float = 0.0
    """Unix time until which the bot says nothing at all there."""
    follows: bool = False
    """In a thread for which nothing but its hush was chosen: all else is its channel's, whatever that will be."""

    def __post_init__(self) -> None:
        if not 0 <= self.chance <= 1:
            raise BadChoice("A chance is between 0 and 1: 0.05 is one message in twenty.")
        if not 0 <= self.cooldown_s <= 7 * 86_400:
            raise BadChoice("A cooldown is between 0 seconds and a week.")
        if len(self.wake_words) > WAKE_WORDS or any(not 1 < len(word.strip()) <= LONGEST_WAKE_WORD for word in self.wake_words):
            raise BadChoice(f"I can listen for {WAKE_WORDS} words at most, each of 2 to {LONGEST_WAKE_WORD} characters.")

    def is_silent(self, now: float) -> bool:
        """Whether the bot was told to say nothing there, whoever asks. Unix time."""
        return self.mode is Mode.OFF or now < self.hushed_until

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "ChannelSettings":
        """What an older or a younger version wrote is read as far as it is known here."""
        known = {field.name for field in fields(cls)}
        read = {name: value for name, value in content.items() if name in known}
        if "mode" in read:
            read["mode"] = Mode(read["mode"])
        if read.get("quiet"):
            read["quiet"] = Quiet(**read["quiet"])
        if "wake_words" in read:
            read["wake_words"] = tuple(read["wake_words"])
        return cls(**read)


def effective(own: ChannelSettings | None, parent: ChannelSettings | None) -> ChannelSettings:
    """What holds in a channel or thread. A hush on the parent holds in its threads, too, whatever they chose."""
    chosen = own or parent or ChannelSettings()
    if chosen.follows:
        chosen = replace(parent or ChannelSettings(), hushed_until=chosen.hushed_until)
    if parent is None or parent.hushed_until <= chosen.hushed_until:
        return chosen
    return replace(chosen, hushed_until=parent.hushed_until)


def _hour(text: str) -> time:
    try:
        return time.fromisoformat(text if ":" in text else f"{text:0>2}")
    except ValueError as exc:
        raise BadChoice(f"{text[:20]!r} is no time of day: say it as 22:00.") from exc
