"""From observed requests to figures: TTFT, inter-token latency, tokens per second, errors by class.

Every latency counts from the moment a request was *scheduled*, not from when it was sent: a server that stalls must not look
better for having kept its clients from asking (coordinated omission). Token counts are the server's own `usage`. Pure.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

UNFINISHED = "unfinished"
"""Error class of a request that the run's end found still waiting or still streaming."""

DROPPED = "dropped"
"""Error class of a request that was never sent, because too many were in flight."""

LAG_LIMIT_S = 0.005
"""Above this (99th percentile) the client itself was the bottleneck, and its figures say little about the server."""


@dataclass(frozen=True)
class Sample:
    """One request as it was seen. All times are seconds since the start of the run.

    `pieces_s` are the arrivals of chunks that carried text; a server may put several tokens into one. `ended_s` is the end of the
    answer, of the failure, or of the run. `error` is None exactly for a complete answer. `sent_s` is None if it was dropped.
    """

    model: str
    scheduled_s: float
    ended_s: float
    sent_s: float | None = None
    pieces_s: tuple[float, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str | None = None


@dataclass(frozen=True)
class Spread:
    """A distribution in brief, in seconds; `count` 0 means that nothing was there to measure."""

    count: int
    mean: float
    p50: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True)
class Summary:
    """What one model, or all of them together, gave.

    `ttft` includes requests still without a first token at the end of the run, with the time they had waited by then: they are a
    lower bound, and `censored` says how many there are. `itl` are gaps between text chunks, `tpot` is the time after the first
    chunk divided by the tokens after the first. `latency`, `tpot` and the token counts are those of complete answers.
    """

    model: str
    scheduled: int
    succeeded: int
    errors: dict[str, int]
    censored: int
    ttft: Spread
    itl: Spread
    tpot: Spread
    latency: Spread
    prompt_tokens: int
    completion_tokens: int
    tokens_per_s: float


@dataclass(frozen=True)
class Figures:
    """One measured run. `window_s` is from the end of the warm-up to the last event; `lag` is the client's own lateness."""

    window_s: float
    warmup_requests: int
    lag: Spread
    total: Summary
    models: tuple[Summary, ...]

    @property
    def client_was_slow(self) -> bool:
        return self.lag.p99 > LAG_LIMIT_S


def percentile(ordered: Sequence[float], share: float) -> float:
    """The `share` quantile (0 to 1) of values in ascending order, interpolated linearly; 0.0 for none."""
    if not ordered:
        return 0.0
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def spread(values: Iterable[float]) -> Spread:
    ordered = sorted(values)
    if not ordered:
        return Spread(0, 0.0, 0.0, 0.0, 0.0, 0.0)
    p50, p95, p99 = (percentile(ordered, share) for share in (0.50, 0.95, 0.99))
    return Spread(len(ordered), sum(ordered) / len(ordered), p50, p95, p99, ordered[-1])


def ttft_s(sample: Sample) -> float | None:
    """Time to the first token, or so far if the run ended before it; None where a first token was never to come."""
    if sample.pieces_s:
        return sample.pieces_s[0] - sample.scheduled_s
    return sample.ended_s - sample.scheduled_s if sample.error == UNFINISHED else None


def tpot_s(sample: Sample) -> float | None:
    """Time per output token after the first; None where there is no second token."""
    if sample.error is not None or sample.completion_tokens < 2 or not sample.pieces_s:
        return None
    return (sample.pieces_s[-1] - sample.pieces_s[0]) / (sample.completion_tokens - 1)


def summarize(model: str, samples: Sequence[Sample], window_s: float) -> Summary:
    complete = [s for s in samples if s.error is None]
    completion_tokens = sum(s.completion_tokens for s in complete)
    return Summary(
        model=model,
        scheduled=len(samples),
        succeeded=len(complete),
        errors=dict(sorted(Counter(s.error for s in samples if s.error is not None).items())),
        censored=sum(s.error == UNFINISHED and not s.pieces_s for s in samples),
        ttft=spread(t for s in samples if (t := ttft_s(s)) is not None),
        itl=spread(b - a for s in samples for a, b in zip(s.pieces_s, s.pieces_s[1:], strict=False)),
        tpot=spread(t for s in samples if (t := tpot_s(s)) is not None),
        latency=spread(s.ended_s - s.scheduled_s for s in complete),
        prompt_tokens=sum(s.prompt_tokens for s in complete),
        completion_tokens=completion_tokens,
        tokens_per_s=completion_tokens / window_s if window_s > 0 else 0.0,
    )


def figures(samples: Sequence[Sample], *, warmup_s: float) -> Figures:
    """Everything but the requests scheduled within the warm-up, which are sent and not measured."""
    measured = [s for s in samples if s.scheduled_s >= warmup_s]
    window_s = max((s.ended_s for s in measured), default=warmup_s) - warmup_s
    models = sorted({s.model for s in measured})
    return Figures(
        window_s=window_s,
        warmup_requests=len(samples) - len(measured),
        lag=spread(s.sent_s - s.scheduled_s for s in measured if s.sent_s is not None),
        total=summarize("all", measured, window_s),
        models=tuple(summarize(m, [s for s in measured if s.model == m], window_s) for m in models),
    )
