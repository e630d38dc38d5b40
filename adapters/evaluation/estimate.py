"""A number and how far it can be trusted: 95 % confidence intervals by the bootstrap. Pure; knows nothing of what is measured.

What belongs together, such as the messages of one conversation, is drawn together (a cluster): otherwise a hundred messages of one
evening would count as a hundred independent ones. Differences are paired: both models are seen on the same draws. Percentiles of the
bootstrap are too narrow for few clusters; they are moved outwards as Hesterberg does ("What teachers should know about the bootstrap",
2015: the expanded percentile interval).
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
CONFIDENCE = 0.95
_SEED = 20240708
_ANYTHING = 1e9
"""As far as an interval goes where nothing is known and nothing bounds it: a card holds finite numbers only."""
_UNSEEN = 3.0
"""The rule of three: what was never seen among n happens, with 95 % confidence, in less than 3/n of the cases."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A value and its interval; `n` values were measured. Without any, the value is 0 and the interval is everything that it may be."""

    value: float
    low: float
    high: float
    n: int

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n}


@dataclass(frozen=True)
class Pair:
    """The same thing measured on the base and on the adapter; `difference` is adapter minus base."""

    base: Estimate
    adapter: Estimate
    difference: Estimate

    def to_json(self) -> dict[str, Any]:
        return {"base": self.base.to_json(), "adapter": self.adapter.to_json(), "difference": self.difference.to_json()}


def estimate(
    values: Sequence[float],
    *,
    weights: Sequence[float] | None = None,
    clusters: Sequence[Hashable] | None = None,
    within: tuple[float, float] | None = None,
) -> Estimate:
    """The weighted mean of `values`, which are independent only between `clusters` (None: all). `within`: no value can lie outside."""
    return _estimate(np.asarray(values, np.float64), _weights(values, weights), _places(values, clusters), within)


def pair(
    base: Sequence[float],
    adapter: Sequence[float],
    *,
    weights: Sequence[float] | None = None,
    clusters: Sequence[Hashable] | None = None,
    within: tuple[float, float] | None = None,
) -> Pair:
    """Both means and their paired difference. Raises ValueError where there are not as many of the one as of the other."""
    one, other = np.asarray(base, np.float64), np.asarray(adapter, np.float64)
    if one.shape != other.shape:
        raise ValueError(f"{len(base)} values of the base cannot be paired with {len(adapter)} of the adapter.")
    drawn, places = _weights(base, weights), _places(base, clusters)
    spread = (within[0] - within[1], within[1] - within[0]) if within else None
    return Pair(
        _estimate(one, drawn, places, within),
        _estimate(other, drawn, places, within),
        _estimate(other - one, drawn, places, spread),
    )


def _weights(values: Sequence[float], weights: Sequence[float] | None) -> Numbers:
    return np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)


def _places(values: Sequence[float], clusters: Sequence[Hashable] | None) -> NDArray[np.intp]:
    """For each value the number of its cluster, from 0."""
    if clusters is None:
        return np.arange(len(values))
    known: dict[Hashable, int] = {}
    return np.asarray([known.setdefault(each, len(known)) for each in clusters], np.intp)


def _estimate(values: Numbers, weights: Numbers, places: NDArray[np.intp], within: tuple[float, float] | None) -> Estimate:
    lowest, highest = within or (-_ANYTHING, _ANYTHING)
    if not len(values) or weights.sum() <= 0:
        return Estimate(0.0, lowest, highest, 0)
    sums = np.bincount(places, values * weights).astype(np.float64)
    masses = np.bincount(places, weights).astype(np.float64)
    value, clusters = float(sums.sum() / masses.sum()), len(sums)
    if clusters == 1:
        return Estimate(value, lowest, highest, len(values))
    if np.ptp(values) == 0:
        # Nothing varies, so the bootstrap would be sure of it; after few looks that is no proof.
        slack = _UNSEEN / clusters * (highest - lowest) if within else 0.0
        return Estimate(value, max(lowest, value - slack), min(highest, value + slack), len(values))
    low, high = np.quantile(_draws(sums, masses), _tails(clusters))
    return Estimate(value, max(lowest, min(value, float(low))), min(highest, max(value, float(high))), len(values))


def _draws(sums: Numbers, masses: Numbers) -> Numbers:
    """The ratio of the sums of as many clusters as there are, drawn with replacement, again and again. Clusters of no mass are fine."""
    rng = np.random.default_rng(_SEED)
    count, block = len(sums), max(1, (1 << 22) // len(sums))
    ratios = []
    for start in range(0, DRAWS, block):
        chosen = rng.integers(0, count, (min(block, DRAWS - start), count))
        below = masses[chosen].sum(1)
        ratios.append(sums[chosen].sum(1)[below > 0] / below[below > 0])
    return np.concatenate(ratios)


def _tails(clusters: int) -> tuple[float, float]:
    """Which quantiles of the draws: those of a normal distribution where a t distribution would have 2.5 %."""
    tail = NormalDist().cdf(-_t_quantile(1 - (1 - CONFIDENCE) / 2, clusters - 1) * math.sqrt(clusters / (clusters - 1)))
    return tail, 1 - tail


def _t_quantile(share: float, freedom: int) -> float:
    """Of Student's t distribution: exact for 1 and 2 degrees of freedom, else Hill's expansion (good to 1 % at 3, better above)."""
    if freedom == 1:
        return math.tan(math.pi * (share - 0.5))
    if freedom == 2:
        return (2 * share - 1) / math.sqrt(2 * share * (1 - share))
    z = NormalDist().inv_cdf(share)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / float(freedom) ** power for power, term in enumerate(terms, start=1))
