"""What is asked, and when: a seeded, open-loop schedule over several models.

Arrivals form a Poisson process: gaps are exponential and never depend on answers. The same seed gives the same schedule, so two
servers can be measured under the same load. Knows nothing of HTTP or of clocks.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PROMPTS = (
    "What did I miss today?",
    "Tell me something you changed your mind about.",
    "Is it worth learning this properly or should I just copy it?",
    "Who is around tonight?",
    "Explain it to me as if we had five minutes before the bus comes.",
    "What would you do with a free Saturday?",
    "Give me one good reason to get out of bed.",
    "That is the third time this week. What now?",
    "Describe your morning in two sentences.",
    "Which of your habits would annoy a stranger most?",
    "I broke it again. Where do I start looking?",
    "What should we eat?",
)
"""Neutral, short, and known to nobody's training set; a file can replace them."""


@dataclass(frozen=True)
class Workload:
    """A load to offer. `weights` are relative shares of the requests and need not sum to one."""

    weights: Mapping[str, float]
    rate_per_s: float
    duration_s: float
    max_tokens: int
    seed: int = 0
    prompts: Sequence[str] = PROMPTS

    def __post_init__(self) -> None:
        if not self.weights or min(self.weights.values()) <= 0:
            raise ValueError("a workload needs at least one model, and every weight must be above 0")
        if self.rate_per_s <= 0 or self.duration_s <= 0 or self.max_tokens < 1:
            raise ValueError("rate, duration and max_tokens must be above 0")
        if not self.prompts:
            raise ValueError("a workload needs at least one prompt")


@dataclass(frozen=True)
class Arrival:
    """One request of the schedule; `at_s` counts from the start of the run."""

    at_s: float
    model: str
    prompt: str
    max_tokens: int
    seed: int


def schedule(workload: Workload) -> list[Arrival]:
    """Every arrival of the workload, in order; all of them lie in [0, duration_s)."""
    draw = random.Random(workload.seed)
    models, weights = list(workload.weights), list(workload.weights.values())
    arrivals: list[Arrival] = []
    at_s = draw.expovariate(workload.rate_per_s)
    while at_s < workload.duration_s:
        model = draw.choices(models, weights)[0]
        prompt = draw.choice(workload.prompts)
        arrivals.append(Arrival(at_s, model, prompt, workload.max_tokens, seed=draw.randrange(2**31)))
        at_s += draw.expovariate(workload.rate_per_s)
    return arrivals


def parse_weights(texts: Sequence[str]) -> dict[str, float]:
    """`["zizou=3", "base"]` -> `{"zizou": 3.0, "base": 1.0}`; the same model twice adds up.

    Raises:
        ValueError: a weight is not a number above zero, or the model's name is empty.
    """
    weights: dict[str, float] = {}
    for text in texts:
        model, equals, share = text.partition("=")
        try:
            weight = float(share) if equals else 1.0
        except ValueError:
            weight = 0.0
        if not model or not 0 < weight < float("inf"):
            raise ValueError(f"{text!r}: write MODEL or MODEL=WEIGHT, with a weight above 0")
        weights[model] = weights.get(model, 0.0) + weight
    return weights
