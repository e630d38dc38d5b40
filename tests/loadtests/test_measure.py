import pytest

from loadtests.measure import DROPPED, UNFINISHED, Sample, figures, percentile, spread

DONE = Sample("zizou", 10.0, 12.0, sent_s=10.001, pieces_s=(10.5, 11.0, 12.0), prompt_tokens=7, completion_tokens=4)


def test_percentiles_are_interpolated() -> None:
    """Quantiles of 0 … 100 are their own index, and lie between neighbours where they must."""
    hundred = [float(n) for n in range(101)]
    assert [percentile(hundred, share) for share in (0.0, 0.5, 0.99, 1.0)] == [0.0, 50.0, 99.0, 100.0]
    assert percentile([1.0, 2.0], 0.25) == 1.25
    assert percentile([3.0], 0.99) == 3.0
    assert percentile([], 0.5) == 0.0


def test_spread_of_nothing_counts_nothing() -> None:
    """No values give count 0 and no division by zero."""
    assert spread([]).count == 0


def test_one_request_by_value() -> None:
    """TTFT and latency count from the scheduled time, gaps from chunk to chunk, TPOT from the server's token count."""
    total = figures([DONE], warmup_s=0.0).total
    assert (total.ttft.p50, total.latency.p50) == (0.5, 2.0)
    assert (total.itl.count, total.itl.mean, total.itl.max) == (2, 0.75, 1.0)
    assert total.tpot.p50 == 0.5
    assert total.tokens_per_s == pytest.approx(4 / 12.0)
    assert total.prompt_tokens == 7


def test_figures_are_kept_apart_per_model() -> None:
    """Every model has its own row, in alphabetical order, and the total holds them all."""
    other = Sample("base", 11.0, 11.5, sent_s=11.0, pieces_s=(11.2,), completion_tokens=1)
    measured = figures([DONE, other], warmup_s=0.0)
    assert [summary.model for summary in measured.models] == ["base", "zizou"]
    assert [summary.completion_tokens for summary in measured.models] == [1, 4]
    assert measured.total.completion_tokens == 5


def test_warmup_is_sent_and_not_measured() -> None:
    """Requests scheduled within the warm-up are counted apart, and the window starts at its end."""
    early = Sample("zizou", 1.0, 9.0, sent_s=1.0, pieces_s=(8.0,), completion_tokens=1)
    measured = figures([early, DONE], warmup_s=2.0)
    assert (measured.warmup_requests, measured.total.scheduled) == (1, 1)
    assert measured.window_s == 10.0


def test_errors_are_counted_by_class_and_never_as_answers() -> None:
    """Failures have their class; a request refused early does not lower the TTFT."""
    refused = Sample("zizou", 1.0, 1.01, sent_s=1.0, error="http 429")
    dropped = Sample("zizou", 2.0, 2.0, error=DROPPED)
    total = figures([DONE, refused, refused, dropped], warmup_s=0.0).total
    assert total.errors == {"dropped": 1, "http 429": 2}
    assert (total.scheduled, total.succeeded) == (4, 1)
    assert (total.ttft.count, total.ttft.max) == (1, 0.5)


def test_a_wait_without_end_counts_as_long_as_it_was_seen() -> None:
    """A request that still waited at the end adds its wait so far to the TTFT, and is reported as a lower bound."""
    waiting = Sample("quiet", 1.0, 21.0, sent_s=1.0, error=UNFINISHED)
    streaming = Sample("quiet", 1.0, 21.0, sent_s=1.0, pieces_s=(3.0,), error=UNFINISHED)
    total = figures([waiting, streaming], warmup_s=0.0).total
    assert total.ttft.max == 20.0
    assert total.censored == 1
    assert total.errors == {"unfinished": 2}


def test_a_late_client_says_so() -> None:
    """More than 5 ms of lateness at the 99th percentile marks the client as the bottleneck."""
    late = Sample("zizou", 1.0, 2.0, sent_s=1.02)
    assert figures([late], warmup_s=0.0).client_was_slow
    assert not figures([DONE], warmup_s=0.0).client_was_slow
