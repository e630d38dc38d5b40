"""One model that the gateway offers, as `GET /v1/models` describes it. Pure; knows the entry's shape and reads over what it lacks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Offer:
    """A model string and what a chat key may know about it. Other servers of OpenAI's protocol tell no more than the name."""

    name: str
    adapter: str | None = None
    """The version that answers: `zizou@7`. None for the base, and where the server does not say."""
    published_at: str | None = None
    """UTC, ISO 8601."""
    renderer: str | None = None
    """How the conversations were rendered that it was trained on; see `adapters.conversation.RENDERER`. None where nobody knows."""
    canary: int | None = None
    """The version that is tried out beside it."""
    canary_share: float = 0.0
    """Per cent of the conversations that the canary answers."""
    learnt: int | None = None
    """From how many examples: what people liked, each after what was said before it. None where nobody knows."""

    @property
    def strings(self) -> tuple[str, ...]:
        """Every model string that is known to mean it or a version of it."""
        known = [self.name]
        if self.adapter and "@" in self.adapter:
            known.append(self.adapter)
        if self.canary is not None:
            known += [f"{self.name}@canary", f"{self.name}@{self.canary}"]
        return tuple(known)


def read_offer(entry: Mapping[str, Any]) -> Offer:
    """Raises KeyError or TypeError for what is no entry; a field of another type than it should have is read over."""
    canary = entry.get("canary")
    canary = canary if isinstance(canary, Mapping) else {}
    learnt = entry.get("learnt")
    examples = learnt.get("examples") if isinstance(learnt, Mapping) else None
    version, share = canary.get("version"), canary.get("share")
    return Offer(
        name=str(entry["id"]),
        adapter=_text(entry.get("adapter")),
        published_at=_text(entry.get("published_at")),
        renderer=_text(entry.get("renderer")),
        canary=version if isinstance(version, int) else None,
        canary_share=share if isinstance(share, int | float) else 0.0,
        learnt=examples if isinstance(examples, int) else None,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
