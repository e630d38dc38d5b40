"""A claim such as "original base < abliterated base < tuned", held against what was measured. Pure.

Each step is a statement of its own: the paired difference of two neighbours. The whole claim holds where every step's 95 % interval lies
above zero; as all of them must, no correction for their number is needed. One step below zero contradicts it. Anything else was not shown,
which is not the same as false: more examples may show it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

from adapters.evaluation.errors import BadComparison
from adapters.evaluation.estimate import Estimate, pair


class Verdict(StrEnum):
    HOLDS = "holds"
    NOT_SHOWN = "not shown"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True)
class Step:
    lower: str
    higher: str
    difference: Estimate
    """Higher minus lower."""

    @property
    def verdict(self) -> Verdict:
        if self.difference.low > 0:
            return Verdict.HOLDS
        return Verdict.CONTRADICTED if self.difference.high < 0 else Verdict.NOT_SHOWN


@dataclass(frozen=True)
class CheckedClaim:
    text: str
    steps: tuple[Step, ...]

    @property
    def verdict(self) -> Verdict:
        found = {step.verdict for step in self.steps}
        return next(each for each in (Verdict.CONTRADICTED, Verdict.NOT_SHOWN, Verdict.HOLDS) if each in found)

    def sentence(self) -> str:
        steps = "; ".join(
            f"{step.lower} < {step.higher} {step.verdict} ({step.difference.value:+.3f},"
            f" 95 % interval {step.difference.low:+.3f} to {step.difference.high:+.3f})"
            for step in self.steps
        )
        return f"Claim “{self.text}”: {self.verdict}. {steps}."

    def to_json(self) -> dict[str, Any]:
        steps = [
            {"lower": step.lower, "higher": step.higher, "difference": step.difference.to_json(), "verdict": str(step.verdict)}
            for step in self.steps
        ]
        return {"text": self.text, "verdict": str(self.verdict), "steps": steps}


def read_claim(text: str, names: Sequence[str]) -> tuple[str, ...]:
    """The names in a claim, the lowest first; `>` turns one around. Raises BadComparison."""
    if "<" in text and ">" in text:
        raise BadComparison(f'The claim {text[:200]!r} has both < and >: write it with one of them, as in "A < B < C".')
    claimed = [part.strip() for part in text.replace(">", "<").split("<")]
    if len(claimed) < 2:
        raise BadComparison(f'The claim {text[:200]!r} orders nothing: write it as in "A < B < C", with the names of the models.')
    if unknown := [name for name in claimed if name not in names]:
        raise BadComparison(f"The claim names {unknown[0][:80]!r}, which is not compared here: the models are {', '.join(names)}.")
    if len(set(claimed)) < len(claimed):
        raise BadComparison(f"The claim {text[:200]!r} names a model twice: no model is better than itself.")
    return tuple(reversed(claimed) if ">" in text else claimed)


def check_claim(text: str, points: Mapping[str, Sequence[float]]) -> CheckedClaim:
    """`points`: model → what it got for each item, 0 to 1, the same items for all. Raises BadComparison."""
    order = read_claim(text, list(points))
    steps = [Step(lower, higher, pair(points[lower], points[higher], within=(0.0, 1.0)).difference) for lower, higher in pairwise(order)]
    return CheckedClaim(" ".join(text.split()), tuple(steps))
