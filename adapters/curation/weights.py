"""What an example weighs: a soft cutoff on its reward, and no author above a share of the whole. Pure."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_NEARLY = 1e-9


def soft_cutoff(reward: float, *, cutoff: float, sharpness: float) -> float:
    """The logistic of `sharpness` times ln(reward / cutoff). Reward 0 → 0, `cutoff` → 1/2, endless → 1.

    Unlike a threshold it leaves dry humour in: of what few people liked the model sees a little, not nothing.
    """
    if reward <= 0:
        return 0.0
    steps = sharpness * math.log(reward / cutoff)
    return 1 / (1 + math.exp(-steps)) if steps > -700 else 0.0


@dataclass(frozen=True)
class Cap:
    """`factors`: what each author's weights are multiplied with, 1 for most. `limit`: the share that nobody passes after that.

    `held`: false where there are too few authors for the share that was asked for; then `limit` is larger.
    """

    factors: Mapping[str, float]
    limit: float
    held: bool


def cap_authors(weights: Iterable[tuple[str, float]], share: float) -> Cap:
    """Factors after which no author has more than `share` of the whole weight; `weights` are (author, weight of one example).

    Fewer than 1 / share authors cannot keep to it. They would have to be made equal, and one with a single example would count as much
    as one with a thousand: instead nobody may pass twice an equal share (two authors: no cap at all).
    """
    parts: dict[str, list[float]] = {}
    for author, weight in weights:
        parts.setdefault(author, []).append(weight)
    totals = {author: math.fsum(each) for author, each in parts.items()}
    authors = sorted((author for author in totals if totals[author] > 0), key=lambda author: (-totals[author], author))
    if not authors:
        return Cap({}, share, held=True)
    held = len(authors) * share >= 1 - _NEARLY
    limit = share if held else min(1.0, 2 / len(authors))
    most = _most([totals[author] for author in authors], limit)
    return Cap({author: min(1.0, most / totals[author]) for author in authors}, limit, held)


def _most(totals: list[float], limit: float) -> float:
    """The weight that nobody may have more of. `totals` are sorted, the largest first.

    Where the first k are cut to `most`, most = limit * (k * most + the rest): the smallest k for which nobody of the rest has more.
    """
    rest = math.fsum(totals)
    for cut, largest in enumerate(totals):
        room = 1 - cut * limit
        if room <= _NEARLY:
            return totals[cut - 1]
        most = limit * rest / room
        if largest <= most * (1 + _NEARLY):
            return most
        rest = math.fsum(totals[cut + 1 :])
    return totals[-1]
