"""Which examples are learnt when: rows of examples, and steps of rows. Pure; knows lengths, not tokens.

A row is what the model sees at once; a step is what the optimizer sees at once. Rows are not padded, each goes through the model alone.
"""

from collections.abc import Iterable, Sequence
from random import Random

Row = tuple[int, ...]
"""Places of examples."""
Step = tuple[Row, ...]


def rows(lengths: Sequence[int], order: Iterable[int], *, limit: int, packing: bool = True) -> list[Row]:
    """The examples of `order` in rows of at most `limit` tokens, a longer one in a row of its own; one a row without packing."""
    packed: list[Row] = []
    filled = limit + 1
    for place in order:
        if packing and filled + lengths[place] <= limit:
            packed[-1] += (place,)
            filled += lengths[place]
        else:
            packed.append((place,))
            filled = lengths[place]
    return packed


def steps(lengths: Sequence[int], packed: Iterable[Row], *, tokens: int) -> list[Step]:
    """Neighbouring rows together, as many as make at most `tokens` tokens, and at least one."""
    plan: list[Step] = []
    filled = tokens + 1
    for row in packed:
        size = sum(lengths[place] for place in row)
        if filled + size <= tokens:
            plan[-1] += (row,)
            filled += size
        else:
            plan.append((row,))
            filled = size
    return plan


def plan_epochs(lengths: Sequence[int], *, epochs: float, tokens: int, limit: int, packing: bool, seed: int) -> list[Step]:
    """All steps of a training: each epoch goes over all examples in an order of its own; of the last one only a part, if so asked."""
    plan: list[Step] = []
    for epoch in range(-int(-epochs // 1)):
        order = list(range(len(lengths)))
        Random(f"{seed} {epoch}").shuffle(order)
        part = min(1.0, epochs - epoch)
        taken = order[: max(1, round(len(order) * part))]
        plan += steps(lengths, rows(lengths, taken, limit=limit, packing=packing), tokens=tokens)
    return plan
