"""The workloads that admission is tuned on, and what is read off them.

python -m tests.server.gateway.admission.admission_workloads
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from server.gateway.admission.policy import Admission, Bounds
from tests.server.gateway.admission.simulate_admission import FLAT, MIXED, Cost, Request, Simulation

LENGTHS = (24, 40)
PROMPTS = (16, 64)


def worker(simulation: Simulation, community: Callable[[], str], *, name: str = "") -> None:
    """One caller who asks again as soon as he is answered. `name`: his community, if it is not named as the adapter."""

    def ask(served: bool = True) -> None:
        adapter = community()
        random = simulation.random
        simulation.ask(Request(name or adapter, adapter, random.randint(*PROMPTS), random.randint(*LENGTHS), simulation.now, again))

    def again(served: bool) -> None:
        simulation.at(simulation.now + (HOP_BACK if served else 0.5), ask)

    simulation.at(simulation.random.random() / 100, ask)


HOP_BACK = 0.001


def hot_and_cold(simulation: Simulation, seconds: float) -> None:
    """16 callers of two adapters without a pause, and four others that are asked for once in two seconds each."""
    for number in range(16):
        worker(simulation, lambda number=number: f"hot{number % 2}")  # type: ignore[misc]
    for number in range(4):
        _every(simulation, f"cold{number}", 2.0, seconds)


def unequal(simulation: Simulation, seconds: float) -> None:
    """48 callers of one community, 8 of another, 1 of a third; all their adapters have a slot."""
    for name, callers in (("A", 48), ("B", 8), ("C", 1)):
        for _ in range(callers):
            worker(simulation, lambda name=name: name)  # type: ignore[misc]


def zipf(simulation: Simulation, seconds: float) -> None:
    """32 callers, each of whom asks any of 16 adapters, the n-th of them with weight 1/n."""
    names = [f"g{number:02}" for number in range(16)]
    weights = [1 / (number + 1) for number in range(16)]
    for _ in range(32):
        worker(simulation, lambda: simulation.random.choices(names, weights)[0])


def overload(rate: float, *, deadline: float) -> Callable[[Simulation, float], None]:
    """Arrivals that do not wait for answers, of four communities."""

    def load(simulation: Simulation, seconds: float) -> None:
        def ask() -> None:
            random, adapter = simulation.random, f"g{simulation.random.randrange(4)}"
            request = Request(adapter, adapter, random.randint(*PROMPTS), random.randint(*LENGTHS), simulation.now, deadline=deadline)
            simulation.ask(request)
            simulation.at(simulation.now + random.expovariate(rate), ask)

        simulation.at(0.0, ask)

    return load


def _every(simulation: Simulation, name: str, gap: float, seconds: float) -> None:
    def ask() -> None:
        simulation.ask(Request(name, name, simulation.random.randint(*PROMPTS), 16, simulation.now))
        if simulation.now + gap < seconds:
            simulation.at(simulation.now + gap, ask)

    simulation.at(simulation.random.random() * gap, ask)


@dataclass(frozen=True)
class Seen:
    """Of one run; a request that had no token counts with its age at the end."""

    simulation: Simulation
    seconds: float

    @property
    def tokens_a_second(self) -> float:
        return self.simulation.engine.tokens / self.seconds

    @property
    def seats(self) -> float:
        """Mean number of requests in the engine's batch."""
        return self.simulation.engine.seat_seconds / self.seconds

    def waits(self, community: str = "") -> list[float]:
        """Times to first token of those communities whose name begins so."""
        return [
            (self.seconds if each.first is None else each.first) - each.arrived
            for each in self.simulation.requests
            if each.community.startswith(community) and not each.refused
        ]

    def p95(self, community: str = "") -> float:
        return sorted(self.waits(community))[int(0.95 * len(self.waits(community)))]

    def worst_mean(self) -> float:
        """Of all communities' mean times to first token the longest."""
        return max(statistics.mean(self.waits(name)) for name in {each.community for each in self.simulation.requests})

    def jain(self, *communities: str) -> float:
        got = [sum(each.prompt + 2 * each.out for each in self.simulation.requests if each.community == name) for name in communities]
        return sum(got) ** 2 / len(got) / sum(each * each for each in got)

    def goodput(self, within: float = 1.0) -> float:
        """Answers a second that began within so many seconds."""
        good = sum(each.first is not None and each.first - each.arrived < within for each in self.simulation.requests)
        return good / self.seconds


def run(
    load: Callable[[Simulation, float], None],
    *,
    gate: bool,
    seats: int = 8,
    slots: int = 4,
    seconds: float = 60.0,
    cost: Cost = MIXED,
    seed: int = 0,
) -> Seen:
    admission = Admission(Bounds(slots=slots, batch=seats)) if gate else None
    simulation = Simulation(admission, seats=seats, slots=slots, cost=cost, seed=seed)
    load(simulation, seconds)
    simulation.run(seconds)
    return Seen(simulation, seconds)


def main() -> None:
    table: list[tuple[str, Callable[[Simulation, float], None], int, int, Callable[[Seen], float]]] = [
        ("hot/cold: p95 TTFT of the cold", hot_and_cold, 8, 2, lambda seen: seen.p95("cold")),
        ("fair 48/8/1: p95 TTFT of the light one", unequal, 8, 4, lambda seen: seen.p95("C")),
        ("fair 48/8/1: Jain's index of A and B", unequal, 8, 4, lambda seen: seen.jain("A", "B")),
        ("zipf, 2 slots: worst adapter's mean TTFT", zipf, 8, 2, Seen.worst_mean),
        ("zipf, 4 slots: worst adapter's mean TTFT", zipf, 8, 4, Seen.worst_mean),
        ("zipf, 4 slots, 16 seats: worst adapter's mean TTFT", zipf, 16, 4, Seen.worst_mean),
    ]
    print("| workload | cost | direct | gate | gate ÷ direct | tokens/s, gate ÷ direct | seats in use, direct, gate |")
    print("| --- | --- | --: | --: | --: | --: | --: |")
    for name, load, seats, slots, figure in table:
        for kind, cost in (("mixed", MIXED), ("flat", FLAT)):
            direct = [run(load, gate=False, seats=seats, slots=slots, cost=cost, seed=seed) for seed in range(5)]
            gated = [run(load, gate=True, seats=seats, slots=slots, cost=cost, seed=seed) for seed in range(5)]
            pairs = list(zip(direct, gated, strict=True))
            median = statistics.median
            print(
                f"| {name} | {kind} | {median(map(figure, direct)):.2f} | {median(map(figure, gated)):.2f}"
                f" | {median(figure(after) / figure(before) for before, after in pairs):.3f}"
                f" | {median(after.tokens_a_second / before.tokens_a_second for before, after in pairs):.3f}"
                f" | {median(each.seats for each in direct):.1f}, {median(each.seats for each in gated):.1f} |"
            )
    print("\n| overload: offered requests/s | goodput (TTFT < 1 s) direct | gate |\n| --: | --: | --: |")
    for rate in (10.0, 15.0, 17.0, 19.0, 25.0, 38.0, 57.0):
        seen = [run(overload(rate, deadline=0.7), gate=gate) for gate in (False, True)]
        print(f"| {rate:.0f} | {seen[0].goodput():.1f} | {seen[1].goodput():.1f} |")


if __name__ == "__main__":
    main()
