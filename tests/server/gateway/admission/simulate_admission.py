"""vLLM's scheduler in a few lines, with and without the gate in front: `python -m tests.server.gateway.admission.simulate_admission`.

The engine is vLLM 0.32's scheduler as far as adapters and seats go (`v1/core/sched/scheduler.py`): a step takes everything that runs, then
lets in what waits, in order, while there are seats; a request whose adapter is not among those that run is skipped if these are as many as
there are slots. A step's cost is fitted to measurements of vLLM on two cores: 600 to 700 tokens/s with eight running and adapters.
"""

import heapq
import random
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from server.gateway.admission.errors import Refused
from server.gateway.admission.lanes import Place
from server.gateway.admission.policy import Admission, Ticket

HOP = 0.001
"""Seconds from the gate to the engine, and back."""
TOKENS_A_STEP = 2048


@dataclass(frozen=True)
class Cost:
    """Seconds of a step, for each thing in it."""

    step: float
    decoded: float
    read: float = 0.00005
    adapter: float = 0.0001
    load: float = 0.005


MIXED = Cost(step=0.0075, decoded=0.0006)
FLAT = Cost(step=0.0100, decoded=0.0003)
"""A step costs nearly the same however few are in it, as on a GPU: here an empty seat is dearest."""


@dataclass(eq=False)
class Request:
    community: str
    adapter: str | None
    prompt: int
    tokens: int
    arrived: float
    done: "Callable[[bool], None] | None" = None
    deadline: float | None = None
    read: int = 0
    out: int = 0
    first: float | None = None
    refused: str = ""
    place: Place | None = None


class Simulation:
    """A clock, an engine, and a gate in front of it or None."""

    def __init__(self, gate: Admission | None, *, seats: int, slots: int, cost: Cost = MIXED, seed: int = 0) -> None:
        self.gate = gate
        self.random = random.Random(seed)
        self.now = 0.0
        self.engine = Engine(self, seats, slots, cost)
        self.requests: list[Request] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._looks_at: float | None = None
        self._of: dict[Place, Request] = {}

    def at(self, when: float, call: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, call))

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, call = heapq.heappop(self._events)
            call()
        self.now = until

    def ask(self, request: Request) -> None:
        self.requests.append(request)
        if self.gate is None:
            self.at(self.now + HOP, lambda: self.engine.add(request))
            return
        ticket = Ticket(request.community, request.adapter, request.prompt, deadline=request.deadline)
        try:
            request.place = self.gate.arrive(ticket, self.now)
        except Refused as error:
            self._refuse(request, type(error).__name__)
            return
        self._of[request.place] = request
        self._look()

    def token(self, request: Request) -> None:
        if request.first is None:
            request.first = self.now + HOP
        if self.gate is not None and request.place is not None:
            self.gate.streamed(request.place, 1, self.now + HOP)

    def finished(self, request: Request) -> None:
        def told() -> None:
            if self.gate is not None and request.place is not None:
                self.gate.finish(request.place, self.now, prompt=request.prompt, completion=request.out)
                self._look()
            if request.done is not None:
                request.done(True)

        self.at(self.now + HOP, told)

    def _look(self) -> None:
        assert self.gate is not None
        for place in self.gate.expired(self.now):
            self._refuse(self._of.pop(place), "DeadlinePassed")
        while (admitted := self.gate.next(self.now)) is not None:
            self.gate.sent(admitted, self.now)
            request = self._of.pop(admitted)
            self.at(self.now + HOP, lambda request=request: self.engine.add(request))  # type: ignore[misc]
        at = self.gate.look_at
        if at is not None and (self._looks_at is None or at < self._looks_at or self._looks_at <= self.now):
            self._looks_at = at
            self.at(max(at, self.now), self._look)

    def _refuse(self, request: Request, why: str) -> None:
        request.refused = why
        if request.done is not None:
            request.done(False)


@dataclass
class Engine:
    simulation: Simulation
    seats: int
    slots: int
    cost: Cost
    waiting: deque[Request] = field(default_factory=deque)
    running: list[Request] = field(default_factory=list)
    loaded: OrderedDict[str, None] = field(default_factory=OrderedDict)
    busy: bool = False
    tokens: int = 0
    seat_seconds: float = 0.0

    def add(self, request: Request) -> None:
        self.waiting.append(request)
        if not self.busy:
            self._step()

    def _step(self) -> None:
        budget, read = TOKENS_A_STEP, 0
        adapters = {each.adapter for each in self.running if each.adapter is not None}
        for each in self.running:
            now = min(budget, max(1, each.prompt - each.read))
            read += now if each.read < each.prompt else 0
            each.read += now
            budget -= now
        skipped: list[Request] = []
        while self.waiting and budget > 0 and len(self.running) < self.seats:
            each = self.waiting.popleft()
            if each.adapter is not None and each.adapter not in adapters and len(adapters) == self.slots:
                skipped.append(each)
                continue
            each.read = min(budget, each.prompt)
            read, budget = read + each.read, budget - each.read
            self.running.append(each)
            if each.adapter is not None:
                adapters.add(each.adapter)
        self.waiting.extendleft(reversed(skipped))
        self.busy = bool(self.running)
        if self.busy:
            cost, noise = self.cost, self.simulation.random.uniform(0.9, 1.1)
            seconds = cost.step + cost.decoded * len(self.running) + cost.read * read
            seconds = noise * (seconds + cost.adapter * len(adapters) + cost.load * self._load(adapters))
            self.seat_seconds += seconds * len(self.running)
            self.simulation.at(self.simulation.now + seconds, self._end)

    def _load(self, adapters: set[str]) -> int:
        loads = 0
        for name in sorted(adapters):
            loads += name not in self.loaded
            self.loaded[name] = None
            self.loaded.move_to_end(name)
        while len(self.loaded) > self.slots:
            self.loaded.popitem(last=False)
        return loads

    def _end(self) -> None:
        going, self.running = self.running, []
        for each in going:
            if each.read >= each.prompt:
                each.out += 1
                self.tokens += 1
                self.simulation.token(each)
            if each.out < each.tokens:
                self.running.append(each)
            else:
                self.simulation.finished(each)
        self._step()
