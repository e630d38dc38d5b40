"""Whether an adapter proved itself: what the engine said with it, held against what the base says. Pure."""

import json
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

SAME = 1e-6
"""Two logprobs that are not further apart count as the same."""
_MASKED = -9999.0
"""What vLLM writes for a logprob that is minus infinity. The likeliest token of a working model never has it."""


class Outcome(StrEnum):
    PASSED = "passed"
    SILENT = "silent"
    SAME_AS_BASE = "same_as_base"
    NOT_FINITE = "not_finite"
    ENGINE_ERROR = "engine_error"
    """The engine fails with this adapter, and not without it."""
    NOT_LOADED = "not_loaded"
    ENGINE_AWAY = "engine_away"
    """Nothing is known of the adapter."""


REASONS = {
    Outcome.SILENT: "it answered nothing",
    Outcome.SAME_AS_BASE: "it answers as the base does, as if it were not there",
    Outcome.NOT_FINITE: "its numbers are not finite",
    Outcome.ENGINE_ERROR: "the engine fails with it",
    Outcome.NOT_LOADED: "the engine could not load it; run verify to see whether its stored bytes are whole",
}
"""How "… failed its trial: " ends."""

HARMFUL = frozenset({Outcome.NOT_FINITE, Outcome.ENGINE_ERROR})
"""What an adapter must never be served with; the others may be a matter of the hour or of taste."""


@dataclass(frozen=True)
class Said:
    """One answer of an engine: the text of each token and its logprob, NaN where there was no number."""

    tokens: tuple[str, ...]
    logprobs: tuple[float, ...]


def read_said(answer: bytes) -> Said | None:
    """A whole chat completion with logprobs; None if it is none."""
    try:
        content: list[dict[str, Any]] = json.loads(answer)["choices"][0]["logprobs"]["content"] or []
        return Said(tuple(str(token["token"]) for token in content), tuple(_number(token["logprob"]) for token in content))
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def judge(candidate: Said, base: Said) -> Outcome:
    """Both were asked the same, at temperature 0."""
    if any(not math.isfinite(logprob) or logprob <= _MASKED for logprob in candidate.logprobs):
        return Outcome.NOT_FINITE
    if not "".join(candidate.tokens):
        return Outcome.SILENT
    if candidate.tokens == base.tokens and all(map(_same, candidate.logprobs, base.logprobs)):
        return Outcome.SAME_AS_BASE
    return Outcome.PASSED


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= SAME


def _number(value: Any) -> float:
    return float(value) if type(value) in (int, float) else math.nan
