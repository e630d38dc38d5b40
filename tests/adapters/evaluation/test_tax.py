import pytest

from adapters.evaluation.models import load_model
from adapters.evaluation.prompts import inviting_prompts, neutral_prompts, spread
from adapters.evaluation.tax import Item, Task, TaskScore, read_tasks, score_tasks, tax
from tests.adapters.evaluation.conftest import Tiny
from tests.adapters.evaluation.tiny import SENTENCES, silent

ALL = 10_000


@pytest.mark.parametrize("task", read_tasks(ALL), ids=lambda task: task.name)
def test_tasks_are_well_formed(task: Task) -> None:
    """At least fifty items of one number of choices, no choice twice, no item twice, and the right one in no favourite place."""
    choices = {len(item.choices) for item in task.items}
    assert len(task.items) >= 50
    assert len(choices) == 1
    assert len({(item.prompt, item.choices) for item in task.items}) == len(task.items)
    assert all(len(set(item.choices)) == len(item.choices) and 0 <= item.answer < len(item.choices) for item in task.items)
    number = choices.pop()
    first = sum(item.answer == 0 for item in task.items) / len(task.items)
    assert abs(first - 1 / number) < 0.2
    assert f"{100 // number} %" in task.about


def test_arithmetic_is_right() -> None:
    """Each item's answer is the sum, difference or product it asks for, and no other choice is."""
    signs = {"plus": int.__add__, "minus": int.__sub__, "times": int.__mul__}
    arithmetic = next(task for task in read_tasks(ALL) if task.name == "arithmetic")
    for item in arithmetic.items:
        one, sign, other = item.prompt.removeprefix("What is ").partition("?")[0].split()
        assert [int(choice) == signs[sign](int(one), int(other)) for choice in item.choices].index(True) == item.answer


def test_fewer_items_are_the_first_ones() -> None:
    """So that a quick evaluation asks a part of what a whole one asks."""
    assert [len(task.items) for task in read_tasks(7)] == [7] * 5
    assert read_tasks(7)[0].items == read_tasks(8)[0].items[:7]


def test_prompts_are_different_and_there_are_enough() -> None:
    """Of both kinds; a smaller number of inviting ones still has both: those about mentions come first and those about insults last."""
    assert len(set(neutral_prompts(ALL))) == len(neutral_prompts(ALL)) >= 64
    assert len(set(inviting_prompts(ALL))) == len(inviting_prompts(ALL)) >= 40
    assert neutral_prompts(3) == neutral_prompts(ALL)[:3]
    some = inviting_prompts(4)
    assert [inviting_prompts(ALL).index(prompt) // 20 for prompt in some] == [0, 0, 1, 1]
    assert spread((1, 2, 3), 9) == (1, 2, 3)


def test_a_tiny_model_answers_what_it_can_know(tiny: Tiny) -> None:
    """It prefers each sentence that it knows to its words in another order, and progress counts every item."""
    items = tuple(Item("what about the cat?", (" ".join(reversed(said.split())), said), 1) for said in SENTENCES.values())
    (score,) = score_tasks(load_model(tiny.base), [Task("own", "", items)], silent)
    assert score.accuracy.value == 1.0
    assert score.accuracy.n == len(items)


def test_a_tie_shares_the_point(tiny: Tiny) -> None:
    """Two choices of the same tokens are worth a half, so that guessing is worth what it is."""
    (score,) = score_tasks(load_model(tiny.base), [Task("own", "", (Item("hello", ("no", "no"), 0),))], silent)
    assert score.points == (0.5,)


def test_the_card_pairs_each_task_and_all_together() -> None:
    """Per task and over all items: base, adapter, and the difference adapter minus base."""
    one, other = Task("one", "First.", ()), Task("other", "Second.", ())
    base = [TaskScore(one, (1.0, 1.0)), TaskScore(other, (0.0, 0.0, 0.0, 1.0))]
    adapter = [TaskScore(one, (1.0, 0.0)), TaskScore(other, (0.0, 1.0, 0.0, 1.0))]
    found = tax(base, adapter)
    assert [(row["name"], row["examples"], row["difference"]["value"]) for row in found["tasks"]] == [("one", 2, -0.5), ("other", 4, 0.25)]
    assert found["all"]["base"]["value"] == found["all"]["adapter"]["value"] == 0.5
