"""How far two models are apart, seen through the few likeliest tokens that a server tells of each. Pure.

Both distributions are cut into the same parts: every token of which both probabilities are known, and one part for all the rest. What
is lost by looking at parts can only make the distance smaller (the data-processing inequality): the result is a lower bound of
KL(first ‖ second), and it is the distance itself where every token is known.
"""

import math
from collections.abc import Mapping

NOISE = 1e-6
"""What is left for the rest is a difference of float32 sums: a share below this cannot be told from none."""


def top_k_kl(first: Mapping[int, float], second: Mapping[int, float]) -> float:
    """In nats, never negative. Token id → log-probability, for some tokens of each, with nothing said about the others."""
    known = first.keys() & second.keys()
    inside = sum(math.exp(first[token]) * (first[token] - second[token]) for token in known)
    rest_of_first = 1 - math.fsum(math.exp(first[token]) for token in known)
    rest_of_second = 1 - math.fsum(math.exp(second[token]) for token in known)
    if rest_of_first > 0:
        # More in the second's rest than there is makes the sum smaller: it stays a lower bound.
        inside += rest_of_first * math.log(rest_of_first / max(rest_of_second, NOISE))
    return max(0.0, inside)


def likeliest(position: Mapping[int, float]) -> int:
    """The first by id where two are equally likely."""
    return min(position, key=lambda token: (-position[token], token))
