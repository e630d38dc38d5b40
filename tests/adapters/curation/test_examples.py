from datetime import UTC, datetime

import pytest

from adapters.conversation import Turn
from adapters.curation.examples import curate, cutoff_weight, reward
from adapters.sources.message import Message, Reaction


def message(number: int, author: str = "ann", *, people: int = 0, reply_to: int | None = None, channel: str = "c") -> Message:
    reactions = (Reaction(people, frozenset(f"fan{each}" for each in range(people))),) if people else ()
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Message(number, channel, author, author, f"text {number}", at, reply_to=reply_to, reactions=reactions)


def test_reward_counts_people_once_and_neither_the_author_nor_bots() -> None:
    """One person with three emoji is one; the author's own reaction and a bot's are none."""
    emoji = (
        Reaction(3, frozenset({"ann", "bo"}), frozenset({"bot"})),
        Reaction(2, frozenset({"bo", "cy"})),
    )
    assert reward(Message(1, "c", "ann", "ann", "x", datetime(2026, 1, 1, tzinfo=UTC), reactions=emoji)) == 2


def test_reward_believes_a_count_without_names() -> None:
    """Exports often lose the list of users: then the largest count stands."""
    emoji = (Reaction(5), Reaction(3))
    assert reward(Message(1, "c", "ann", "ann", "x", datetime(2026, 1, 1, tzinfo=UTC), reactions=emoji)) == 5


def test_weight_is_a_soft_cutoff() -> None:
    """Nobody: nothing. At the cutoff: a half. Then it rises with every person and never passes one."""
    weights = [cutoff_weight(people, cutoff=3) for people in range(40)]
    assert weights[0] == 0
    assert weights[3] == pytest.approx(0.5)
    assert weights == sorted(weights)
    assert weights[-1] < 1


def test_context_follows_replies_before_neighbours() -> None:
    """A reply's context is what it answers, not what happened to stand above it."""
    said = [message(1, "bo"), message(2, "cy"), message(3, "dee", people=5, reply_to=1)]
    (example,) = curate(said).train
    assert example.turns == (Turn("bo", "text 1"),)
    assert example.target == "text 3"


def test_context_stays_in_its_channel() -> None:
    """Another channel's messages are not on the screen."""
    said = [message(1, "bo"), message(2, "cy", channel="other"), message(3, "dee", people=5)]
    (example,) = curate(said).train
    assert example.turns == (Turn("bo", "text 1"),)


def test_only_answers_to_others_are_learned() -> None:
    """A message that opens a channel, or goes on with its own author's words, has nobody to answer; unloved ones are not learned."""
    said = [message(1, "ann", people=5), message(2, "ann", people=5), message(3, "bo")]
    assert curate(said).train == ()


def test_split_is_by_time() -> None:
    """Every held-out example is later than every one that is trained on."""
    said = [message(number, "ann" if number % 2 else "bo", people=4) for number in range(1, 42)]
    data = curate(said, held_out=0.25)
    assert (len(data.train), len(data.held_out)) == (30, 10)
    assert max(each.message_id for each in data.train) < min(each.message_id for each in data.held_out)
