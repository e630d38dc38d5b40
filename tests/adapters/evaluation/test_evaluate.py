import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.curation.dataset import Dataset
from adapters.evaluation.errors import EvaluationError, NothingHeldOut, WrongBase, WrongDataset
from adapters.evaluation.evaluate import STAGES, evaluate_adapter
from adapters.evaluation.settings import EvaluationSettings
from adapters.registry.base import read_base
from tests.adapters.evaluation.conftest import Tiny

SETTINGS = EvaluationSettings(
    others=7,
    neutral_prompts=6,
    distance_tokens=8,
    task_items=5,
    contexts=6,
    inviting_prompts=4,
    reply_tokens=12,
    alternatives=127,
    samples=3,
)


def training(tiny: Tiny, dataset: Dataset) -> dict[str, Any]:
    return {
        "community": "tiny",
        "base": {"name": "tiny", "fingerprint": read_base(tiny.base, "bitsandbytes").fingerprint, "quantization": "bitsandbytes"},
        "dataset": {"hash": dataset.content_hash},
        "canaries": {"seed": "here", "count": 2},
        "losses": [],
    }


def card_of(tiny: Tiny, adapter: Path, dataset: Dataset, *, record: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return evaluate_adapter(tiny.base, adapter, dataset, record, SETTINGS, lambda stage, done, total: None)


def gate(card: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return next(gate for gate in card["gates"] if gate["name"] == name)


@pytest.fixture(scope="module")
def good(tiny: Tiny) -> dict[str, Any]:
    return card_of(tiny, tiny.good, tiny.dataset, record=training(tiny, tiny.dataset))


def test_a_good_adapter_ranks_the_real_messages_higher_than_its_base(good: dict[str, Any]) -> None:
    """The base guesses, the adapter knows, and the interval of the difference excludes zero."""
    assert good["ranking"]["accuracy"]["base"]["value"] == pytest.approx(good["ranking"]["chance"]) == 1 / 8
    assert good["ranking"]["accuracy"]["adapter"]["value"] > 0.9
    assert gate(good, "ranking")["passed"]
    assert gate(good, "fit")["passed"]


def test_an_adapter_of_shuffled_targets_fails_the_ranking(tiny: Tiny) -> None:
    """It has learnt how they talk, and so fits better than the base; but not what belongs to what, and the card does not pass."""
    card = card_of(tiny, tiny.broken, tiny.shuffled)
    assert card["fit"]["held_out_nll"]["difference"]["value"] < 0
    assert not gate(card, "ranking")["passed"]
    assert not gate(card, "context")["passed"]
    assert card["passed"] is False


def test_the_card_is_plain_json_with_every_part(good: dict[str, Any]) -> None:
    """All that a page draws, in finite numbers; the base's fingerprint; two canaries with an exposure each."""
    assert json.loads(json.dumps(good, allow_nan=False)) == good
    parts = {
        "fit",
        "ranking",
        "distance",
        "tax",
        "memorisation",
        "safety",
        "samples",
        "gates",
        "passed",
        "training",
        "versions",
        "renderer",
    }
    assert parts <= set(good)
    assert len(good["memorisation"]["canaries"]["exposure"]["adapter"]) == 2
    assert good["safety"]["prompts"] == 10
    assert sum(good["distance"]["histogram"]["counts"]) == good["distance"]["tokens"]
    assert len(good["tax"]["tasks"]) == 5


def test_no_message_of_a_member_is_in_the_card(tiny: Tiny, good: dict[str, Any]) -> None:
    """Nor a name of one: the card travels with the adapter."""
    text = json.dumps({**good, "samples": []})
    for example in (*tiny.dataset.train, *tiny.dataset.held_out):
        assert example.target not in text
        assert example.turns[0].text not in text


def test_progress_goes_through_every_stage_to_its_end(tiny: Tiny) -> None:
    """In order, never beyond the total."""
    seen: list[tuple[str, int, int]] = []
    evaluate_adapter(
        tiny.base,
        tiny.good,
        tiny.dataset,
        training(tiny, tiny.dataset),
        replace(SETTINGS, held_out_examples=3, task_items=1, neutral_prompts=2, contexts=1),
        lambda *each: seen.append(each),
    )
    assert tuple(dict.fromkeys(stage for stage, _, _ in seen)) == STAGES
    assert all(0 <= done <= total for _, done, total in seen)
    assert {stage for stage, done, total in seen if done == total} == set(STAGES)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"dataset": {"hash": "sha256:" + "0" * 64}}, WrongDataset, "--dataset"),
        ({"base": {"name": "other-8b", "fingerprint": "sha256:1"}}, WrongBase, "other-8b"),
    ],
)
def test_what_was_not_trained_together_is_not_judged_together(
    tiny: Tiny, change: dict[str, Any], error: type[EvaluationError], said: str
) -> None:
    """Held-out messages of another dataset may have been learnt; another base is another model."""
    with pytest.raises(error, match=said):
        card_of(tiny, tiny.good, tiny.dataset, record={**training(tiny, tiny.dataset), **change})


def test_nothing_held_out_is_one_sentence(tiny: Tiny) -> None:
    """Also where there is something, but none of it fits."""
    with pytest.raises(NothingHeldOut, match="held-out"):
        card_of(tiny, tiny.good, replace(tiny.dataset, held_out=()))
    long = replace(tiny.dataset.held_out[0], target="cat " * 3000)
    with pytest.raises(NothingHeldOut, match="fits"):
        card_of(tiny, tiny.good, replace(tiny.dataset, held_out=(long,)))
