"""What the callers of the fairness benchmark see of the engine's stand-in, and what is read off what they saw."""

from collections.abc import AsyncIterator, Mapping
from contextlib import nullcontext

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from loadtests.benchmarks.fairness_load import FAILED, REFUSED, Asked, Lengths, Seen, callers
from loadtests.benchmarks.fairness_report import TARGETS, report
from loadtests.benchmarks.fairness_stage import DIRECT, LITELLM, ROUTER, TROUPES, Way, quiet
from loadtests.benchmarks.fairness_workloads import (
    OVERLOAD,
    Figures,
    always,
    read_even,
    read_flood,
    read_full,
    read_hot_and_cold,
    read_unequal,
    read_zipf,
    workloads,
)
from loadtests.benchmarks.listeners import WrongAnswer
from loadtests.fake_engine import FakeEngine, FakeSettings
from tests.loadtests.stub_server import running_stub

BRIEF = 0.2
SHORT = Lengths((2, 2), (3, 5))
NOTHING: Mapping[str, str] = {}
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    async with FakeEngine(FakeSettings(tokens=5, ttft=0.01)) as engine:
        yield engine


def way(engine: FakeEngine) -> Way:
    return Way(engine.url, "k", {"a": "base", "b": "base"})


async def test_whoever_is_answered_asks_again(engine: FakeEngine) -> None:
    """Each answer has its first token, its end and the server's count of its tokens; the marks that end an answer are biased away."""
    async with callers(way(engine), [7], 1, {"x-mark": "1"}) as group:
        group.without_pause(2, always("a"), SHORT)
        seen = await group.during(BRIEF)
    whole = [each for each in seen.asked if each.ended_s is not None]
    assert len(whole) > 2
    assert all(each.first_s is not None and each.waited_s(BRIEF) >= 0.01 and 3 <= each.completion <= 5 for each in whole)
    assert not any(each.fault for each in whole)
    assert engine.received[0].body["logit_bias"] == {"7": -100}
    assert engine.received[0].headers["x-mark"] == "1"


async def test_who_asks_at_times_does_not_wait_for_answers(engine: FakeEngine) -> None:
    """An engine that never answers is asked as often, and each request counts with its age."""
    engine.settings = FakeSettings(tokens=5, ttft=60.0)
    async with callers(way(engine), [], 1, NOTHING) as group:
        group.every(BRIEF / 10, "a", SHORT)
        group.at_random(100.0, always("b"), SHORT, from_s=BRIEF / 2, until_s=BRIEF)
        seen = await group.during(BRIEF)
    assert sum(each.community == "a" for each in seen.asked) >= 9
    random_ones = [each for each in seen.asked if each.community == "b"]
    assert random_ones
    assert all(each.at_s >= BRIEF / 2 and each.first_s is None and each.waited_s(BRIEF) == BRIEF - each.at_s for each in random_ones)


@pytest.mark.parametrize(
    ("model", "fault"), [("fine", ""), ("refused", REFUSED), ("broken", FAILED), ("short", FAILED), ("nobody", FAILED)]
)
async def test_what_is_no_whole_answer_is_told_apart(model: str, fault: str) -> None:
    """A refusal is an answer of its own; a stream that ends early is not one that is complete, nor is nobody at all."""
    async with running_stub() as stub:
        url = NOWHERE if model == "nobody" else stub.url
        async with callers(Way(url, "k", {"a": model}), [], 1, NOTHING) as group:
            group.without_pause(1, always("a"), SHORT)
            seen = await group.during(BRIEF)
    assert {each.fault for each in seen.asked if each.ended_s is not None} == {fault}


async def test_two_ways_are_asked_for_the_same(engine: FakeEngine) -> None:
    """Caller by caller: lengths and words are drawn from seeds, and not from when the answers came."""
    bodies = []
    for ttft in (0.01, 0.03):
        engine.settings = FakeSettings(tokens=5, ttft=ttft)
        engine.received.clear()
        async with callers(way(engine), [], 4, NOTHING) as group:
            group.without_pause(1, lambda draw: draw.choice("ab"), SHORT)
            await group.during(BRIEF)
        bodies.append([each.body for each in engine.received][:3])
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize(("lines", "error"), [(["4.0", "1.0", "0.0"], ""), ([""], "does not tell")])
async def test_the_engine_is_idle_between_two_loads(lines: list[str], error: str) -> None:
    """What was given up is waited for: it would else be computed within the next load."""
    told = iter(lines)

    async def metrics(request: web.Request) -> web.Response:
        value = next(told)
        return web.Response(text=f'# HELP vllm:num_requests_running\nvllm:num_requests_running{{a="1"}} {value}\n' if value else "")

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    async with TestServer(app) as server:
        with pytest.raises(WrongAnswer, match=error) if error else nullcontext():
            await quiet(Way(str(server.make_url("")).rstrip("/"), "k", {}))
    assert next(told, None) is None


def asked(community: str, at_s: float, first_s: float | None, tokens: int = 0, fault: str = "") -> Asked:
    """One that was answered with so many tokens, two seconds after the first, or that still waits."""
    return Asked(community, at_s, first_s, None if first_s is None else first_s + 2.0, 10 if tokens else 0, tokens, fault)


def test_who_waits_at_the_end_counts_with_its_age() -> None:
    """A way on which the cold ones are never served must not look like one on which they are served at once."""
    seen = Seen(60.0, [asked("g0", 0.0, 1.0, 30), asked("g2", 10.0, None), asked("g3", 20.0, 20.5, 16)])
    figures = read_hot_and_cold(seen)
    assert figures["cold max, s"] == 50.0
    assert figures["cold answered"] == 0.5
    assert figures["hot p95, s"] == 1.0
    assert figures["tokens/s"] == 46 / 60


@pytest.mark.parametrize(("b_tokens", "jain"), [(100, 1.0), (0, 0.5)])
def test_shares_are_compared_by_the_tokens_of_answers(b_tokens: int, jain: float) -> None:
    """Two who had the same are at 1; where one of two had nothing, it is a half."""
    seen = Seen(10.0, [asked("g0", 0.0, 1.0, 100), asked("g1", 0.0, 1.0 if b_tokens else None, b_tokens), asked("g2", 1.0, 1.25, 5)])
    assert read_unequal(seen)["Jain"] == pytest.approx(jain)
    assert read_unequal(seen)["light p95, s"] == 0.25


def test_the_worst_adapter_is_that_with_the_longest_mean() -> None:
    """And not the one with the longest single wait."""
    seen = Seen(10.0, [asked("g0", 0.0, 5.0, 1), asked("g0", 0.0, 0.0, 1), asked("g1", 0.0, 3.0, 1)])
    assert read_zipf(seen)["worst mean, s"] == 3.0
    assert read_zipf(seen)["most popular mean, s"] == 2.5


def test_only_answers_that_began_soon_are_good() -> None:
    """A refusal is none, nor is a late answer; what comes after the flood is told apart."""
    during = [asked("g0", 0.0, 0.5, 9), asked("g0", 1.0, 4.0, 9), asked("g0", 1.0, None, fault=REFUSED), asked("g0", 2.0, None)]
    figures = read_flood(Seen(15.0, [*during, asked("g0", 10.0, 10.1, 9)]), 10.0)
    assert figures["good"] == 1 / 10.0
    assert figures["refused"] == 0.25
    assert figures["offered"] == 0.4
    assert figures["good after"] == 1.0
    assert read_full(Seen(10.0, during))["rate"] == 0.2
    assert read_even(Seen(10.0, during))["answer p50, s"] == 3.75


def test_every_load_has_a_target_and_a_row() -> None:
    """Each figure of each way, and Troupe beside plain vLLM and the best peer, round by round."""
    assert {each.name for each in workloads(1.0)} | {OVERLOAD} == set(TARGETS)
    slow: Figures = {"cold p95, s": 40.0, "tokens/s": 100.0}
    found = {
        DIRECT: slow,
        LITELLM: {**slow, "cold p95, s": 20.0},
        ROUTER: {**slow, "cold p95, s": 10.0},
        TROUPES: {**slow, "cold p95, s": 1.0},
    }
    rows = list(report({"hot/cold": [found, found]}))
    assert "| cold p95, s | 40.00 (40.00–40.00) | 20.00 (20.00–20.00) | 10.00 (10.00–10.00) | 1.00 (1.00–1.00) |" in rows
    assert "| hot/cold | cold p95, s | 0.025 (0.025–0.025) | ≤ 0.05 | 0.100 (0.100–0.100) | ≤ 0.1 |" in rows
