import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.adapters.registry.fuzz_header import CORPUS, SLOW_S, TARGETS, Report, fuzz, run_case, seeds
from tests.adapters.registry.mutations import mutated

CASES = 20_000
CORPUS_BYTES = 64 << 10


def test_a_short_fuzz_finds_nothing(record_property: Callable[[str, object], None]) -> None:
    """The same cases in every run; `python -m tests.adapters.registry.fuzz_header` goes on for minutes with others."""
    report = fuzz(lambda report: report.executions < CASES, seed=0)
    record_property("fuzzed cases", report.executions)
    record_property("ways to refuse or accept", len(report.ways))
    record_property("slowest case ms", round(1000 * report.slowest_s))
    assert [(target, case[:200], problem) for target, case, problem in report.findings] == []


def test_the_fuzzer_gets_everywhere() -> None:
    """Else finding nothing would say nothing: it finds adapters that pass, and the refusals behind those of the parser."""
    ways = fuzz(lambda report: report.executions < CASES, seed=0).ways
    for expected in ("header: accepted", "header: header accepted: The weights hold", "config: accepted", "config: lora_alpha is"):
        assert any(way.startswith(expected) for way in ways), expected
    assert len(ways) > 60


def test_a_crash_is_a_finding() -> None:
    """Any exception but a refusal, together with the case that did it."""

    def fragile(case: bytes) -> str:
        if b"1e999" in case:
            raise KeyError("planted")
        return "fine"

    report = fuzz(lambda report: not report.findings and report.executions < CASES, seed=0, targets={"config": fragile})
    target, case, problem = report.findings[0]
    assert (target, b"1e999" in case, problem) == ("config", True, "KeyError('planted')")


def test_a_slow_case_is_a_finding() -> None:
    """In processor time, as a test's machine is shared."""

    def slow(case: bytes) -> str:
        end = time.thread_time() + SLOW_S
        while time.thread_time() <= end:
            pass
        return "done"

    report = Report()
    run_case("config", slow, b"", report)
    assert "took" in report.findings[0][2]


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_is_small_and_passes(target: str) -> None:
    """It is kept in the repository: the cases to start from, and those that once were findings."""
    cases = seeds(target)
    assert cases
    assert sum(map(len, cases)) < CORPUS_BYTES
    report = Report()
    for case in cases:
        run_case(target, TARGETS[target], case, report)
    assert report.findings == []


def test_the_same_seed_draws_the_same_cases() -> None:
    """So a finding can be found again."""
    pool = [path.read_bytes() for path in sorted(Path(CORPUS, "header").iterdir())]
    drawn = [[mutated(draw, pool, prefixed=True) for _ in range(50)] for draw in (random.Random(7), random.Random(7), random.Random(8))]
    assert drawn[0] == drawn[1] != drawn[2]
