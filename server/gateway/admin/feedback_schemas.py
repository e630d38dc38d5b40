"""Feedback, consent and the policy of canaries as the admin API's documents."""

from typing import Any

from pydantic import Field

from server.feedback.canary import MAX_CONFIDENCE, MAX_DAYS, MAX_MINIMUM, MAX_THRESHOLD, MIN_CONFIDENCE, Policy
from server.gateway.admin.schemas import Author, Document
from server.gateway.feedback.documents import Id

_DEFAULT = Policy()


class Score(Document):
    """Of one version."""

    adapter: str
    aliases: list[str] = Field(description="`live` and `canary`, where they mean it.")
    answers: int = Field(description="All that were shown.")
    reacted: int = Field(description="Those of all that somebody liked.")
    waiting: int = Field(description="Those that were sent so lately that they do not count yet.")
    counted: int
    bangers: int = Field(description="Of the counted ones, those that enough people liked in time.")
    rate: float | None
    low: float | None = Field(description="Of an interval that has the true rate in it 95 times in 100 (Wilson).")
    high: float | None


class Compared(Document):
    live: str
    canary: str
    probability_better: float = Field(description="That the canary's true rate is the higher one, for who looks once.")


class Scores(Document):
    community: str
    threshold: int = Field(description="How many people make a banger.")
    hours: int = Field(description="How long after an answer was sent reactions count.")
    versions: list[Score]
    canary_against_live: Compared | None


class Example(Document):
    """An answer with its text."""

    message_id: str
    adapter: str
    sent_ms: int
    reward: int = Field(description="How many people liked it.")
    context: list[dict[str, Any]]
    reply: str
    people: list[str]


class Examples(Document):
    examples: list[Example]
    cursor: str = Field(description="Of the next page; the examples are empty where there is nothing more.")


class Forget(Document):
    person: Id
    community: str | None = Field(default=None, max_length=63, description="Without it in all, for keys of the whole installation.")


class Forgotten(Document):
    texts_removed: int


class No(Document):
    person: str
    since: str
    forget: bool = Field(description="Also from what was learnt: for whoever runs the factory.")


class Consent(Document):
    community: str
    people: list[No] = Field(description="Who said no.")


class NewPolicy(Document):
    """From now on reactions decide about canaries here."""

    confidence: float = Field(default=_DEFAULT.confidence, ge=MIN_CONFIDENCE, le=MAX_CONFIDENCE)
    minimum: int = Field(default=_DEFAULT.minimum, ge=1, le=MAX_MINIMUM, strict=True, description="Counted answers of each version.")
    threshold: int = Field(default=_DEFAULT.threshold, ge=1, le=MAX_THRESHOLD, strict=True, description="How many people make a banger.")
    days: int = Field(default=_DEFAULT.days, ge=1, le=MAX_DAYS, strict=True, description="After these it is taken away, undecided.")
    by: Author = ""

    def policy(self) -> Policy:
        return Policy(self.confidence, self.minimum, self.threshold, self.days)


class AgreedPolicy(Document):
    confidence: float
    minimum: int
    threshold: int
    days: int
    by: str
    at: str


class Arm(Document):
    counted: int
    bangers: int


class Standing(Document):
    live: Arm
    canary: Arm
    better: float = Field(description="The evidence that the canary is better; 1 says nothing, `needed` decides.")
    worse: float
    needed: float


class Trial(Document):
    canary: int
    live: int
    began: str
    ended: str | None
    outcome: str | None
    why: str | None


class CanaryPolicy(Document):
    community: str
    policy: AgreedPolicy | None = Field(description="null: people decide.")
    standing: Standing | None = Field(description="Of the comparison that goes on.")
    trials: list[Trial] = Field(description="The last ones, the latest first.")
