"""The model's own answers in a dataset: liked ones only, a small part, never where they would judge, and nobody in them who said no."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.curation.curate import curate
from adapters.curation.dataset import Dataset, Example
from adapters.curation.errors import BadRecipe
from adapters.curation.own_words import MODEL, Heard, OwnAnswer
from adapters.curation.recipe import CurationRecipe
from tests.adapters.curation.world import START, People, Said, Soap, said

RECIPE = CurationRecipe(min_examples=5, held_out=0.25, author_share=1.0, near_duplicate=0.9)


def talk(count: int = 80) -> Said:
    """Two who talk in turns, with a pause after every sixth message; every other one is liked by three."""
    names = ("ann", "bob")
    minutes = {number: 5 * number + 120 * (number // 6) for number in range(1, count)}
    messages = (
        said(each, names[each % 2], f"number {each} is what i say", fans=3 * (each % 4 < 2), minute=at) for each, at in minutes.items()
    )
    return Said(messages)


def answer(number: int = 1, *, minute: float = 5.0, reward: int = 3, **more: Any) -> OwnAnswer:
    turns = (Heard("Ann", "what do you think?", author="ann"),)
    made = OwnAnswer(f"90{number}", "zizou@1", START + timedelta(minutes=minute), reward, turns, f"i think of {number} things", frozenset())
    return replace(made, **more)


def dataset(*answers: OwnAnswer, recipe: CurationRecipe = RECIPE, people: People = People()) -> Dataset:  # noqa: B008
    return curate(talk(), recipe, people, Soap(), community="zizou", provenance=[], answers=answers)


def own(made: Dataset) -> list[Example]:
    assert all(example.author != MODEL for example in made.held_out)
    return [example for example in made.train if example.author == MODEL]


def test_a_liked_answer_is_learnt_in_its_context() -> None:
    """Under pseudonyms, as everything is; the card says so."""
    turns = (
        Heard("", "me first", is_self=True),
        Heard("Ann", "and you?", author="ann"),
        Heard("", "me", is_self=True),
        Heard("~bob~", "who?"),
    )
    made = dataset(answer(turns=turns, people=frozenset({"bob"})))
    (example,) = own(made)
    assert [(turn.author, turn.text, turn.is_self) for turn in example.turns] == [
        ("~ann~", "and you?", False), (MODEL, "me", True), ("~bob~", "who?", False),
    ]  # fmt: skip
    assert (example.target, set(example.people) >= {"~ann~", "~bob~"}) == ("i think of 1 things", True)
    assert made.card["own_words"]["examples"] == 1
    assert made.card["own_words"]["versions"] == {"zizou@1": 1}
    assert "the model's own answers" in made.card["warnings"][-1]


def test_nothing_changes_where_nothing_was_brought_back() -> None:
    made = dataset()
    assert own(made) == []
    assert "own_words" not in made.card


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
def test_all_together_have_a_small_part_of_the_weight(share: float) -> None:
    """However many and however loved they are."""
    made = dataset(*(answer(number, reward=20) for number in range(100)), recipe=replace(RECIPE, own_share=share))
    assert len(own(made)) == 100
    weight = sum(example.weight for example in own(made)) / sum(example.weight for example in made.train)
    assert weight == pytest.approx(share)
    assert made.card["own_words"]["share"] == pytest.approx(share, abs=1e-4)


def test_people_s_examples_are_what_they_were() -> None:
    """The same texts with the same weights: answers only add."""
    without, made = dataset(), dataset(*(answer(number, reward=20) for number in range(50)))
    assert [example for example in made.train if example.author != MODEL] == list(without.train)
    assert made.held_out == without.held_out


def test_what_nobody_liked_is_not_learnt_and_says_what_is_usual() -> None:
    """A reward counts for more where the model's answers seldom get any."""
    (alone,) = own(dataset(answer()))
    seldom = dataset(answer(), *(answer(number, reward=0) for number in range(2, 200)))
    (example,) = own(seldom)
    assert example.reward > alone.reward
    assert seldom.card["dropped"]["the model's answer: nobody reacted"] == 198


def test_who_said_no_is_in_none_of_it() -> None:
    """Neither as a speaker nor as somebody who is spoken of."""
    out = People(out=frozenset({"zed"}))
    spoken = answer(1, people=frozenset({"zed"}))
    speaking = answer(2, turns=(Heard("Zed", "hi", author="zed"),))
    assert own(dataset(spoken, speaking, people=out)) == []


def test_a_speaker_whom_nobody_knows_is_not_learnt() -> None:
    """Nobody could ask to be taken out of it."""
    made = dataset(answer(turns=(Heard("Somebody", "hi"),)))
    assert own(made) == []
    assert made.card["dropped"]["the model's answer: somebody in it is not known"] == 1


def test_answers_of_the_time_that_judges_are_left_out() -> None:
    """Later ones are not: nothing that is held out can be in them."""
    border = dataset().held_out[0].at
    minutes = (border - START).total_seconds() / 60
    made = dataset(answer(1, minute=minutes + 3), answer(2, minute=10_000), answer(3, minute=minutes - 60))
    assert [example.target for example in own(made)] == ["i think of 3 things", "i think of 2 things"]


def test_what_repeats_a_person_is_not_learnt_twice() -> None:
    """The person's own is kept, however much more the repetition was loved."""
    text = dataset().train[0].target
    made = dataset(answer(1, reply=text, reward=50))
    assert own(made) == []
    assert any(example.target == text for example in made.train)


def test_none_are_learnt_where_that_is_said() -> None:
    assert own(dataset(answer(), recipe=replace(RECIPE, own_share=0.0))) == []
    with pytest.raises(BadRecipe, match="own_share"):
        CurationRecipe(own_share=0.9)
