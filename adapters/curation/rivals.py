"""Other messages of the same time and channel that a held-out one has to beat. Pure; holds a few for each of those.

A rival is a message that anybody might have learnt, of the held-out time, not in the example itself, and of fewer reactions than the
target (where nothing has reactions: any): a model that knows the community should find the target likelier.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from adapters.curation.context import Scene
from adapters.sources.message import Message

_REACH = 20
"""Neighbours in time, on either side, that lend what is missing."""


@dataclass
class Pool:
    """Rivals of one target. `fits` tells whether a message may be one."""

    target: Message
    fits: Callable[[Message], bool]
    excluded: set[int]
    """Ids of the messages in the example itself, and of those that were taken."""
    messages: list[Message] = field(default_factory=list)

    def take(self, message: Message) -> bool:
        """Take it, if it may be a rival; whether it did."""
        if message.id in self.excluded or not self.fits(message):
            return False
        self.excluded.add(message.id)
        self.messages.append(message)
        return True

    def drawn(self) -> list[Message]:
        """All of them in an order that has to do with nothing, always the same."""
        return sorted(self.messages, key=lambda each: blake2b(f"{self.target.id}/{each.id}".encode(), digest_size=8).digest())


class Rivals:
    """`wanted`: so many of before the target and as many of after it are collected to choose from.

    Offer it every message that might be learnt, in order; open a pool at each held-out target."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._open: dict[str, list[tuple[Pool, int]]] = {}

    def offer(self, message: Message) -> None:
        """The next message of its channel: pools that were opened there take it, until they have enough."""
        waiting = self._open.get(message.channel)
        if waiting:
            left = [(pool, missing - pool.take(message)) for pool, missing in waiting]
            self._open[message.channel] = [(pool, missing) for pool, missing in left if missing > 0]

    def open(self, scene: Scene, fits: Callable[[Message], bool], earlier: Iterable[Message]) -> Pool:
        """Of the target at the end of `scene`. `earlier`: messages of its channel, the nearest first."""
        target = scene.parts[-1]
        pool = Pool(target, fits, {each.id for each in (*scene.screen, *scene.parts)})
        for message in earlier:
            if len(pool.messages) < self._wanted:
                pool.take(message)
        if self._wanted:
            self._open.setdefault(target.channel, []).append((pool, self._wanted))
        return pool


def lend(pools: Sequence[Pool], wanted: int) -> None:
    """Fill the pools of channels in which too little was said with what fits of the pools before and after; they are in the order of
    time."""
    own = [(pool.target, *pool.messages) for pool in pools]
    for place, pool in enumerate(pools):
        for step in range(1, _REACH + 1):
            for near in (place - step, place + step):
                if 0 <= near < len(pools):
                    for message in own[near]:
                        if len(pool.messages) < wanted:
                            pool.take(message)
