from dataclasses import replace

import pytest

from adapters.curation.curate import curate
from adapters.curation.dataset import Dataset
from adapters.curation.errors import NothingToLearn
from adapters.curation.recipe import CurationRecipe
from adapters.sources.message import Message, Reaction
from tests.adapters.curation.world import People, Said, Soap, said, village

RECIPE = CurationRecipe(min_examples=10)


def curated(messages: Said, recipe: CurationRecipe = RECIPE, people: People | None = None) -> Dataset:
    return curate(messages, recipe, people or People(), Soap(), community="v", provenance=[])


def exchange(count: int, author: str = "ann", *, fans: int = 3, first: int = 1) -> list[Message]:
    """Questions by bo, answers by the author."""
    pairs = []
    for number in range(first, first + 2 * count, 2):
        pairs += [said(number, "bo", f"question {number}"), said(number + 1, author, f"answer {number}", fans=fans)]
    return pairs


@pytest.mark.parametrize(
    ("messages", "recipe", "says"),
    [
        ([], RECIPE, r"no messages: import"),
        (exchange(40, fans=0), RECIPE, r"None of the 80 messages has a reaction.* unscored=equal"),
        (exchange(3), RECIPE, r"Only 3 examples are left of 6 messages, and 10 are wanted \(nobody reacted: 3\): import more"),
        ([said(number, "ann", fans=3, minute=number * 9) for number in range(1, 99)], RECIPE, r"No example is left.*answers nobody: 98"),
        ([said(number, is_bot=True, fans=3) for number in range(1, 99)], RECIPE, r"None of the 98 messages may be learnt from.*bot: 98"),
        ([said(number, private=True, fans=3) for number in range(1, 99)], RECIPE, r"None of .*private message: 98"),
        (exchange(40, fans=1), CurationRecipe(cutoff=50, normalise=False), r"No example is left.*weighs less than the floor: 40"),
    ],
    ids=["nothing", "no reactions", "too few", "a monologue", "bots", "private", "a cutoff nobody reaches"],
)
def test_too_little_gets_one_sentence(messages: list[Message], recipe: CurationRecipe, says: str) -> None:
    """What happened, in figures, and what to do."""
    with pytest.raises(NothingToLearn, match=rf"(?s)\A[^\n]*{says}[^\n]*\.\Z"):
        curated(Said(messages), recipe)


def test_everybody_said_no() -> None:
    """The sentence names the reason."""
    with pytest.raises(NothingToLearn, match=r"author did not agree: 80"):
        curated(Said(exchange(40)), people=People(frozenset({"ann", "bo"})))


def test_unscored_messages_can_all_count_alike() -> None:
    """With the setting everything that answers somebody has the weight 1, and a warning says so."""
    dataset = curated(Said(exchange(40, fans=0)), replace(RECIPE, unscored="equal", author_share=1.0))
    assert {example.weight for example in dataset.train} == {1.0}
    assert len(dataset.train) > 40
    assert "all count alike" in " ".join(dataset.card["warnings"])


def test_the_setting_for_unscored_messages_changes_nothing_where_there_are_scores() -> None:
    """One reaction anywhere, and only loved messages are learnt."""
    refuse, equal = (curated(village(300), replace(RECIPE, unscored=each)) for each in ("refuse", "equal"))
    assert [example.message_id for example in refuse.train] == [example.message_id for example in equal.train]


def test_written_down_conversations_need_no_score() -> None:
    """OpenAI's shape: the assistant's answers are examples by their nature, beside a server's loved messages too."""
    chats = [
        said(1000 + 4 * chat + place, "jsonl:assistant" if place % 2 else "jsonl:user", f"{chat} line {place}", channel=f"file {chat}")
        for chat in range(30)
        for place in range(4)
    ]
    dataset = curated(Said(chats))
    assert {example.author for example in dataset.train} == {"~jsonl:assistant~"}
    assert {example.weight for example in dataset.train} == {1.0}
    both = curated(Said([*exchange(40), *chats]), replace(RECIPE, author_share=1.0))
    assert {"~ann~", "~jsonl:assistant~"} <= {example.author for example in both.train}
    assert "~bo~" not in {example.author for example in both.train}


def test_an_assistant_among_people_needs_reactions_like_them() -> None:
    """In a chat with scores the turns without one were not liked, whatever their author is called."""
    talk = [*exchange(40), *exchange(40, "jsonl:assistant", fans=0, first=101)]
    assert {example.author for example in curated(Said(talk)).train} == {"~ann~"}


def test_one_author_with_nearly_everything_is_capped_with_a_warning() -> None:
    """95 % of the bangers are one person's."""
    talk = exchange(190)
    for number in range(10):
        talk += exchange(1, f"a{number}", first=1001 + 2 * number)
    dataset = curated(Said(talk), replace(RECIPE, held_out=0.0))
    assert dataset.card["authors"][0]["share"] == pytest.approx(0.2, abs=1e-3)
    assert any("~ann~ wrote 95% of what people liked" in warning for warning in dataset.card["warnings"])


def test_one_author_alone_is_allowed_with_a_warning() -> None:
    """Somebody who wants a copy of themself may have it."""
    dataset = curated(Said(exchange(60)))
    assert len(dataset.train) > 40
    assert {example.weight for example in dataset.train} == {dataset.train[0].weight} != {0.0}
    assert any("by one person (~ann~)" in warning for warning in dataset.card["warnings"])


def test_too_few_authors_for_the_cap_are_warned_of() -> None:
    """Three people cannot each have a fifth."""
    talk = [*exchange(40, "ann"), *exchange(40, "cy", first=201), *exchange(5, "dee", first=401)]
    assert any("too few" in warning for warning in curated(Said(talk)).card["warnings"])


def test_a_few_held_out_examples_are_warned_of() -> None:
    """An evaluation on nine says little."""
    assert any("held out" in warning for warning in curated(Said(exchange(60))).card["warnings"])


def test_a_billion_reactions_are_only_applause() -> None:
    """A forged count is as heavy as everybody's, and does not change what others weigh much."""
    talk = exchange(60)
    forged = replace(talk[21], reactions=(Reaction(10**9),))
    honest = {each.message_id: each.weight for each in curated(Said(talk)).train}
    dataset = curated(Said([*talk[:21], forged, *talk[22:]]))
    changed = {each.message_id: each.weight for each in dataset.train}
    assert max(each.reward for each in dataset.train) <= 60
    assert changed.keys() == honest.keys()
    assert all(0.8 * honest[number] < changed[number] <= 1 for number in honest)


def test_ten_megabytes_in_a_message() -> None:
    """Not learnt, left out where it would be shown, and the rest goes on."""
    talk = exchange(60)
    talk[40] = replace(talk[40], text="a." * 5_000_000)
    talk[51] = replace(talk[51], text="lol " * 2_500_000)
    dataset = curated(Said(talk))
    assert dataset.card["dropped"]["too long"] == 2
    assert all(len(turn.text) < 10_000 for example in dataset.train for turn in example.turns)


def test_forged_ids_and_times_break_nothing() -> None:
    """Replies into the future and to nothing, times that go back years, empty names, ids of any spelling."""
    talk = list(village(600))
    talk[100] = replace(talk[100], reply_to=10**18)
    talk[200] = replace(talk[200], reply_to=-5)
    talk[300] = replace(talk[300], at=talk[0].at.replace(year=1970))
    talk[310] = replace(talk[310], at=talk[0].at.replace(year=2199))
    talk[320] = replace(talk[320], author_id="<@1> 'x' ../..", author="")
    dataset = curated(Said(talk))
    assert max(each.at for each in dataset.train) < min(each.at for each in dataset.held_out)
