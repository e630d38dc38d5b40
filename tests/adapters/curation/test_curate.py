import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.conversation import RENDERER, Turn
from adapters.curation.card import Policy
from adapters.curation.curate import curate
from adapters.curation.dataset import Dataset, Example
from adapters.curation.duplicates import normalised
from adapters.curation.recipe import CurationRecipe
from adapters.sources.message import Mention
from tests.adapters.curation.world import People, Said, Soap, said, village

SMALL = CurationRecipe(min_examples=1, held_out=0.2, others=4)
ALL = replace(SMALL, held_out=0.0, normalise=False, author_share=1.0)


def curated(messages: Said, recipe: CurationRecipe = SMALL, people: People | None = None, soap: Soap | None = None) -> Dataset:
    return curate(messages, recipe, people or People(), soap or Soap(), community="village", provenance=[])


def only(messages: Said, recipe: CurationRecipe = ALL, people: People | None = None) -> Example:
    (example,) = curated(messages, recipe, people).train
    return example


def texts(example: Example) -> list[str]:
    return [example.target, *(turn.text for turn in example.turns), *example.others]


def test_an_example_says_everything_of_itself() -> None:
    """Pseudonyms, cleaned texts, the plain count, the curve's weight, and where it comes from."""
    talk = [said(1, "bo", "so what"), said(2, "ann", "that secret, <@7> and Bo", fans=2, mentions=(Mention("7", "Dee"),))]
    example = only(Said(talk))
    assert example.turns == (Turn("~bo~", "so what"),)
    assert example.target == "that , ~7~ and ~bo~"
    assert (example.author, example.message_id, example.reward, example.weight) == ("~ann~", 2, 2.0, 0.5)
    assert (example.at, example.channel) == (talk[1].at, "channel 1")
    assert example.people == ("~7~", "~ann~", "~bo~")


def test_unloved_messages_are_not_learnt_and_dry_humour_is_a_little() -> None:
    """Nobody: left out. One person: a small weight. Many: nearly one."""
    talk = [said(1, "bo"), said(2, "ann", fans=0), said(3, "bo", fans=1), said(4, "ann", fans=20)]
    weights = {example.message_id: example.weight for example in curated(Said(talk), ALL).train}
    assert set(weights) == {3, 4}
    assert 0.02 < weights[3] < 0.25
    assert weights[4] > 0.98


def test_own_reactions_and_bots_are_worth_nothing() -> None:
    """A message that only its author and a bot liked is not loved."""
    dataset = curated(village())
    counted = Counter(dict(dataset.card["dropped"]))
    assert counted["nobody reacted"] > 100


def test_the_author_in_the_context_is_the_model_itself() -> None:
    """What the target's author said before is the assistant's turn."""
    talk = [said(1, "bo"), said(2, "ann", minute=5), said(3, "bo", minute=9), said(4, "ann", fans=3, minute=14)]
    assert [turn.is_self for turn in only(Said(talk)).turns] == [False, True, False]


def test_bots_are_neither_learnt_nor_shown() -> None:
    """A bot's message is not in any example, even when a person replies to it."""
    talk = [said(1, "bo"), said(2, "robot", fans=9, is_bot=True), said(3, "ann", fans=3), said(4, "cy", fans=3, reply_to=2)]
    assert [turn.author for turn in only(Said(talk)).turns] == ["~bo~"]


@pytest.mark.parametrize("private", [False, True])
def test_private_talk_needs_a_setting(private: bool) -> None:
    """Direct messages stay out unless they are asked for."""
    talk = [
        said(1, "bo"),
        said(2, "ann", fans=3),
        said(3, "cy", private=True, channel="dm"),
        said(4, "ann", fans=3, private=True, channel="dm"),
    ]
    learnt = {example.message_id for example in curated(Said(talk), replace(ALL, private=private)).train}
    assert learnt == ({2, 4} if private else {2})


def test_who_did_not_agree_is_nowhere() -> None:
    """Neither as target nor on the screen nor among the others nor by pseudonym; and the card says how many."""
    people = People(frozenset({"a1", "a2"}))
    dataset = curated(village(), people=people)
    examples = (*dataset.train, *dataset.held_out)
    assert examples
    assert not any({"~a1~", "~a2~"} & set(example.people) for example in examples)
    said_by = {each.text for each in village() if each.author_id in people.out}
    assert not any(said_by & set(texts(example)) for example in examples)
    assert dataset.card["consent"]["left_out_authors"] == 2
    assert dataset.card["consent"]["left_out_messages"] == len(said_by)


def test_who_did_not_agree_is_not_listed_for_being_mentioned() -> None:
    """The list of people is of those whose data is in the example."""
    talk = [said(1, "bo"), said(2, "ann", "ask <@cy>, or <@dee>", fans=3, mentions=(Mention("cy", "Cy"), Mention("dee", "Dee")))]
    assert only(Said(talk), people=People(frozenset({"dee"}))).people == ("~ann~", "~bo~", "~cy~")


def test_names_of_people_who_are_not_there_are_found() -> None:
    """Somebody is talked about; the pseudonym is in the text and in the list of people."""
    talk = [said(1, "dee", channel="other"), said(2, "bo", "where is Dee"), said(3, "ann", "dunno", fans=3)]
    example = only(Said(talk))
    assert example.turns[-1].text == "where is ~dee~"
    assert "~dee~" in example.people


def test_a_refused_text_is_neither_learnt_nor_shown() -> None:
    """A target is dropped and counted; on the screen it is left out; what it is answered with is dropped too."""
    talk = [said(1, "bo"), said(2, "cy", "foul words"), said(3, "dee"), said(4, "ann", fans=3)]
    assert [turn.author for turn in only(Said(talk)).turns] == ["~bo~", "~dee~"]
    foul = [*talk, said(5, "bo", "so foul", fans=3), said(6, "cy", "answer to foul", fans=4), said(7, "dee", "late", fans=3, reply_to=5)]
    dataset = curated(Said(foul), ALL)
    assert [example.message_id for example in dataset.train] == [4]
    assert dataset.card["dropped"]["refused: foul"] == 2
    assert dataset.card["dropped"]["what it answers may not be learnt"] == 1
    assert dataset.card["toxicity"] == {"level": "off", "refused": 3}


def test_a_chat_begins_with_somebody_else_after_cleaning_too() -> None:
    """What stood above the author's own first words may not be shown: then they are not either."""
    talk = [said(1, "bo", "foul"), said(2, "ann", minute=5), said(3, "cy", minute=9), said(4, "ann", fans=3, minute=14)]
    assert [turn.author for turn in only(Said(talk)).turns] == ["~cy~"]


def test_what_is_empty_after_cleaning_is_dropped() -> None:
    """Nothing is left of it."""
    talk = [said(1, "bo"), said(2, "ann", "secret", fans=3), said(3, "cy", fans=3, reply_to=1)]
    dataset = curated(Said(talk), ALL)
    assert [example.message_id for example in dataset.train] == [3]
    assert dataset.card["removed"] == {"SECRET": 1}


def test_only_kept_texts_are_cleaned_and_each_once() -> None:
    """Cleaning is slow: what nobody learns is never cleaned, and a message on many screens only once."""
    soap = Soap()
    dataset = curated(village(600, loved=0.1), soap=soap)
    kept = {text.replace("~", "") for example in (*dataset.train, *dataset.held_out) for text in texts(example)}
    assert len(soap.asked) < 600
    assert len(soap.asked) == len({text for text, _ in soap.asked})
    assert len(soap.asked) <= len(kept)


def test_a_thought_is_one_example_with_the_best_reward() -> None:
    """Three lines in one breath: learnt up to the line that was loved most, once."""
    talk = [
        said(1, "bo"),
        said(2, "ann", "wait", fans=1, minute=2),
        said(3, "ann", "for it", fans=5, minute=3),
        said(4, "ann", "lol", fans=1, minute=4),
    ]
    example = only(Said(talk))
    assert (example.target, example.reward, example.message_id) == ("wait\nfor it", 5.0, 3)


def test_of_equals_in_a_thought_the_first_ends_it() -> None:
    """What comes after the line that was loved is not learnt with it."""
    talk = [said(1, "bo"), said(2, "ann", "goal", fans=2, minute=2), said(3, "ann", "lol", fans=2, minute=3)]
    assert only(Said(talk)).target == "goal"


def test_a_command_ends_a_thought() -> None:
    """What was said before it stands for itself, however loved the words after it are."""
    talk = [
        said(1, "bo"),
        said(2, "ann", "goal", fans=1, minute=2),
        said(3, "ann", "!play", minute=2.5),
        said(4, "ann", "x", fans=5, minute=3),
    ]
    assert only(Said(talk)).target == "goal"


def test_copypasta_is_learnt_once() -> None:
    """Fifty people post it; the heaviest stays."""
    pasta = "nobody tells you this about goalkeeping but the ball is always rounder than it looks from behind"
    talk = []
    for number in range(1, 101, 2):
        talk += [
            said(number, "bo", f"question {number}"),
            said(number + 1, f"p{number}", pasta + "!" * number, fans=3 if number == 7 else 2),
        ]
    dataset = curated(Said(talk), replace(SMALL, held_out=0.0))
    assert [example.message_id for example in dataset.train] == [8]
    assert dataset.card["duplicates"] == 49


def test_a_duplicate_across_the_border_is_held_out_of_the_held_out() -> None:
    """What is trained on is never asked again, even where the later one was loved more."""
    pasta = "nobody tells you this about goalkeeping but the ball is always rounder than it looks from behind"
    talk = list(village(120))
    talk += [said(1001, "bo", minute=0.1), said(1002, "ann", pasta, fans=2, minute=0.2)]
    late = talk[119].at.timestamp() / 60
    start = talk[0].at.timestamp() / 60 - 1
    talk += [said(2001, "bo", minute=late - start + 300), said(2002, "ann", pasta + " lol", fans=7, minute=late - start + 301)]
    dataset = curated(Said(talk))
    assert 1002 in {example.message_id for example in dataset.train}
    assert 2002 not in {example.message_id for example in dataset.held_out}


def test_a_quiet_channel_counts() -> None:
    """One reaction in a room of few weighs more than one in a room where everything is loved."""
    talk = []
    for number in range(1, 801, 2):
        room = "quiet" if number % 4 == 1 else "loud"
        fans = {"quiet": 1 if number % 20 == 1 else 0, "loud": 9}[room] if number != 403 else 1
        talk += [said(number, "bo", f"{number} q", channel=room), said(number + 1, "ann", f"{number} a", fans=fans, channel=room)]
    weights = {example.message_id: example.weight for example in curated(Said(talk), replace(ALL, normalise=True)).train}
    assert weights[402] > 2 * weights[404]


def test_no_author_is_heavier_than_the_share() -> None:
    """With enough authors the cap holds in the dataset, and the card says who was cut."""
    talk = []
    for number in range(1, 801, 2):
        author = f"a{number % 7}" if number % 20 == 1 else "loud"
        talk += [said(number, "bo", f"{number} q"), said(number + 1, author, f"{number} a", fans=4)]
    dataset = curated(Said(talk), replace(ALL, author_share=0.25))
    sums: Counter[str] = Counter()
    for example in dataset.train:
        sums[example.author] += example.weight  # type: ignore[assignment]
    assert max(sums.values()) <= 0.25 * sum(sums.values()) * (1 + 1e-6)
    first = next(entry for entry in dataset.card["authors"] if entry["name"] == "~loud~")
    assert first["capped"]
    assert first["share"] == pytest.approx(0.25, abs=1e-3)


def test_a_sample_is_taken_of_too_many() -> None:
    """No more than the recipe's number; heavier ones are likelier, light ones are in it too."""
    every, few = curated(village(3000), ALL), curated(village(3000), replace(ALL, max_examples=200))
    assert len(few.train) <= 200 < len(every.train)
    assert {example.message_id for example in few.train} <= {example.message_id for example in every.train}

    def mean(dataset: Dataset) -> float:
        return sum(example.weight for example in dataset.train) / len(dataset.train)

    assert mean(few) > mean(every)
    assert min(example.reward for example in few.train) == 1


def test_nothing_held_out_was_seen() -> None:
    """Every held-out example is later than all of training, context included; no conversation and no near-duplicate is on both sides."""
    dataset = curated(village(1200))
    assert len(dataset.held_out) > 20
    assert max(example.at for example in dataset.train) < min(example.at for example in dataset.held_out)
    assert not {example.conversation for example in dataset.train} & {example.conversation for example in dataset.held_out}
    trained = {text for example in dataset.train for text in texts(example)}
    assert not trained & {text for example in dataset.held_out for text in texts(example)}
    assert not any(example.others for example in dataset.train)
    assert dataset.card["held_out_from"] == dataset.held_out[0].at.isoformat()


@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.3, 0.6]), st.sampled_from([20, 60, 150]))
@settings(max_examples=15, deadline=None)
def test_the_split_holds_for_any_village(seed: int, share: float, gap: float) -> None:
    """The rules of the split do not depend on who talked when."""
    dataset = curated(village(240, seed=seed, channels=1 + seed % 3), replace(SMALL, held_out=share, gap_minutes=gap))
    sides = (dataset.train, dataset.held_out)
    assert all(one.at <= other.at for side in sides for one, other in pairwise(side))
    assert all(one.at < other.at for one in dataset.train[-1:] for other in dataset.held_out)
    assert not set.intersection(*({example.conversation for example in side} for side in sides))
    assert not set.intersection(*({text for example in side for text in texts(example)} for side in sides))


def test_the_border_falls_between_conversations() -> None:
    """In one channel with pauses only those are lost that have the conversation before on their screen."""
    talk = []
    for number in range(1, 1001, 2):
        minute = number * 2 + number // 50 * 90
        talk += [said(number, "bo", minute=minute), said(number + 1, "ann", fans=3, minute=minute + 1)]
    dataset = curated(Said(talk), replace(SMALL, held_out=0.12))
    assert dataset.card["dropped"]["reaches across the border to the held-out time"] <= 3
    assert len(dataset.held_out) > 40


def test_no_other_says_the_same_as_the_target() -> None:
    """A copy of the target, or one copy of another, would be no choice."""
    messages = list(village(1200))
    for place, message in enumerate(messages[:-1]):
        if not messages[place + 1].reactions:
            messages[place + 1] = replace(messages[place + 1], text=message.text + " !!")
    dataset = curated(Said(messages))
    assert dataset.held_out
    for example in dataset.held_out:
        plain = [normalised(text) for text in (example.target, *example.others)]
        assert len(plain) == len(set(plain)) > 1


def test_others_are_lesser_messages_of_the_same_time_and_channel() -> None:
    """Of the channel, near in time, not in the example, less loved, all different, and by people who agreed."""
    messages = village(1200)
    by_text = {each.text: each for each in messages}
    dataset = curated(messages)
    full = [example for example in dataset.held_out if len(example.others) == 4]
    assert len(full) > 0.8 * len(dataset.held_out)
    for example in full:
        target = messages.find(example.message_id)
        assert target is not None
        others = [by_text[text] for text in example.others]
        assert len({each.id for each in others}) == 4
        assert {each.channel for each in others} == {target.channel}
        assert not set(example.others) & {example.target, *(turn.text for turn in example.turns)}
        assert all(sum(reaction.count for reaction in each.reactions) < example.reward * 1.5 + 1 for each in others)
        assert all(abs(each.id - target.id) < 60 for each in others)


def test_the_same_input_gives_the_same_dataset() -> None:
    """Another process, another hash seed, other hours: the same content hash."""
    code = (
        "from tests.adapters.curation.test_curate import curated; from tests.adapters.curation.world import village; "
        "print(curated(village(300)).content_hash)"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert hashes == {curated(village(300)).content_hash}


def test_messages_are_read_twice_and_no_more() -> None:
    """A million of them take a while."""
    messages = village(300)
    curated(messages)
    assert messages.readings == 2


def test_progress_is_told() -> None:
    """Three stages in this order, each to its end."""
    told: list[tuple[str, int, int]] = []
    curate(
        village(300),
        SMALL,
        People(),
        Soap(),
        community="v",
        provenance=[],
        progress=lambda stage, done, total: told.append((stage, done, total)),
    )
    assert list(dict.fromkeys(stage for stage, _, _ in told)) == ["weighing", "finding contexts", "cleaning"]
    ends = {stage: (done, total) for stage, done, total in told}
    assert all(done == total > 0 for done, total in ends.values())


def test_the_card_adds_up() -> None:
    """Plain JSON with the agreed fields; the counts are those of the dataset; no raw id or name of anybody is in it."""
    messages = village(1200)
    provenance = [{"import": "i", "kind": "synthetic", "declaration": "made up", "messages": 1200, "first": None, "last": None}]
    dataset = curate(
        messages, SMALL, People(), Soap(), community="village", provenance=provenance, policy=Policy(consent="opt-in", toxicity="slurs")
    )
    card = json.loads(json.dumps(dataset.card, allow_nan=False))
    assert card["content_hash"] == dataset.content_hash
    assert (card["schema"], card["community"], card["renderer"], card["provenance"]) == (1, "village", RENDERER, provenance)
    counts = card["counts"]
    assert (counts["messages"], counts["train"], counts["held_out"]) == (1200, len(dataset.train), len(dataset.held_out))
    assert (counts["authors"], counts["channels"]) == (8, 2)
    assert counts["candidates"] == sum(card["rewards"]["counts"])
    assert counts["train"] + counts["held_out"] == sum(card["weights"]["counts"]) == sum(card["lengths"]["target"]["counts"])
    assert counts["train"] + counts["held_out"] + sum(card["dropped"].values()) == 1200
    assert sum(entry["examples"] for entry in card["authors"]) == counts["train"]
    assert sum(entry["share"] for entry in card["authors"]) == pytest.approx(1, abs=0.01)
    assert sum(entry["messages"] for entry in card["months"]) == sum(entry["messages"] for entry in card["channels"]) == 1200
    assert sum(entry["examples"] for entry in card["months"]) == counts["train"] + counts["held_out"]
    assert (card["consent"]["mode"], card["toxicity"]["level"]) == ("opt-in", "slurs")
    assert card["curve"] == {"cutoff": 2.0, "sharpness": 2.0, "floor": 0.02}
    written = json.dumps({**card, "recipe": None})
    assert "room0" not in written
    assert "A1" not in written
    for one in ("rewards", "weights"):
        assert len(card[one]["edges"]) == len(card[one]["counts"]) + 1
