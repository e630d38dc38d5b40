"""The loads under which callers get into each other's way, and what is read off each: L4 to L7 of the suite that the benchmark is about.

Prompts and answers have 1 to 64 tokens, where nothing else is said: those of S-LoRA's synthetic load, divided by eight.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from loadtests.benchmarks.fairness_load import Asked, Callers, Lengths, Seen
from loadtests.benchmarks.fairness_stage import DIRECT, LITELLM, ROUTER, SEATS, TROUPES
from loadtests.measure import percentile

Figures = Mapping[str, float]

ANY = Lengths((1, 64), (1, 64))
EVEN = Lengths((32, 32), (32, 32))
HOT, COLD = Lengths((1, 64), (24, 40)), Lengths((1, 64), (16, 16))
TOKEN_COST = 2
"""What a token of an answer counts, in tokens of a prompt, where communities are compared."""
SOON_S = 1.0
"""A request whose first token comes within it was served well."""
PATIENCE = {"x-troupe-deadline-ms": "700"}
"""What callers who want a first token within a second tell Troupe, which the engine needs the rest of; the others do not know it."""
ZIPF_ADAPTERS, ZIPF_CALLERS = 16, 32
OVERLOAD = "overload"


@dataclass(frozen=True)
class Workload:
    """`load` begins the callers; `read` makes figures of what they saw."""

    name: str
    slots: int
    seconds: float
    load: Callable[[Callers], None]
    read: Callable[[Seen], Figures]
    paths: Sequence[str] = (DIRECT, TROUPES)


def hot_and_cold(callers: Callers) -> None:
    """16 callers of two adapters without a pause, and four others that are asked for every two seconds."""
    for community in ("g0", "g1"):
        callers.without_pause(8, always(community), HOT)
    for community in ("g2", "g3", "g4", "g5"):
        callers.every(2.0, community, COLD)


def unequal(callers: Callers) -> None:
    """48 callers of one community, 8 of another, and a third that asks once in a second; every adapter has its slot."""
    callers.without_pause(48, always("g0"), ANY)
    callers.without_pause(8, always("g1"), ANY)
    callers.every(1.0, "g2", ANY)


def zipf(callers: Callers) -> None:
    """32 callers, each of whom asks any of 16 adapters, the n-th of them with weight 1/n."""
    names, weights = [f"g{number}" for number in range(ZIPF_ADAPTERS)], [1 / (number + 1) for number in range(ZIPF_ADAPTERS)]
    callers.without_pause(ZIPF_CALLERS, lambda draw: draw.choices(names, weights)[0], ANY)


def full(callers: Callers) -> None:
    """As many callers as fill the engine, and two more so that it need not wait for them: the most that it answers."""
    callers.without_pause(SEATS + 2, any_of_four, ANY)


def even(callers: Callers) -> None:
    """Likewise, with answers of one length: how long they take says how quick the engine is, after few of them."""
    callers.without_pause(SEATS + 2, any_of_four, EVEN)


def flood(rate: float, seconds: float, after_s: float) -> Callable[[Callers], None]:
    """Three times `rate` requests a second for so long, whoever is answered; and half of it for `after_s`."""

    def load(callers: Callers) -> None:
        callers.at_random(3.0 * rate, any_of_four, ANY, until_s=seconds)
        callers.at_random(0.5 * rate, any_of_four, ANY, from_s=seconds, until_s=seconds + after_s)

    return load


def any_of_four(draw: random.Random) -> str:
    return f"g{draw.randrange(4)}"


def always(community: str) -> Callable[[random.Random], str]:
    return lambda draw: community


def read_hot_and_cold(seen: Seen) -> Figures:
    cold, hot = of(seen, "g2", "g3", "g4", "g5"), of(seen, "g0", "g1")
    return {
        "cold p50, s": wait(seen, cold, 0.5), "cold p95, s": wait(seen, cold, 0.95), "cold max, s": wait(seen, cold, 1.0),
        "cold answered": sum(answered(each) for each in cold) / len(cold), "hot p95, s": wait(seen, hot, 0.95), **common(seen),
    }  # fmt: skip


def read_unequal(seen: Seen) -> Figures:
    had = [sum(each.prompt + TOKEN_COST * each.completion for each in of(seen, community) if answered(each)) for community in ("g0", "g1")]
    return {
        "Jain": sum(had) ** 2 / len(had) / sum(each * each for each in had) if any(had) else 0.0,
        "light p50, s": wait(seen, of(seen, "g2"), 0.5), "light p95, s": wait(seen, of(seen, "g2"), 0.95),
        "heavy p50, s": wait(seen, of(seen, "g0"), 0.5), "middle p50, s": wait(seen, of(seen, "g1"), 0.5), **common(seen),
    }  # fmt: skip


def read_zipf(seen: Seen) -> Figures:
    names = sorted({each.community for each in seen.asked})
    means = [fmean(each.waited_s(seen.seconds) for each in of(seen, name)) for name in names]
    return {
        "worst mean, s": max(means), "mean, s": fmean(each.waited_s(seen.seconds) for each in seen.asked),
        "p95, s": wait(seen, seen.asked, 0.95), "most popular mean, s": means[names.index("g0")], **common(seen),
    }  # fmt: skip


def read_full(seen: Seen) -> Figures:
    return {"rate": sum(map(answered, seen.asked)) / seen.seconds, "good": sum(map(well, seen.asked)) / seen.seconds, **common(seen)}


def read_even(seen: Seen) -> Figures:
    return {"answer p50, s": percentile(sorted(each.ended_s - each.at_s for each in seen.asked if each.ended_s is not None), 0.5)}


def read_flood(seen: Seen, seconds: float) -> Figures:
    during, after = [each for each in seen.asked if each.at_s < seconds], [each for each in seen.asked if each.at_s >= seconds]
    return {
        "good": sum(map(well, during)) / seconds, "offered": len(during) / seconds,
        "refused": sum(each.fault == "refused" for each in during) / len(during),
        "good after": sum(map(well, after)) / max(1, len(after)), **common(seen),
    }  # fmt: skip


def of(seen: Seen, *communities: str) -> list[Asked]:
    return [each for each in seen.asked if each.community in communities]


def answered(asked: Asked) -> bool:
    return asked.ended_s is not None and not asked.fault


def well(asked: Asked) -> bool:
    """Answered, and its first token came soon."""
    return answered(asked) and asked.waited_s(0.0) < SOON_S


def wait(seen: Seen, asked: Sequence[Asked], share: float) -> float:
    """The `share` quantile of times to first token; those that had none count with their age."""
    return percentile(sorted(each.waited_s(seen.seconds) for each in asked if not each.fault), share)


def common(seen: Seen) -> Figures:
    """Of every load: the answers' tokens a second, what went wrong, and how late the client itself was."""
    return {
        "tokens/s": sum(each.completion for each in seen.asked if answered(each)) / seen.seconds,
        "answers": sum(map(answered, seen.asked)), "failed": sum(each.fault == "failed" for each in seen.asked),
        "lag p99, ms": 1000 * percentile(sorted(seen.lags_s), 0.99),
    }  # fmt: skip


def workloads(scale: float) -> Sequence[Workload]:
    """All but the overload, which needs to know what the engine can do first. `scale`: of their usual length."""
    return (
        Workload("hot/cold", 2, 60.0 * scale, hot_and_cold, read_hot_and_cold, (DIRECT, TROUPES, LITELLM, ROUTER)),
        Workload("zipf, 2 slots", 2, 40.0 * scale, zipf, read_zipf),
        Workload("fair", 4, 30.0 * scale, unequal, read_unequal),
        Workload("zipf, 4 slots", 4, 40.0 * scale, zipf, read_zipf),
    )
