"""How much the answers so far say that one version is better than another, whenever one looks. Pure.

Who looks at a comparison again and again and stops when it looks good is wrong far more often than he says. So what decides is an
e-process: a bet against "the challenger is not better" that wins nothing on average while that is true, and multiplies when it is not. Its
value E is above 1/alpha, at any time, with a probability of at most alpha (Ville's inequality): one may look after every answer and stop
when one likes. With a confidence of 0.95 a decision needs E = 20.

The bet is that of Turner, Ly and Grünwald (Generic E-variables for exact sequential k-sample tests that allow for optional stopping, J.
Statistical Planning and Inference 230, 2024). Answers, in the order in which they were sent, are cut into blocks by who made them, never
by how they did. For a block with n and m answers of champion and challenger and an alternative (p, q), q > p, it is the likelihood under
the alternative over that under the one rate r = (n p + m q) / (n + m) for all. Each answer of the champion brings on average
1 + (a - r)(p - r) / (r (1 - r)), a its true rate, and the challenger's the same with b and q. As n (p - r) + m (q - r) = 0, the product
is, by the inequality of the means, at most (1 + m (q - r)(b - a) / ((n + m) r (1 - r)))^(n + m), which is at most 1 wherever b <= a: also
where both rates change with the hour, as long as the challenger's is not the higher one in the mean of a block.

No one knows the alternative, so the stake is divided among a table of them; a mixture of such bets is one.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

_RATES = (0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.6, 0.8)
_ODDS = (1.25, 1.6, 2.2, 3.5, 6.0)
"""The champion's rate, and the challenger's odds over the champion's."""
_LEAST = 6
"""Answers in a block: of both, and together at least so many. Fewer would know less of how the answers were divided."""


@dataclass(frozen=True, slots=True)
class Block:
    """`answers` and `bangers` of champion and challenger."""

    answers: tuple[int, int]
    bangers: tuple[int, int]


def blocks(shown: Iterable[tuple[bool, bool]]) -> Iterator[Block]:
    """`shown`: whether it is the challenger's, and whether it is a banger, in the order of time. An unfinished block is left out."""
    answers, bangers = [0, 0], [0, 0]
    for is_challenger, is_banger in shown:
        answers[is_challenger] += 1
        bangers[is_challenger] += is_banger
        if min(answers) and sum(answers) >= _LEAST:
            yield Block((answers[0], answers[1]), (bangers[0], bangers[1]))
            answers, bangers = [0, 0], [0, 0]


class Evidence:
    """The bet that the challenger is better, block by block."""

    def __init__(self) -> None:
        self._logs = [0.0] * (len(_RATES) * len(_ODDS))

    def add(self, block: Block) -> None:
        champion, challenger = block.bangers
        for at, (hit, miss, hit_, miss_) in enumerate(_gains(block.answers)):
            missed = (block.answers[0] - champion) * miss + (block.answers[1] - challenger) * miss_
            self._logs[at] += champion * hit + challenger * hit_ + missed

    @property
    def value(self) -> float:
        """E. 1 says nothing; as large as a float at most."""
        most = max(self._logs)
        log = most + math.log(math.fsum(math.exp(each - most) for each in self._logs) / len(self._logs))
        return math.exp(min(log, 700.0))


def evidence(shown: Iterable[tuple[bool, bool]]) -> float:
    """E for all of it, see `blocks`."""
    bet = Evidence()
    for block in blocks(shown):
        bet.add(block)
    return bet.value


@lru_cache(maxsize=1024)
def _gains(answers: tuple[int, int]) -> tuple[tuple[float, float, float, float], ...]:
    """For each alternative what a champion's banger, his other answers, and the challenger's add to the logarithm of the bet."""
    found = []
    for rate in _RATES:
        for odds in _ODDS:
            better = odds * rate / (1 - rate + odds * rate)
            one = (answers[0] * rate + answers[1] * better) / sum(answers)
            found.append(
                (math.log(rate / one), math.log((1 - rate) / (1 - one)), math.log(better / one), math.log((1 - better) / (1 - one)))
            )
    return tuple(found)
