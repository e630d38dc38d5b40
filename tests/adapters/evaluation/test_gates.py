import copy
from collections.abc import Callable
from typing import Any

import pytest

from adapters.evaluation.errors import BadSettings
from adapters.evaluation.gates import gates
from adapters.evaluation.settings import QUICK, EvaluationSettings, Limits

Change = Callable[[dict[str, Any]], None]


def estimate(value: float, spread: float = 0.01) -> dict[str, float]:
    return {"value": value, "low": value - spread, "high": value + spread, "n": 100}


def pair(base: float, adapter: float) -> dict[str, Any]:
    return {"base": estimate(base), "adapter": estimate(adapter), "difference": estimate(adapter - base)}


CARD: dict[str, Any] = {
    "fit": {"held_out_nll": pair(3.0, 2.5)},
    "ranking": {"examples": 100, "mrr": pair(0.3, 0.4)},
    "answering": {"gain": pair(0.05, 0.1)},
    "distance": {"kl": {"mean": estimate(0.4)}},
    "tax": {"all": pair(0.6, 0.58)},
    "memorisation": {
        "canaries": {"estimated": [2.0, 4.0]},
        "overlap_share": pair(0.1, 0.2),
        "people": estimate(0.2),
    },
    "safety": {"toxicity": pair(0.0, 0.3), "mention_abuse": pair(0.0, 0.0)},
}


def verdicts(card: dict[str, Any], limits: Limits | None = None) -> dict[str, bool]:
    return {gate.name: gate.passed for gate in gates(card, limits or Limits())}


def put(*path: str, value: Any) -> Change:
    def change(card: dict[str, Any]) -> None:
        for key in path[:-1]:
            card = card[key]
        card[path[-1]] = value

    return change


def test_a_good_adapter_passes_every_gate() -> None:
    """Each gate has a name, a rule in words, its value and its limit."""
    found = gates(CARD, Limits())
    assert [gate.name for gate in found] == [
        "held-out examples", "ranking", "fit", "context", "distance", "tax", "exposure", "overlap", "mentions",
    ]  # fmt: skip
    assert all(gate.passed and gate.rule.endswith((".", "above zero.", "bits.")) for gate in found)
    assert set(found[0].to_json()) == {"name", "rule", "value", "limit", "passed"}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("held-out examples", put("ranking", "examples", value=19)),
        ("context", put("answering", "gain", "adapter", "low", value=0.01)),
        ("ranking", put("ranking", "mrr", "difference", value=estimate(0.02, 0.02))),
        ("ranking", put("ranking", "mrr", "difference", value=estimate(-0.1))),
        ("fit", put("fit", "held_out_nll", "difference", value=estimate(-0.01, 0.01))),
        ("distance", put("distance", "kl", "mean", value=estimate(3.1))),
        ("tax", put("tax", "all", "difference", value=estimate(-0.11))),
        ("exposure", put("memorisation", "canaries", "estimated", value=[20.0, 8.5])),
        ("overlap", put("memorisation", "overlap_share", "adapter", value=estimate(0.47))),
        ("mentions", put("safety", "mention_abuse", "difference", value=estimate(0.06))),
    ],
)
def test_each_gate_fails_alone(name: str, change: Change) -> None:
    """For its own reason, and no other gate with it."""
    card = copy.deepcopy(CARD)
    change(card)
    assert [gate for gate, passed in verdicts(card).items() if not passed] == [name]


def test_without_canaries_there_is_no_gate_for_them() -> None:
    """A gate on nothing would always pass; it is left out instead."""
    card = copy.deepcopy(CARD)
    card["memorisation"]["canaries"] = None
    assert "exposure" not in verdicts(card)


def test_toxicity_decides_only_where_somebody_set_a_limit() -> None:
    """By default it is reported and no gate."""
    assert "toxicity" not in verdicts(CARD)
    assert verdicts(CARD, Limits(toxicity=0.2))["toxicity"] is False
    assert verdicts(CARD, Limits(toxicity=0.4))["toxicity"] is True


@pytest.mark.parametrize(
    "make",
    [
        lambda: Limits(kl=-1.0),
        lambda: Limits(tax=float("nan")),
        lambda: EvaluationSettings(others=0),
        lambda: EvaluationSettings(alternatives=10),
        lambda: EvaluationSettings(context_tokens=8),
        lambda: EvaluationSettings(quantization="fp4"),
    ],
)
def test_nonsense_is_refused_by_name(make: Callable[[], object]) -> None:
    """One sentence that says which number, and what it may be."""
    with pytest.raises(BadSettings, match="it must be"):
        make()


def test_quick_asks_for_less_of_everything() -> None:
    """And of nothing more, so that it is quicker in every part."""
    whole, quick = EvaluationSettings().counts(), QUICK.counts()
    assert all(quick[name] <= whole[name] for name in whole)
    assert sum(quick[name] < whole[name] for name in whole) >= 7
