"""Which side an example is on: to train on what was, to be judged by what came after. Pure.

There is one border in time. Everything of a held-out example lies behind it: the target, each message before it, and the start of its
conversation. Everything of an example to train on lies before it. A conversation that began before the border and goes on behind it is
learnt up to there, and the rest of it is left out: no conversation is on both sides, and nothing that is held out was seen.
"""

from collections.abc import Callable, Sequence
from enum import Enum


class Side(Enum):
    TRAIN = "train"
    HELD_OUT = "held out"
    NEITHER = "reaches across the border to the held-out time"


def border(times: Sequence[int], share: float, starts: Callable[[int, int], Sequence[int]] = lambda low, high: ()) -> int | None:
    """The time from which on examples are held out, so that about the last `share` of these are. None: none are.

    Where a conversation starts near there (`starts` gives those after `low` and not after `high`), it is put there, so that none is
    cut in two; at most twice as many are held out for that. Examples of one moment are never divided; if all were of one, none are held
    out.
    """
    ordered = sorted(times)
    count = round(len(ordered) * share)
    if not count:
        return None
    time = ordered[-count]
    if time == ordered[0]:
        return next((each for each in ordered if each > time), None)
    near = starts(ordered[max(0, len(ordered) - 2 * count)], ordered[-(count + 1) // 2])
    return min(near, key=lambda each: (abs(each - time), each), default=time)


def side(at: int, *, began: int, earliest: int, latest: int, border: int | None) -> Side:
    """Of an example written at `at`, of a conversation that `began`; `earliest` and `latest` are the times of all messages in it."""
    if border is None or max(at, latest) < border:
        return Side.TRAIN
    return Side.HELD_OUT if min(at, began, earliest) >= border else Side.NEITHER
