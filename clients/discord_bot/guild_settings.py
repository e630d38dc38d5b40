"""What a server's admins chose for all of its channels. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from clients.discord_bot.errors import BadChoice

LATE_WORDS = 200
"""Characters of the community's own sentence for a long wait."""


class Level(StrEnum):
    """How strictly what the bot says is filtered."""

    OFF = "off"
    MILD = "mild"
    STRICT = "strict"


class Names(StrEnum):
    """How the model is told who speaks."""

    TRAINED = "trained"
    """By the invented names of its training, where the bot has their key; else as below."""
    DISPLAY = "display"
    """By the names that people see."""


@dataclass(frozen=True)
class GuildSettings:
    """Raises BadChoice with a sentence for whoever chose."""

    learn: bool = False
    """Whether what was said may go to the community's next dataset."""
    model: str | None = None
    """A version or the canary to speak as, `zizou@7`; None: whatever is live."""
    names: Names = Names.TRAINED
    level: Level = Level.MILD
    late: str | None = None
    """What the bot says when its answer takes long; None: its own sentence."""
    streaming: bool = False
    """Whether an answer is shown while it is made, by editing the message."""
    pauses: bool = False
    """Whether there is a human pause before each further message of a long answer."""

    def __post_init__(self) -> None:
        if self.late is not None and not 0 < len(self.late.strip()) <= LATE_WORDS:
            raise BadChoice(f"What I say while you wait has to be one to {LATE_WORDS} characters long.")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "GuildSettings":
        """What an older or a younger version wrote is read as far as it is known here."""
        known = {field.name for field in fields(cls)}
        read = {name: value for name, value in content.items() if name in known}
        for name, kind in (("level", Level), ("names", Names)):
            if name in read:
                read[name] = kind(read[name])
        return cls(**read)
