"""Who waits, in lanes: one for each community and adapter; first come first served within it, and the community that has had least first.

Whatever is asked of it costs O(log n) of what waits. Knows nothing of who may be let in.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, heapreplace

from server.gateway.admission.shares import Share

QUANTUM = 16384.0
"""Within how much, in tokens of a prompt, communities count as having had the same while slots are short."""


LONG, EACH = 8, 0.1
"""An adapter is let into a slot as if it had come so many seconds later for each request that waits for it, up to so many: one with a short
queue is soon done with its slot."""


@dataclass(eq=False, slots=True)
class Place:
    """One request, from its arrival until it is finished or gives up."""

    number: int
    """Rises with every arrival."""
    arrived: float
    until: float
    """When it gives up waiting."""
    prompt_tokens: int
    max_tokens: float
    lane: "Lane"
    streams: bool = True
    """Its tokens are seen as they come."""
    waits: bool = True
    in_flight: bool = False
    sent: float | None = None
    """When an engine was asked; the wait for one that has to wake is over then."""
    newcomer: bool = False
    """It brought its adapter into a slot."""
    weight: float = 1.0
    """Its community's, when it was let in."""
    charged: float = 0.0
    """Tokens of its answer that are charged already."""
    streamed: int = 0


@dataclass(eq=False, slots=True)
class Adapter:
    """One adapter that somebody waits for, or that has requests in flight."""

    name: str | None
    """None: the base, which needs no slot."""
    in_flight: int = 0
    waiting: int = 0
    since: float = 0.0
    """Since when it has been a resident, or has waited to be one."""
    turn: int = 0
    """Which entry in the line of outsiders is its own: earlier ones are leftovers."""
    lanes: "dict[Share, Lane]" = field(default_factory=dict)
    ranking: "Ranking" = field(default_factory=lambda: Ranking())

    @property
    def quantum(self) -> float:
        """About how much the community that is next to have it has had; infinity if nobody waits."""
        lane = self.ranking.first() if self.waiting else None
        return math.inf if lane is None else lane.share.counter // QUANTUM

    @property
    def rank(self) -> float:
        """By when it waits, and for how much: of those whose communities have had about the same, the lowest is next to have a slot."""
        return self.since + EACH * min(LONG, self.waiting)

    @property
    def next_arrived(self) -> float:
        """When the request came that is next to have it; infinity if nobody waits."""
        lane = self.ranking.first() if self.waiting else None
        return math.inf if lane is None else lane.head.arrived


@dataclass(eq=False, slots=True)
class Lane:
    """What waits of one community for one adapter."""

    share: Share
    adapter: Adapter
    places: OrderedDict[Place, None] = field(default_factory=OrderedDict)
    entry: int = 0
    """Which entry in its ranking is its own: earlier ones are leftovers."""

    @property
    def head(self) -> Place:
        return next(iter(self.places))

    @property
    def key(self) -> tuple[float, int]:
        """The lowest comes first: by what its community has had, and within one community by arrival."""
        return self.share.counter, self.head.number

    @property
    def coarse_key(self) -> tuple[float, int]:
        """Likewise, but by arrival among those who have had about the same."""
        return self.share.counter // QUANTUM, self.head.number


class Ranking:
    """Lanes, that with the lowest key first. A key may rise unseen; where one falls, the lane has to be put in again."""

    __slots__ = ("_heap", "_tidy_at")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, int, Lane]] = []
        self._tidy_at = 64

    def put(self, lane: Lane) -> None:
        lane.entry += 1
        heappush(self._heap, (*lane.key, lane.entry, lane))
        if len(self._heap) > self._tidy_at:
            self._heap = [entry for entry in self._heap if entry[3].entry == entry[2]]
            heapify(self._heap)
            self._tidy_at = 2 * len(self._heap) + 64

    def first(self) -> Lane | None:
        heap = self._heap
        while heap:
            counter, number, entry, lane = heap[0]
            if lane.entry != entry:
                heappop(heap)
                continue
            key = lane.key
            if key[0] == counter and key[1] == number:
                return lane
            lane.entry += 1
            heapreplace(heap, (*key, lane.entry, lane))
        return None


class Outsiders:
    """Adapters that somebody waits for and that hold no slot, in the order in which they come to have one.

    That is by how long they have waited, and for how much, among those whose communities have had about as much; one that has had more
    comes later. Else a community with many adapters would have a seat for each of them, whatever it has had.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, float, int, Adapter]] = []
        self._count = 0
        self._turns = 0

    def __len__(self) -> int:
        return self._count

    def put(self, adapter: Adapter, since: float) -> None:
        self._count += 1
        adapter.since = since
        self.moved(adapter)

    def moved(self, adapter: Adapter) -> None:
        """What its communities have had fell, or its queue is shorter."""
        heappush(self._heap, self._entry(adapter))
        if len(self._heap) > 2 * self._count + 64:
            self._heap = [entry for entry in self._heap if entry[3].turn == entry[2]]
            heapify(self._heap)

    def drop(self, adapter: Adapter) -> None:
        self._count -= 1
        adapter.turn = 0

    def first(self) -> Adapter | None:
        heap = self._heap
        while heap:
            quantum, rank, turn, adapter = heap[0]
            if adapter.turn != turn:
                heappop(heap)
            elif adapter.quantum == quantum and adapter.rank == rank:
                return adapter
            else:
                heapreplace(heap, self._entry(adapter))
        return None

    def _entry(self, adapter: Adapter) -> tuple[float, float, int, Adapter]:
        self._turns += 1
        adapter.turn = self._turns
        return adapter.quantum, adapter.rank, adapter.turn, adapter


class Lanes:
    """All lanes in which something waits, and all adapters that somebody waits for or that have requests in flight."""

    def __init__(self, *, longest: float) -> None:
        """`longest`: how many seconds of waiting count at most for an adapter that was sent out of its slot.

        Else those with long queues, whose oldest requests are always old, would keep newcomers out.
        """
        self.base = Adapter(None)
        self.residents: dict[str, Adapter] = {}
        """Those with requests in flight, by name: they hold the engine's slots."""
        self.outsiders = Outsiders()
        self.waiting = 0
        self._longest = longest
        self._adapters: dict[str, Adapter] = {}
        self._lanes: dict[Share, dict[Adapter, Lane]] = {}

    def __len__(self) -> int:
        """Adapters that are known, for tests: what is finished leaves nothing here."""
        return len(self._adapters) + len(self._lanes)

    def lane(self, share: Share, name: str | None) -> Lane:
        """Where requests of `share` for this adapter wait. It is not kept before something is added to it."""
        adapter = self.base if name is None else self._adapters.get(name) or Adapter(name)
        return adapter.lanes.get(share) or Lane(share, adapter)

    def add(self, place: Place) -> None:
        lane, adapter, share = place.lane, place.lane.adapter, place.lane.share
        lane.places[place] = None
        self.waiting += 1
        if len(lane.places) == 1:
            adapter.lanes[share] = lane
            self._lanes.setdefault(share, {})[adapter] = lane
            adapter.ranking.put(lane)
        adapter.waiting += 1
        if adapter.in_flight or adapter.name is None:
            return
        if adapter.waiting == 1:
            self._adapters[adapter.name] = adapter
            self.outsiders.put(adapter, place.arrived)
        elif len(lane.places) == 1:
            self.outsiders.moved(adapter)

    def remove(self, place: Place) -> None:
        """It waits no more."""
        lane, adapter, share = place.lane, place.lane.adapter, place.lane.share
        del lane.places[place]
        place.waits = False
        adapter.waiting -= 1
        self.waiting -= 1
        if not lane.places:
            lane.entry += 1
            del adapter.lanes[share]
            of_share = self._lanes[share]
            del of_share[adapter]
            if not of_share:
                del self._lanes[share]
        if adapter.in_flight or adapter.name is None:
            return
        if adapter.waiting:
            self.outsiders.moved(adapter)
        else:
            self.outsiders.drop(adapter)
            del self._adapters[adapter.name]

    def admit(self, place: Place, now: float) -> None:
        """It waits no more, and is in flight."""
        adapter = place.lane.adapter
        adapter.in_flight += 1
        if adapter.in_flight == 1 and adapter.name is not None:
            self.outsiders.drop(adapter)
            self.residents[adapter.name] = adapter
            adapter.since = now
            place.newcomer = True
        self.remove(place)
        place.in_flight = True

    def finish(self, place: Place, now: float) -> None:
        """It is in flight no more."""
        adapter = place.lane.adapter
        place.in_flight = False
        adapter.in_flight -= 1
        if adapter.in_flight or adapter.name is None:
            return
        del self.residents[adapter.name]
        if adapter.waiting:
            oldest = min(lane.head.arrived for lane in adapter.lanes.values())
            self.outsiders.put(adapter, max(oldest, now - self._longest))
        else:
            del self._adapters[adapter.name]

    def lowered(self, share: Share) -> None:
        """The counter of `share` fell."""
        for adapter, lane in self._lanes.get(share, {}).items():
            adapter.ranking.put(lane)
            if not adapter.in_flight and adapter.name is not None:
                self.outsiders.moved(adapter)
