"""Virtual token counters: who has had how much of the engine, so that who has had least comes next.

The counter of Sheng et al., "Fairness in Serving Large Language Models" (OSDI '24), with two changes. What an answer will probably cost is
charged when it is let in, and corrected as it comes: callers who do not stream would else seem to cost nothing until they are done. And
whoever comes back is lifted to a clock that goes on with what is given, as in weighted fair queueing, and not only to the least of those
who wait: newcomers without end could else keep out for ever whoever owes a little. Knows nothing of adapters, bounds or time.
"""

from dataclasses import dataclass, field

PROMPT_COST = 1.0
TOKEN_COST = 2.0
"""What a token of an answer costs, in tokens of a prompt: the paper's own choice."""
USUAL_ANSWER = 64.0
"""Tokens that an answer is taken to have before there was one."""
LEAD = 256.0
"""How far the clock may be ahead, in tokens of a prompt."""
CREDIT = 1024.0
"""How far behind the clock, in tokens of a prompt, a community may come back that still has requests at the engine: its callers did not go
away, they took a moment to ask again."""
LEARNING = 0.2
KEPT = 256
"""Communities that are remembered beyond twice those that matter."""


@dataclass(eq=False, slots=True)
class Share:
    """One community's part."""

    community: str
    weight: float
    expected: float
    """Tokens of its usual answer."""
    counter: float = 0.0
    """What it has had, in tokens of a prompt, divided by its weight."""
    waiting: int = 0
    in_flight: int = 0


@dataclass(slots=True)
class Shares:
    """All communities, and the clock that those who come back are lifted to."""

    weight: float = 0.0
    """Of all communities that wait."""
    clock: float = 0.0
    _usual: float = USUAL_ANSWER
    _all: dict[str, Share] = field(default_factory=dict)
    _sweep_at: int = KEPT

    def __len__(self) -> int:
        return len(self._all)

    def counters(self) -> dict[str, float]:
        """What each community that is remembered has had."""
        return {share.community: share.counter for share in self._all.values()}

    def waiting_of(self, community: str) -> int:
        share = self._all.get(community)
        return 0 if share is None else share.waiting

    def of(self, community: str, weight: float) -> Share:
        """The share of `community`. Another weight than before holds from now on, also for what waits already."""
        share = self._all.get(community)
        if share is None:
            if len(self._all) >= self._sweep_at:
                self._sweep()
            share = self._all[community] = Share(community, weight, self._usual)
        elif share.weight != weight:
            if share.waiting:
                self.weight += weight - share.weight
            share.weight = weight
        return share

    def joined(self, share: Share) -> None:
        """One more of it waits. Who had nothing waiting has no credit left over from then, or little if it was being served."""
        if not share.waiting:
            share.counter = max(share.counter, self.clock - (CREDIT if share.in_flight else 0.0))
            self.weight += share.weight
        share.waiting += 1

    def left(self, share: Share, *, last: bool) -> None:
        """One of it waits no more; `last`: nor does anybody else."""
        share.waiting -= 1
        if not share.waiting:
            self.weight -= share.weight
        if last:
            self.weight = 0.0  # without what adding and taking away floats leaves over
            self.clock = max(self.clock, share.counter)

    def chosen(self, share: Share) -> None:
        """It has had least of all who may be let in now: the clock is there, or a little ahead.

        Further ahead it comes where some who are served want less than their part; newcomers would then pay for what others left.
        """
        self.clock = min(max(self.clock, share.counter), share.counter + LEAD)

    def charge(self, share: Share, cost: float, weight: float) -> None:
        """`cost` in tokens of a prompt; below zero: give back. `weight`: what its community's was when the request was let in."""
        share.counter += cost / weight
        if self.weight and (share.waiting or cost < 0.0):
            self.clock += cost / self.weight

    def learn(self, share: Share, tokens: int) -> None:
        """An answer had so many tokens."""
        share.expected += LEARNING * (tokens - share.expected)
        self._usual += LEARNING / 4 * (tokens - self._usual)

    def _sweep(self) -> None:
        """Forget those whom coming back would lift anyway."""
        self._all = {name: each for name, each in self._all.items() if each.waiting or each.in_flight or each.counter > self.clock}
        self._sweep_at = 2 * len(self._all) + KEPT
