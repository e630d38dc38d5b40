"""What `diff` says of two versions."""

import json
from dataclasses import replace
from typing import Any

import pytest

from adapters.registry.diff import Change, changes
from adapters.registry.manifest import Manifest, State

FIRST = Manifest(
    community="zizou",
    version=1,
    digest="sha256:" + "a" * 64,
    base_fingerprint="sha256:" + "b" * 64,
    rank=8,
    alpha=16,
    target_modules=("q_proj", "v_proj"),
    dtype="BF16",
    size_bytes=1000,
    published_by="ravi",
    published_at="2026-11-21T08:00:00+00:00",
)


def test_a_version_does_not_differ_from_itself() -> None:
    """Nothing is listed, cards included."""
    carded = replace(FIRST, report_card={"fit": {"loss": 1.5}}, training={"steps": 3})
    assert changes(carded, carded) == []


def test_only_what_differs_is_listed_in_the_manifest_s_order() -> None:
    """Identity fields too, with both values."""
    second = replace(FIRST, version=2, digest="sha256:" + "c" * 64, rank=16, target_modules=("q_proj",), state=State.RETIRED)
    assert changes(FIRST, second) == [
        Change("version", 1, 2),
        Change("digest", FIRST.digest, second.digest),
        Change("rank", 8, 16),
        Change("target_modules", ["q_proj", "v_proj"], ["q_proj"]),
        Change("state", State.PUBLISHED, State.RETIRED),
    ]


def test_cards_are_compared_figure_by_figure() -> None:
    """A nested figure has a dotted name; one that only one version has stands beside None."""
    old = replace(FIRST, report_card={"fit": {"loss": 1.5, "kl": 0.1}, "notes": "good"})
    new = replace(FIRST, report_card={"fit": {"loss": 1.25, "kl": 0.1}, "toxicity": 0.0})
    assert [change.to_json() for change in changes(old, new)] == [
        {"field": "report_card.fit.loss", "from": 1.5, "to": 1.25},
        {"field": "report_card.notes", "from": "good", "to": None},
        {"field": "report_card.toxicity", "from": None, "to": 0.0},
    ]


def test_a_card_that_only_one_version_has_is_listed_by_its_figures() -> None:
    """There is no line for the missing card itself."""
    assert changes(FIRST, replace(FIRST, training={"steps": 3, "data": {}})) == [
        Change("training.steps", None, 3),
        Change("training.data", None, {}),
    ]


@pytest.mark.parametrize(
    ("old", "new", "differ"),
    [(1, True, True), ([1], [True], True), (0, False, True), (1, 1.0, False), (float("nan"), float("nan"), False), ([1, 2], [1], True)],
)
def test_values_are_compared_as_json_has_them(old: Any, new: Any, differ: bool) -> None:
    """`true` is no number, 1 and 1.0 are one number, and what is NaN in both has not changed."""
    found = changes(replace(FIRST, report_card={"value": old}), replace(FIRST, report_card={"value": new}))
    assert bool(found) is differ


def test_a_change_is_json() -> None:
    """Also that of a state."""
    change = changes(FIRST, replace(FIRST, state=State.QUARANTINED, reason="Its bytes are damaged."))[0]
    assert json.loads(json.dumps(change.to_json())) == {"field": "state", "from": "published", "to": "quarantined"}
