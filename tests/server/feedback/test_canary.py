"""When a canary is decided, in worlds whose truth is known: how often wrongly, how often at all, and after how many answers."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product

import pytest

from server.feedback.answer import DAY_MS
from server.feedback.canary import Outcome, Policy, Standing, decide, standing
from server.feedback.evidence import Block, Evidence, blocks, evidence
from server.feedback.score import Rate

POLICY = Policy(minimum=1)
Figure = Callable[[str, object], None]
BETTER, WORSE = "better", "worse"
ONE_SIDED_95 = 1.645
"""Standard deviations."""


def first_decision(rng: random.Random, rates: tuple[float, float], share: float, most: int, policy: Policy = POLICY) -> tuple[str, int]:
    """Looked at after every block, which is whenever the evidence changes; and after how many answers."""
    return decided(rng, lambda _: rates, share, most, policy)


def decided(
    rng: random.Random, rates: Callable[[int], tuple[float, float]], share: float, most: int, policy: Policy = POLICY
) -> tuple[str, int]:
    up, down = Evidence(), Evidence()
    shown: list[tuple[bool, bool]] = []
    for number in range(most):
        is_canary = rng.random() < share
        shown.append((is_canary, rng.random() < rates(number)[is_canary]))
        for block in blocks(shown):
            up.add(block)
            down.add(Block(block.answers[::-1], block.bangers[::-1]))
            shown = []
            if up.value >= policy.needed:
                return BETTER, number + 1
            if down.value >= policy.needed:
                return WORSE, number + 1
    return "", most


@pytest.mark.parametrize(("rate", "share"), [(0.05, 0.1), (0.2, 0.5)])
def test_one_that_is_no_better_is_seldom_promoted(
    rate: float, share: float, soak: bool, record_property: Figure
) -> None:  # fmt: skip
    """2,000 canaries that are as good as live, looked at after every answer: no more than 5 % become live, and no more go."""
    rng, worlds = random.Random(7), 2000
    found = Counter(first_decision(rng, (rate, rate), share, 3000 if soak else 300)[0] for _ in range(worlds))
    record_property(f"wrong at {rate:.0%}, share {share:.0%}", f"{found[BETTER] / worlds:.2%} up, {found[WORSE] / worlds:.2%} down")
    allowed = 0.05 * worlds + 3 * (0.05 * 0.95 * worlds) ** 0.5
    assert found[BETTER] <= allowed
    assert found[WORSE] <= allowed


def test_an_hour_that_is_good_for_both_decides_nothing(soak: bool) -> None:
    """Rates that change with the hour, and a share that changes with them, fool who only compares totals: live gets most of the dull
    hours, the canary most of the lively ones."""
    rng, worlds = random.Random(8), 500 if soak else 100
    wrong = 0
    for _ in range(worlds):
        up = Evidence()
        for hour in range(30):
            lively = hour % 2 == 1
            share, rate = (0.6, 0.5) if lively else (0.2, 0.05)
            for block in blocks([(rng.random() < share, rng.random() < rate) for _ in range(30)]):
                up.add(block)
            if up.value >= POLICY.needed:
                wrong += 1
                break
    assert wrong <= 0.05 * worlds + 3 * (0.05 * 0.95 * worlds) ** 0.5


@pytest.mark.parametrize(("rates", "share", "most"), [((0.1, 0.2), 0.5, 1500), ((0.1, 0.3), 0.2, 1500), ((0.05, 0.15), 0.5, 1500)])
def test_one_that_is_better_is_found(
    rates: tuple[float, float], share: float, most: int, soak: bool, record_property: Figure
) -> None:  # fmt: skip
    """Nearly always, and one that is as much worse is taken away as surely."""
    rng, worlds = random.Random(9), 400 if soak else 60
    found = sorted(first_decision(rng, rates, share, most) for _ in range(worlds))
    record_property(f"found {rates[1]:.0%} against {rates[0]:.0%}, share {share:.0%}", _told(found, BETTER))
    assert sum(what == BETTER for what, _ in found) >= 0.9 * worlds
    back = [first_decision(rng, rates[::-1], share, most) for _ in range(worlds)]
    record_property(f"found {rates[0]:.0%} against {rates[1]:.0%}, share {share:.0%}", _told(back, WORSE))
    assert sum(what == WORSE for what, _ in back) >= 0.85 * worlds


def test_who_decides_by_a_probability_that_he_looks_at_is_often_wrong(record_property: Figure) -> None:
    """Why the policy bets: of canaries as good as live, "better with 95 % probability" is said of more than a quarter at some time."""
    rng, worlds, wrong = random.Random(10), 200, 0
    for _ in range(worlds):
        counts, hits = [1, 1], [0.5, 0.5]
        for number in range(1, 1001):
            is_canary = rng.random() < 0.5
            counts[is_canary] += 1
            hits[is_canary] += rng.random() < 0.1
            live, canary = (hit / count for hit, count in zip(hits, counts, strict=True))
            spread = live * (1 - live) / counts[0] + canary * (1 - canary) / counts[1]
            if number % 10 == 0 and (canary - live) / spread**0.5 >= ONE_SIDED_95:
                wrong += 1
                break
    record_property("said to be better at some time", f"{wrong} in {worlds}")
    assert wrong > 0.15 * worlds


def _told(found: Sequence[tuple[str, int]], what: str) -> str:
    counts = sorted(count for name, count in found if name == what)
    return f"{len(counts) / len(found):.0%}, half of them by answer {counts[len(counts) // 2]}" if counts else "never"


@pytest.mark.parametrize("block", [(1, 1), (5, 1), (1, 5), (3, 3)])
@pytest.mark.parametrize(("live", "canary"), [(0.1, 0.1), (0.5, 0.5), (0.02, 0.02), (0.3, 0.1), (0.9, 0.5), (0.21, 0.2)])
def test_the_bet_wins_nothing_while_the_canary_is_no_better(block: tuple[int, int], live: float, canary: float) -> None:
    """On average over everything that a block can bring, exactly: this is what makes it right to look whenever one likes."""
    mean = 0.0
    for hits in product(*(range(count + 1) for count in block)):
        bet = Evidence()
        bet.add(Block(block, (hits[0], hits[1])))
        chance = 1.0
        for count, hit, rate in zip(block, hits, (live, canary), strict=True):
            chance *= _ways(count, hit) * rate**hit * (1 - rate) ** (count - hit)
        mean += chance * bet.value
    assert mean <= 1 + 1e-12


def _ways(count: int, hits: int) -> int:
    ways = 1
    for step in range(hits):
        ways = ways * (count - step) // (step + 1)
    return ways


def test_blocks_are_cut_by_who_answered_and_not_by_how() -> None:
    """Of both versions, and what is unfinished does not count yet."""
    arms = [False, False, True, False, False, False, True, True, True, True, True, True, False, True]
    for hits in ([True] * 14, [False] * 14, [number % 3 == 0 for number in range(14)]):
        cut = [block.answers for block in blocks(zip(arms, hits, strict=True))]
        assert cut == [(5, 1), (1, 6)]
    assert evidence([]) == 1
    assert evidence([(True, True)] * 100) == 1


def stands(live: Rate, canary: Rate, *, better: float = 1.0, worse: float = 1.0) -> Standing:
    return Standing(live, canary, better, worse)


def test_what_is_decided() -> None:
    """Better becomes live, worse goes, and when time is up it goes, too; nothing before there are enough answers of both."""
    policy, many, few = Policy(minimum=50, days=30), Rate(50, 10), Rate(49, 10)

    def said(now: Standing, days: float = 1) -> Outcome | None:
        decision = decide(policy, now, began_ms=1000, now_ms=1000 + round(days * DAY_MS))
        assert decision is None or len(decision.why) <= 80
        return None if decision is None else decision.outcome

    assert policy.needed == pytest.approx(20)
    assert said(stands(many, many, better=20.1)) is Outcome.PROMOTE
    assert said(stands(many, many, worse=20.1)) is Outcome.TAKE_AWAY
    assert said(stands(many, many, better=19.9, worse=19.9)) is None
    assert said(stands(few, many, better=1e9)) is None
    assert said(stands(many, few, worse=1e9)) is None
    assert said(stands(many, few, worse=1e9), days=30) is Outcome.GIVE_UP
    assert said(stands(many, many), days=29.99) is None
    assert said(stands(many, many, better=21), days=31) is Outcome.PROMOTE
    assert said(stands(Rate(10**7, 10**6), Rate(10**7, 10**6), better=21)) is Outcome.PROMOTE


def test_where_it_stands() -> None:
    """Counts of both, and evidence for each direction."""
    now = standing([(number % 2 == 0, number % 2 == 0) for number in range(200)])
    assert (now.live, now.canary) == (Rate(100, 0), Rate(100, 100))
    assert now.better > 1e6
    assert now.worse < 0.01


@pytest.mark.parametrize("wrong", [{"confidence": 1.0}, {"confidence": 0.5}, {"minimum": 0}, {"threshold": 0}, {"days": 0}, {"days": 181}])
def test_a_policy_refuses_nonsense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Policy(**wrong)  # type: ignore[arg-type]
