"""How good a version is: its banger rate with an interval, and how likely one version is better than another. Pure.

These are what a person looks at, at one time. They say nothing of when to stop looking: that is `evidence.py`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Z95 = 1.959963984540054
"""Of a two-sided interval that has the truth in it 95 times in 100."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Of `counted` answers so many were bangers; `rate`, `low` and `high` are parts of 1, None where nothing was counted."""

    counted: int
    bangers: int

    @property
    def rate(self) -> float | None:
        return self.bangers / self.counted if self.counted else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's score interval, 95 %.

        Brown, Cai and DasGupta (Interval Estimation for a Binomial Proportion, Statistical Science 16, 2001) recommend it, or Jeffreys',
        for few trials and for rates near 0: the usual one is much too narrow there. This one needs no special functions.
        """
        if not self.counted:
            return None
        count, rate = self.counted, self.bangers / self.counted
        middle = (rate + Z95**2 / (2 * count)) / (1 + Z95**2 / count)
        half = Z95 * math.sqrt(rate * (1 - rate) / count + Z95**2 / (4 * count**2)) / (1 + Z95**2 / count)
        low = 0.0 if not self.bangers else max(0.0, middle - half)
        high = 1.0 if self.bangers == count else min(1.0, middle + half)
        return low, high


def probability_better(one: Rate, other: Rate) -> float:
    """That `one`'s true rate is higher than `other`'s, if before any answer every rate was as likely as every other.

    Exact: with whole numbers in both Beta posteriors the integral is a finite sum (Cook, Exact Calculation of Beta Inequalities,
    University of Texas, 2005). 1/2 where nothing is known. Terms: the bangers of `one`, or what is less.
    """
    ours, theirs = (one.bangers + 1, one.counted - one.bangers + 1), (other.bangers + 1, other.counted - other.bangers + 1)
    # P(X > Y) is a sum over the first number of X, and by symmetry over any of the four: the smallest is the shortest.
    least = min(*ours, *theirs)
    if least == ours[0]:
        found = _greater(ours, theirs)
    elif least == theirs[1]:
        found = _greater(theirs[::-1], ours[::-1])
    elif least == theirs[0]:
        found = 1 - _greater(theirs, ours)
    else:
        found = 1 - _greater(ours[::-1], theirs[::-1])
    return min(1.0, max(0.0, found))


def _greater(x: Sequence[int], y: Sequence[int]) -> float:
    """P(X > Y) for X ~ Beta(x), Y ~ Beta(y), as a sum of x[0] terms."""
    (a, b), (c, d) = x, y
    start = -_log_beta(c, d)
    terms = (math.exp(start + _log_beta(c + i, b + d) - math.log(b + i) - _log_beta(1 + i, b)) for i in range(a))
    return math.fsum(terms)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
