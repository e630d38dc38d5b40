"""Which request is let to the engine next, which has to wait, and which is told at once that it will not be served.

Pure: time is handed in, nothing is awaited. `Gate` runs it. In front is a bounded queue for each community; behind it a bounded number of
requests at the engine (`seats`), for a bounded number of adapters (`slots`). A free slot goes to the adapter that has
waited longest, a free seat else to the community that has had least (`shares`) of those whose adapter is there. While slots are
short, those who have had about the same are served by arrival: to favour who asks seldom would let popular adapters wait for all of them.
What a caller says of its own priority appears nowhere. One decision costs O(log n) of what waits, and O(residents).
"""

import math
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from server.gateway.admission.errors import DeadlinePassed, QueueFull, ShareFull
from server.gateway.admission.lanes import QUANTUM, Lane, Lanes, Place
from server.gateway.admission.seats import Seats
from server.gateway.admission.shares import PROMPT_COST, TOKEN_COST, Share, Shares
from server.gateway.admission.slots import Slots

LEARNING = 0.1
LEFT = 8
"""About so many places in the queue no weight takes from the others, however large it is."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What is known of a request when it comes."""

    community: str
    adapter: str | None
    """Its engine name; None: the base."""
    prompt_tokens: int
    weight: float = 1.0
    """Of its community: with 2 it may have twice as much as one with 1, while both want more than they get."""
    deadline: float | None = None
    """Seconds that it may wait here."""
    max_tokens: int | None = None
    """The most that its answer may have."""
    streams: bool = True
    """Whether the tokens of its answer are seen as they come."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much there may be of what. Times in seconds."""

    slots: int
    """Adapters that the engine computes at once: its `max_loras`."""
    batch: int | None = None
    """Requests that it computes at once: its `max_num_seqs`; None where nobody knows, which is then found out."""
    waiting: int = 256
    """Requests that may wait, of all communities."""
    waiting_each: int | None = None
    """Of one; None: only what the others leave it."""
    shortest_swap: float = 0.2
    longest_swap: float = 2.0
    """How long an adapter without a slot waits before one is drained for it: the first where that costs nothing, the second at most."""

    def __post_init__(self) -> None:
        if self.slots < 1 or self.waiting < 1 or (self.batch or 1) < 1 or (self.waiting_each or 1) < 1:
            raise ValueError("slots, batch and the queue's bounds must be at least 1")
        if not 0 <= self.shortest_swap <= self.longest_swap:
            raise ValueError("an adapter's shortest wait for a slot must lie between 0 and the longest")


class Admission:
    """The queue in front of one engine, and what is in flight there.

    After anything that may have made room or brought somebody, ask `expired`, and `next` until it has nothing more; and again at `look_at`.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.shares = Shares()
        self.lanes = Lanes(longest=bounds.longest_swap)
        self.seats = Seats(bounds.batch)
        self.slots = Slots(bounds.slots, bounds.shortest_swap, bounds.longest_swap, self.lanes)
        self.service = 0.0
        """Seconds that a request usually is at the engine."""
        self._number = 0
        self._deadlines: list[tuple[float, int, Place]] = []
        self._slots_at: float | None = None

    def look(self, ticket: Ticket) -> None:
        """Whether there is room for it in the queue. Raises Refused, as `arrive` would now."""
        self._refuse(self.shares.of(ticket.community, ticket.weight), ticket)

    def arrive(self, ticket: Ticket, now: float) -> Place:
        """Take it into the queue. Raises Refused, at once, where it would wait in vain."""
        share = self.shares.of(ticket.community, ticket.weight)
        self._refuse(share, ticket)
        self._number += 1
        until = math.inf if ticket.deadline is None else now + ticket.deadline
        most = math.inf if ticket.max_tokens is None else ticket.max_tokens
        lane = self.lanes.lane(share, ticket.adapter)
        place = Place(self._number, now, until, ticket.prompt_tokens, most, lane, streams=ticket.streams)
        self.shares.joined(share)
        self.lanes.add(place)
        if until < math.inf:
            heappush(self._deadlines, (until, place.number, place))
            if len(self._deadlines) > 2 * self.lanes.waiting + 64:
                self._deadlines = [each for each in self._deadlines if each[2].waits]
                heapify(self._deadlines)
        return place

    def leave(self, place: Place) -> None:
        """It gave up waiting."""
        self.lanes.remove(place)
        self.shares.left(place.lane.share, last=not self.lanes.waiting)

    def expired(self, now: float) -> list[Place]:
        """Those whose deadline has passed; they wait no more."""
        late: list[Place] = []
        while self._deadlines and (self._deadlines[0][0] <= now or not self._deadlines[0][2].waits):
            place = heappop(self._deadlines)[2]
            if place.waits:
                self.leave(place)
                late.append(place)
        return late

    def next(self, now: float) -> Place | None:
        """Let one in: it is in flight from now on. None: nobody may be let in before something happens, or before `look_at`."""
        self._slots_at = None
        if not self.lanes.waiting:
            if self.slots.draining is not None:
                self.slots.look(now, self.seats.batch)  # nobody needs the slot any more
            return None
        if not self.seats.free:
            self.seats.backlog = True
            return None
        self._slots_at = self.slots.look(now, self.seats.batch)
        lane = self._choose()
        if lane is None:
            return None
        place, share = lane.head, lane.share
        place.charged = min(share.expected, place.max_tokens)
        place.weight = share.weight
        self.shares.charge(share, PROMPT_COST * place.prompt_tokens + TOKEN_COST * place.charged, place.weight)
        self.lanes.admit(place, now)
        self.shares.left(share, last=not self.lanes.waiting)
        share.in_flight += 1
        self.seats.in_flight += 1
        return place

    @property
    def look_at(self) -> float | None:
        """When to ask again, though nothing happens."""
        deadline = self._deadlines[0][0] if self._deadlines else None
        return min((at for at in (self._slots_at, deadline) if at is not None), default=None)

    def sent(self, place: Place, now: float) -> None:
        """An engine is asked now. Of a request whose engine was lost: another one is."""
        if place.streams and place.sent is None:
            self.seats.beginning += 1
        place.sent = now

    def streamed(self, place: Place, tokens: int, now: float) -> None:
        """So many more tokens of its answer came."""
        if place.streamed:
            self.seats.token()
        elif place.streams and place.sent is not None:
            self.seats.beginning -= 1
            self.slots.first_token(now - place.sent, newcomer=place.newcomer)
        place.streamed += tokens
        if place.streamed > place.charged:
            self.shares.charge(place.lane.share, TOKEN_COST * (place.streamed - place.charged), place.weight)
            place.charged = place.streamed

    def finish(self, place: Place, now: float, *, prompt: int | None = None, completion: int | None = None) -> None:
        """Its seat is free. `prompt`, `completion`: the tokens that it really had; None where it was broken off."""
        share = place.lane.share
        rest = TOKEN_COST * ((place.streamed if completion is None else completion) - place.charged)
        rest += PROMPT_COST * (0 if prompt is None else prompt - place.prompt_tokens)
        self.shares.charge(share, rest, place.weight)
        if rest < 0:
            self.lanes.lowered(share)
        if place.streams and place.sent is not None and not place.streamed:
            self.seats.beginning -= 1
        if completion is not None:
            self.shares.learn(share, completion)
            if place.sent is not None:
                self.service += (LEARNING if self.service else 1.0) * (now - place.sent - self.service)
        self.lanes.finish(place, now)
        share.in_flight -= 1
        self.seats.in_flight -= 1

    def wait_of(self, requests: float) -> float:
        """Seconds until so many have been let in, as far as can be told."""
        return requests * self.service / self.seats.limit

    def late(self) -> DeadlinePassed:
        """What to tell those who expired."""
        return DeadlinePassed(retry_after=self.wait_of(self.lanes.waiting))

    def _choose(self) -> Lane | None:
        short = len(self.lanes.outsiders) > 0
        best, lowest = self.lanes.base.ranking.first(), (math.inf, 0)
        if best is not None:
            lowest = best.coarse_key if short else best.key
        for adapter in self.lanes.residents.values():
            if adapter.waiting and adapter is not self.slots.draining and (lane := adapter.ranking.first()) is not None:
                key = lane.coarse_key if short else lane.key
                if key < lowest:
                    best, lowest = lane, key
        if self.slots.free and (outsider := self.lanes.outsiders.first()) is not None:
            lane = outsider.ranking.first()
            if lane is not None and (best is None or lane.share.counter <= best.share.counter + QUANTUM):
                return lane
        if best is not None:
            self.shares.chosen(best.share)
        return best

    def _refuse(self, share: Share, ticket: Ticket) -> None:
        """A community may have twice as much waiting as there is room left (times its weight): one alone has two thirds of the queue, many
        have less each, and whoever has nothing waiting finds room as long as there is any."""
        waiting = self.lanes.waiting
        room = self.bounds.waiting - waiting
        if room <= 0:
            raise QueueFull(retry_after=self.wait_of(waiting))
        part = 2.0 * min(share.weight, max(1.0, self.bounds.waiting / (2 * LEFT)))
        if share.waiting >= min(self.bounds.waiting_each or self.bounds.waiting, max(1.0, part * room)):
            raise ShareFull(retry_after=self.wait_of(share.waiting))
        if ticket.deadline is None or not waiting:
            return
        weight = self.shares.weight + (0.0 if share.waiting else share.weight)
        before = share.waiting * weight / share.weight  # all that is let in until its own turn comes
        if self.wait_of(min(before, waiting) + 1) > ticket.deadline:
            raise (ShareFull if before >= waiting else QueueFull)(retry_after=self.wait_of(min(before, waiting)))
