import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import pytest

from adapters.conversation import Turn
from adapters.curation.dataset import Example
from adapters.evaluation.held_out import Scored, fit, ranking, score
from adapters.evaluation.models import LoadedModel
from adapters.training.rendering import Lesson

SCORED = Scored("a", 1.0, (2, 4, 1), (-4.0, -4.0, -3.0), (-2.0, -6.0, -3.0), (-6.0, -8.0, -3.0))


class FakeModel:
    """A token is a letter. The adapter finds what starts like the question likelier; the base finds all letters alike."""

    def __init__(self) -> None:
        self.renderer = self
        self._with_adapter = True

    def prompt(self, turns: Sequence[Turn]) -> list[int]:
        return [0, *map(ord, turns[-1].text)]

    def reply(self, text: str) -> list[int]:
        return [*map(ord, text), 1]

    def lesson(self, turns: Sequence[Turn], target: str, weight: float, *, limit: int) -> Lesson | None:
        prompt, reply = self.prompt(turns), self.reply(target)
        return Lesson((*prompt, *reply), len(prompt), weight) if len(prompt) + len(reply) <= limit else None

    def log_likelihoods(self, prompt: Sequence[int], targets: Sequence[Sequence[int]]) -> list[float]:
        liked = self._with_adapter and len(prompt) > 1
        return [-2.0 * len(target) + (1.0 if liked and target[0] == prompt[1] else 0.0) * len(target) for target in targets]

    @contextmanager
    def without_adapter(self) -> Iterator[None]:
        self._with_adapter = False
        yield
        self._with_adapter = True


def example(question: str, target: str, *others: str, **changes: Any) -> Example:
    return replace(Example((Turn("ann", question),), target, 1.0, 7, others=others), **changes)


def scored(*examples: Example, others: int = 9, limit: int = 100) -> tuple[Scored, ...]:
    seen: list[tuple[int, int]] = []
    found = score(cast(LoadedModel, FakeModel()), examples, others=others, limit=limit, progress=lambda *each: seen.append(each))
    assert seen[-1] == (len(examples), len(examples))
    return found


def test_the_score_is_the_gain_per_token() -> None:
    """By hand: base gains 1, 1 and 0 nats per token on the three texts, a tie, so rank 2; the adapter 2, 0.5 and 0, so rank 1."""
    assert SCORED.ranks == (2, 1)


@pytest.mark.parametrize("other", ["b", "b" * 5, "b" * 60])
def test_neither_long_nor_short_texts_win_by_their_length(other: str) -> None:
    """The text that fits the question comes first against shorter and longer ones, and ties go against it for the base."""
    (found,) = scored(example("a?", "aaaaa", other))
    assert found.ranks == (2, 1)


def test_no_more_than_k_others_and_each_once() -> None:
    """What is the target once more, or the same as another, is no other to beat; nor is what does not fit."""
    (found,) = scored(example("a?", "aa", "aa", "bb", "bb", "c" * 200, "cc", "dd"), others=2)
    assert len(found.tokens) == 3


def test_examples_that_do_not_fit_are_left_out() -> None:
    """Also where they are all there is."""
    assert scored(example("a?", "a" * 200)) == ()


def test_fit_is_the_weighted_mean_per_token() -> None:
    """Examples of weights 1 and 3 with 2 and 4 tokens: the base's mean is (1·4 + 3·4) / (1·2 + 3·4) nats."""
    other = Scored("b", 3.0, (4,), (-4.0,), (-8.0,), (-9.0,))
    found = fit([SCORED, other])["held_out_nll"]
    assert found["base"]["value"] == pytest.approx(16 / 14)
    assert found["adapter"]["value"] == pytest.approx(26 / 14)
    assert found["difference"]["value"] == pytest.approx(10 / 14)


def test_ranking_counts_ranks_and_names_what_guessing_gets() -> None:
    """Examples without others are left out, those with fewer than k are counted, and chance is what their numbers of others make it."""
    alone, full = replace(SCORED, conversation="b", tokens=(2,), base=(-1.0,), adapter=(-1.0,), alone=(-1.0,)), SCORED
    pairwise = Scored("c", 1.0, (1, 1), (-1.0, -2.0), (-2.0, -1.0), (-1.0, -1.0))
    found = ranking([alone, full, pairwise], 2)
    assert (found["examples"], found["fewer_others"]) == (2, 1)
    assert found["chance"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert found["ranks"] == {"base": [1, 1, 0], "adapter": [1, 1, 0]}
    assert found["accuracy"]["difference"]["value"] == 0.0
    assert found["mrr"]["base"]["value"] == pytest.approx(0.75)


def test_a_ranking_of_nothing_is_no_error_and_proves_nothing() -> None:
    """Its intervals reach from one end to the other, so no gate passes on it."""
    found = ranking([], 9)
    assert found["examples"] == 0
    assert (found["mrr"]["difference"]["low"], found["mrr"]["difference"]["high"]) == (-1.0, 1.0)
    assert math.isfinite(found["chance"])


def test_messages_of_one_conversation_are_one_cluster() -> None:
    """With all in one conversation the interval says that nothing is known; where none is named, every example is its own."""
    same = ranking([replace(SCORED, conversation="same")] * 30, 2)
    own = ranking([replace(SCORED, conversation=str(place)) for place in range(30)], 2)
    assert same["mrr"]["difference"]["low"] == -1.0
    assert own["mrr"]["difference"]["low"] > 0.25
    assert len({each.conversation for each in scored(example("a?", "aa"), example("a?", "ab", message_id=8))}) == 2
