"""Whether an adapter listens: what it gains from the right conversation, and from no other."""

from typing import cast

import pytest

from adapters.conversation import Turn
from adapters.curation.dataset import Example
from adapters.evaluation.answering import answering
from adapters.evaluation.models import LoadedModel
from tests.adapters.evaluation.test_held_out import FakeModel


def example(number: int, question: str, target: str, conversation: str = "") -> Example:
    return Example((Turn("ann", question),), target, 1.0, number, conversation=conversation)


def test_what_belongs_together_gains() -> None:
    """The fake adapter gives a nat for each token of a reply that begins as its question does; the base gives nothing."""
    seen: list[tuple[int, int]] = []
    examples = [example(1, "apple", "all"), example(2, "bread", "bits"), example(3, "cream", "cold"), example(4, "dough", "dry")]
    found = answering(cast(LoadedModel, FakeModel()), examples, limit=100, progress=lambda *each: seen.append(each))
    assert found is not None
    assert (found["gain"]["adapter"]["value"], found["gain"]["base"]["value"], found["examples"]) == (1.0, 0.0, 4)
    assert seen[-1] == (4, 4)


def test_what_was_shuffled_gains_nothing() -> None:
    """Though each reply is as likely as any: the adapter says it whatever was asked."""
    examples = [example(1, "apple", "cold"), example(2, "bread", "dry"), example(3, "cream", "ex"), example(4, "dough", "fin")]
    found = answering(cast(LoadedModel, FakeModel()), examples, limit=100, progress=lambda *each: None)
    assert found is not None
    assert found["gain"]["adapter"]["high"] <= 0


@pytest.mark.parametrize("examples", [[], [example(1, "a", "a")], [example(1, "a", "a", "talk"), example(2, "b", "b", "talk")]])
def test_without_another_conversation_nothing_can_be_said(examples: list[Example]) -> None:
    """None at all, one alone, or two of the same."""
    assert answering(cast(LoadedModel, FakeModel()), examples, limit=100, progress=lambda *each: None) is None


def test_what_does_not_fit_is_left_out() -> None:
    """As everywhere in the card."""
    examples = [example(1, "apple", "all"), example(2, "bread", "b" * 50), example(3, "cream", "cold")]
    found = answering(cast(LoadedModel, FakeModel()), examples, limit=20, progress=lambda *each: None)
    assert found is not None
    assert found["examples"] == 2
