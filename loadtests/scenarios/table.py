"""Named workloads, so that two people who say "steady" mean the same load. Options given beside a scenario override its values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """`share` gives the weights for the models at hand, in the order given; rates are per second, times in seconds."""

    describe: str
    share: Callable[[Sequence[str]], dict[str, float]]
    rate_per_s: float
    duration_s: float
    warmup_s: float
    max_tokens: int


def equal(models: Sequence[str]) -> dict[str, float]:
    return dict.fromkeys(models, 1.0)


def zipf(models: Sequence[str]) -> dict[str, float]:
    """The first model is asked most; the n-th one n times less often."""
    return {model: 1.0 / rank for rank, model in enumerate(models, start=1)}


SCENARIOS: Mapping[str, Scenario] = {
    "steady": Scenario("every model equally often", equal, rate_per_s=2.0, duration_s=30.0, warmup_s=3.0, max_tokens=32),
    "zipf": Scenario("one loud model, many quiet ones", zipf, rate_per_s=4.0, duration_s=60.0, warmup_s=5.0, max_tokens=32),
}
